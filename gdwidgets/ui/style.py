"""The style sheet that every explorer brings along: an 8-pixel grid, the theme's own colours."""

from __future__ import annotations

LARGE = 1.4
"""How much larger text and figures are with ``size="large"``."""

STYLE = """
.gdwidgets { --gdw-size: 1; --gdw-ink: var(--jp-content-font-color1, #1b1f24);
  --gdw-quiet: var(--jp-content-font-color2, #4a5568); --gdw-line: var(--jp-border-color1, #c8ccd4);
  --gdw-blue: #1976d2; --gdw-blue-ink: #0b4f8a; --gdw-blue-pale: #e3eefb;
  --jp-widgets-font-size: calc(14px * var(--gdw-size));
  --jp-widgets-inline-height: calc(32px * var(--gdw-size));
  --jp-widgets-slider-handle-size: calc(18px * var(--gdw-size));
  --jp-widgets-slider-border-width: 2px; --jp-widgets-slider-handle-border-color: var(--gdw-blue);
  --jp-widgets-margin: 0px; --gdw-knob: calc(9px * var(--gdw-size));
  box-sizing: border-box; width: 100%; max-width: 1800px; container-type: inline-size;
  color: var(--gdw-ink); font-size: calc(14px * var(--gdw-size)); outline: none; padding: 0 4px;
  font-family: var(--jp-ui-font-family, system-ui, sans-serif); }
.gdwidgets :is(button, select, input) { font-family: inherit; }
.gdwidgets.gdw-large { --gdw-size: 1.4; max-width: none; }
.jp-mod-theme-dark .gdwidgets, [data-jp-theme-light="false"] .gdwidgets {
  --gdw-blue: #64b5f6; --gdw-blue-ink: #a9d4fb; --gdw-blue-pale: #17324d; color-scheme: dark; }
.jp-mod-theme-dark .gdwidgets select, [data-jp-theme-light="false"] .gdwidgets select {
  background-image: url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' \
viewBox='0 0 18 18'%3E%3Cpath fill='%23cbd2dc' \
d='M5.2 5.9 9 9.7l3.8-3.8 1.2 1.2-4.9 5-4.9-5z'/%3E%3C/svg%3E") !important; }
.gdwidgets:focus-visible { outline: 2px solid var(--gdw-blue); outline-offset: -2px;
  border-radius: 4px; }
.gdwidgets button:focus-visible, .gdwidgets select:focus-visible, .gdwidgets input:focus-visible,
.gdwidgets :is(.noUi-handle, .ui-slider-handle):focus-visible {
  outline: 2px solid var(--gdw-blue); outline-offset: 2px; }
.gdwidgets .widget-button, .gdwidgets .widget-toggle-button { min-width: 36px; border-radius: 6px;
  border: 1px solid var(--gdw-line); background: var(--jp-layout-color1, #fff);
  color: var(--gdw-ink); box-shadow: none; font-size: calc(14px * var(--gdw-size));
  height: calc(32px * var(--gdw-size)); line-height: calc(30px * var(--gdw-size));
  padding: 0 12px; margin: 0; overflow: visible; text-overflow: clip; }
.gdwidgets .widget-button:hover, .gdwidgets .widget-toggle-button:hover {
  border-color: var(--gdw-blue); }
.gdwidgets .widget-button.mod-primary { background: #1976d2; border-color: #1976d2; color: #fff;
  font-weight: 600; }
.gdwidgets .widget-button.mod-info { background: var(--gdw-blue-pale);
  border-color: var(--gdw-blue); color: var(--gdw-blue-ink); font-weight: 600; }
.gdwidgets .widget-button:disabled, .gdwidgets .widget-toggle-button:disabled { opacity: 0.45; }
/* Strong letters that are no wider: what stands beside a pressed button stays where it is. */
.gdwidgets .widget-toggle-button.mod-active { background: var(--gdw-blue-pale);
  border-color: var(--gdw-blue); color: var(--gdw-blue-ink); -webkit-text-stroke: 0.5px; }
.gdwidgets .gdw-chips .widget-toggle-button.mod-active {
  box-shadow: inset 0 0 0 1px var(--gdw-blue); }
.gdwidgets .widget-dropdown > select, .gdwidgets .widget-text input {
  border-radius: 6px; border: 1px solid var(--gdw-line); color: var(--gdw-ink);
  background-color: var(--jp-layout-color1, #fff); font-size: calc(14px * var(--gdw-size)); }
.gdwidgets :is(.noUi-handle, .ui-slider-handle) { box-shadow: none !important;
  border: 2px solid var(--gdw-blue) !important;
  background: var(--jp-layout-color1, #fff) !important; }
.gdwidgets .gdw-scrubber :is(.noUi-handle, .ui-slider-handle) {
  background: var(--gdw-blue) !important; }
/* The track reaches as far as the handle at its ends. */
.gdwidgets .gdw-scrubber .noUi-target {
  clip-path: inset(-16px calc(-1 * var(--gdw-knob)));
  box-shadow: calc(-1 * var(--gdw-knob)) 0 0 var(--jp-layout-color3, #bdbdbd),
    var(--gdw-knob) 0 0 var(--jp-layout-color3, #bdbdbd); }
.gdwidgets .gdw-scrubber .noUi-handle::before { content: ""; position: absolute; right: 100%;
  display: block; left: auto; top: calc(50% - 2px); height: 4px; width: 2000px;
  background: var(--gdw-blue); }

.gdw-head { gap: 8px; align-items: center; margin: 0 0 8px 0;
  min-height: calc(32px * var(--gdw-size)); }
.gdw-title { font-weight: 700; font-size: calc(16px * var(--gdw-size)); white-space: nowrap;
  line-height: calc(32px * var(--gdw-size)); margin-right: 8px; }
.gdw-head .widget-dropdown > select { font-weight: 700; font-size: calc(15px * var(--gdw-size)); }
.gdwidgets .gdw-head > .widget-dropdown { width: calc(166px * var(--gdw-size)); }
.gdw-chips { gap: 8px 6px; flex: 1 1 auto; flex-wrap: wrap; min-width: 0; }
.gdwidgets .gdw-chips .widget-toggle-button { border-radius: 16px; padding: 0 8px;
  font-size: calc(13px * var(--gdw-size)); }
.gdw-tools { gap: 8px; flex: 0 0 auto; }

.gdwidgets > .lm-Widget { flex-shrink: 0; }
.gdw-sentence { text-wrap: pretty; font-size: calc(16px * var(--gdw-size));
  line-height: calc(24px * var(--gdw-size));
  height: calc(48px * var(--gdw-size)); overflow: auto; color: var(--gdw-ink); margin: 0 0 8px 0; }
.gdw-whole { white-space: nowrap; }
.gdw-error { color: var(--jp-error-color0, #b00020); font-weight: 600; }
.gdw-pictures { gap: 8px; width: 100%; align-items: stretch; margin: 0 0 8px 0; }
.gdw-transport { gap: 8px; margin: 0 0 8px 0; }
.gdw-buttons { gap: 8px; }
.gdw-counter { white-space: nowrap; text-align: right; font-variant-numeric: tabular-nums;
  font-size: calc(15px * var(--gdw-size)); line-height: calc(32px * var(--gdw-size)); }
.gdw-counter progress { width: 96px; vertical-align: middle; }
.gdw-counter small { font-size: calc(13px * var(--gdw-size)); color: var(--gdw-quiet); }
.gdw-dials { gap: 16px; align-items: flex-end; margin: 0 0 8px 0; width: 100%; }
.gdw-row { gap: 8px 16px; flex-wrap: wrap; overflow: visible; }
.gdw-tight { gap: 8px; width: auto !important; }
.gdw-caption { font-size: calc(13px * var(--gdw-size)); line-height: calc(20px * var(--gdw-size));
  color: var(--gdw-quiet); white-space: nowrap; }

.gdw-track { position: relative; }
.gdw-limits { position: relative; height: calc(20px * var(--gdw-size)); white-space: nowrap;
  font-size: calc(13px * var(--gdw-size)); line-height: calc(20px * var(--gdw-size));
  color: var(--gdw-quiet); }
.gdw-limits { container-type: inline-size; }
.gdw-limits .gdw-more { font-style: normal; }
@container (max-width: 33em) { .gdw-limits .gdw-more { display: none; } }
.gdw-limits em { font-style: normal; position: absolute; left: 0; }
.gdw-limits .gdw-note { right: 0; max-width: calc(100% - 8em); overflow: hidden;
  text-overflow: ellipsis; }
.gdw-limits span { position: absolute; background: var(--jp-layout-color0, #fff); z-index: 1; }
.gdw-bands { position: absolute; left: 0; right: 0; top: calc(20px * var(--gdw-size));
  height: calc(24px * var(--gdw-size)); pointer-events: none; }
.gdw-bands i { position: absolute; top: 50%; height: 8px; margin-top: -4px; }
.gdw-bands u { position: absolute; top: 0; bottom: 0; width: 2px; margin-left: -1px;
  background: var(--gdw-ink); }
.gdw-bands .gdw-best { width: 0; background: none; border-left: 2px dotted var(--gdw-ink); }
.gdw-stable { background: #cfe3f7; } .gdw-between { background: #fde3cf; }
.gdw-unstable { background: repeating-linear-gradient(-45deg, #c5cad3 0 4px, transparent 4px 8px); }
.jp-mod-theme-dark .gdw-stable, [data-jp-theme-light="false"] .gdw-stable { background: #2b4a6b; }
.jp-mod-theme-dark .gdw-between, [data-jp-theme-light="false"] .gdw-between { background: #6b4a2b; }
.gdwidgets .gdw-track :is(.noUi-target, .noUi-connects, .noUi-base, .ui-slider) {
  background: transparent !important; border: none !important; box-shadow: none !important; }
.gdwidgets .gdw-track .widget-slider { height: calc(24px * var(--gdw-size)); margin: 0;
  line-height: calc(24px * var(--gdw-size)); }

.gdw-folds { border-top: 1px solid var(--jp-border-color2, #e0e0e0); width: 100%;
  padding-top: 4px; }
.gdw-fold-row { gap: 8px; flex-wrap: wrap; }
.gdwidgets .gdw-fold-row .widget-toggle-button { border: none; background: transparent;
  color: var(--gdw-blue-ink); padding: 0 8px; font-weight: 400; }
.gdwidgets .gdw-fold-row .widget-toggle-button:focus-visible { outline-offset: -2px; }
.gdwidgets .gdw-fold-row .widget-toggle-button::after { content: " \\25B8"; }
.gdwidgets .gdw-fold-row .widget-toggle-button.mod-active { background: var(--gdw-blue-pale); }
.gdwidgets .gdw-fold-row .widget-toggle-button.mod-active::after { content: " \\25BE"; }
.gdw-fold-body { padding: 8px 0; gap: 8px; overflow: auto hidden; width: 100%; }

.gdw-table { border-collapse: collapse; font-variant-numeric: tabular-nums;
  font-size: calc(14px * var(--gdw-size)); color: var(--gdw-ink); }
.gdw-table th, .gdw-table td { padding: 2px 12px 2px 0; text-align: right; white-space: pre;
  line-height: calc(20px * var(--gdw-size)); }
.gdw-table th { font-weight: 600; border-bottom: 1px solid var(--gdw-line);
  color: var(--gdw-quiet); }
.gdw-table td { border-bottom: 1px solid var(--jp-border-color3, #eee); }
.gdw-table tr.gdw-now td { background: var(--gdw-blue-pale); }
.gdw-table td.gdw-text, .gdw-table th.gdw-text { text-align: left; }
.gdwidgets code { font-size: inherit; line-height: inherit; }
.gdwidgets .gdw-code { font-family: var(--jp-code-font-family, monospace); color: var(--gdw-ink);
  font-size: calc(14px * var(--gdw-size)); line-height: calc(20px * var(--gdw-size));
  white-space: pre; overflow-x: auto; margin: 0; }
.gdw-paragraph { font-size: calc(14px * var(--gdw-size)); margin: 0 0 8px 0;
  line-height: calc(20px * var(--gdw-size)); max-width: 90ch; }
.gdw-beside { position: relative; }
.gdwidgets .gdw-beside > .widget-hprogress { position: absolute; top: 0; left: 0; right: 0;
  width: auto; height: 12px; min-height: 0; }
.gdw-zoom { position: absolute; right: 0; bottom: 0; gap: 4px; }
.gdw-zoom-beside { gap: 4px; flex: 0 0 auto; margin: calc(12px * var(--gdw-size)) 0 0 0; }
.gdwidgets .gdw-zoom .widget-button, .gdwidgets .gdw-zoom-beside .widget-button { padding: 0;
  min-width: calc(32px * var(--gdw-size)); height: calc(28px * var(--gdw-size));
  line-height: calc(26px * var(--gdw-size)); }
.gdwidgets .gdw-pictures { overflow: visible; }
.gdwidgets .gdw-figure { position: relative; overflow: visible; }
.gdwidgets .gdw-figure > .widget-html:has(.gdw-summary) { position: absolute; margin: 0;
  width: 1px; height: 1px; min-height: 0; overflow: hidden; }
.gdw-summary { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); }

/* Of 890 pixels: a transport with more buttons than most, or with a note before its counter. */
@container (min-width: 34.01em) and (max-width: 63.6em) {
  .gdw-transport:is(:has(.gdw-buttons > :nth-child(6)), :has(.gdw-counter small)) {
    flex-wrap: wrap !important;
    & > .widget-html { margin-left: auto; }
    & > .gdw-scrubber { order: 3;
    flex: 1 0 calc(100% - 40px - 168px * var(--gdw-size)) !important;
      margin-left: var(--gdw-knob) !important; }
    & > .widget-dropdown { order: 4; } }
}
/* Of 760 pixels at normal size: an em is the text of the explorer, and grows with it. */
@container (max-width: 54.3em) {
  .gdw-pictures, .gdw-dials, .gdw-head, .gdw-transport { flex-wrap: wrap !important; }
  .gdw-pictures > .gdw-figure:not(:has(.gdw-plane)) {
    min-width: min(calc(360px * var(--gdw-size)), 100%) !important; }
  .gdw-sentence { height: auto; overflow: visible; min-height: calc(72px * var(--gdw-size)); }
  /* Buttons in lines of equal length, none in a line alone. */
  .gdwidgets :is(.gdw-chips, .gdw-fold-row, .gdw-switches) { display: block;
    text-wrap: balance; }
  .gdwidgets :is(.gdw-chips, .gdw-switches) > * { display: inline-block; vertical-align: top;
    margin: 0 6px 8px 0; }
  .gdwidgets .gdw-fold-row > * { display: inline-block; vertical-align: top; }
  .gdw-head { margin-bottom: 0; }
  .gdw-head > .gdw-chips { order: 3; flex: 1 0 100%; }
  .gdw-head > .gdw-tools { margin-left: auto; }
  .gdw-transport > .widget-html { margin-left: auto; }
  .gdw-transport > .gdw-scrubber { order: 3;
    flex: 1 0 calc(100% - 40px - 168px * var(--gdw-size)) !important;
    margin-left: var(--gdw-knob) !important; }
  .gdw-transport > .widget-dropdown { order: 4; }
  .gdwidgets .gdw-fold-row .widget-toggle-button { padding: 0 6px; }
}
/* Of 476 pixels: scrubber, and counter beside speed, have lines of their own. */
@container (max-width: 34em) {
  .gdw-transport > .gdw-scrubber { order: 1; flex: 1 0 calc(100% - 40px * var(--gdw-size))
    !important; margin-left: var(--gdw-knob) !important; }
  .gdw-transport > .widget-html { order: 2; }
}
"""
"""Everything but the figures, whose styles stand with them."""
