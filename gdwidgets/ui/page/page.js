// Keys, held sliders, names for screen readers, visibility, downloads and copies of one explorer.

const KEYS = {
  ArrowRight: "forward", PageDown: "forward", ArrowLeft: "back", PageUp: "back",
  Home: "reset", End: "finish", " ": "toggle", "]": "next", "[": "previous",
};
const TYPING = "input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable=true]";
// A slider's handle, in ipywidgets 8 and 7.
const HANDLE = ":is(.noUi-handle, .ui-slider-handle)";
const SLIDER = ".widget-slider, .ui-slider";
const ACTED_ON = "button, summary, a[href], input[type=checkbox]";

function takesText(target) {
  return target instanceof Element && target.closest(TYPING) !== null;
}

// What Tab has moved the focus to. Space presses a button that was reached so, as everywhere in
// the page; on one that was clicked before, Space plays and pauses, as the presenter expects.
let tabbing = false;
let tabbed = null;

function press(model, root, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || takesText(event.target)) return;
  const action = KEYS[event.key];
  if (!action) return;
  const handle = event.target.closest && event.target.closest(HANDLE);
  // A slider of a setting keeps its arrows; the step's own slider does not need them.
  if (handle && !handle.closest(".gdw-scrubber") && event.key.startsWith("Arrow")) return;
  if (event.key === " " && event.target === tabbed && tabbed.matches(ACTED_ON)) return;
  event.preventDefault();
  event.stopPropagation();
  model.send({ key: action });
}

function name(element, label) {
  if (element && label && element.getAttribute("aria-label") !== label) {
    element.setAttribute("aria-label", label);
  }
}

function say(element, text) {
  if (element && text && element.getAttribute("aria-valuetext") !== text) {
    element.setAttribute("aria-valuetext", text);
  }
}

// A logarithmic slider's own numbers are exponents; what is heard is the number itself.
function sayPower(handle) {
  const exponent = handle.getAttribute("aria-valuenow");
  if (!handle.closest(".gdw-log") || exponent === null) return;
  if (Math.abs(handle.getAttribute("aria-valuetext") - exponent) < 1e-9) {
    say(handle, String(Number((10 ** exponent).toPrecision(3))));
  }
}

function nameAll(root) {
  for (const caption of root.querySelectorAll(".gdw-caption, .gdw-limits em")) {
    const box = caption.closest(".gdw-track")?.parentElement || caption.closest(".widget-vbox");
    if (!box) continue;
    const label = caption.textContent.trim();
    for (const field of box.querySelectorAll(`input, select, ${HANDLE}`)) name(field, label);
    const handle = box.querySelector(HANDLE);
    // A number that is being typed is not the slider's.
    const number = box.querySelector("input:not(:focus)");
    if (number && handle) say(handle, number.value);
  }
  for (const handle of root.querySelectorAll(`[class*=gdw-handle-] ${HANDLE}`)) {
    const lane = Number(/gdw-handle-(\d+)/.exec(handle.closest("[class*=gdw-handle-]").className)[1]);
    name(handle, `learning rate, lane ${lane + 1}`);
    const number = root.querySelector(`.gdw-lane-${lane} input:not(:focus)`);
    if (number) say(handle, number.value);
  }
  const counter = root.querySelector(".gdw-counter");
  for (const handle of root.querySelectorAll(`.gdw-scrubber ${HANDLE}`)) {
    name(handle, "step");
    if (counter && !counter.querySelector("progress")) say(handle, counter.textContent.trim());
  }
  for (const field of root.querySelectorAll(`input, select, ${HANDLE}, button`)) {
    // The text of a list is its entries, not its name.
    const text = field.tagName === "SELECT" ? "" : field.textContent.trim();
    if (field.hasAttribute("aria-label") || text) continue;
    const titled = field.closest("[title]");
    name(field, field.title || (titled && titled.title) || field.getAttribute("placeholder"));
  }
  for (const toggle of root.querySelectorAll("button.widget-toggle-button")) {
    const pressed = String(toggle.classList.contains("mod-active"));
    if (toggle.getAttribute("aria-pressed") !== pressed) toggle.setAttribute("aria-pressed", pressed);
  }
  for (const figure of root.querySelectorAll(".gdw-figure")) {
    const said = figure.querySelector(".gdw-summary");
    const svg = figure.querySelector(".bqplot > svg");
    if (!svg) continue;
    if (svg.getAttribute("role") !== "img") svg.setAttribute("role", "img");
    name(svg, said ? said.textContent.trim() : "figure");
  }
}

function save(content, buffers) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([buffers[0]], { type: content.kind }));
  link.download = content.save;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

async function copy(text, root) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page without https has no clipboard of its own; selected text can be copied everywhere.
    const area = document.createElement("textarea");
    area.value = text;
    (root || document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

// A page knows the explorers of the kernel that it does not show: those of a cell that was run
// again before there was anything to see, those of an unsaved notebook that was reloaded.
function counter() {
  let views = 0;
  let closed = false;
  const tell = (model) => {
    if (closed || model.get("shown") === views > 0) return;
    model.set("shown", views > 0);
    model.save_changes();
  };
  return {
    initialize({ model }) {
      tell(model);
      // A closed widget's views go after it, when there is nobody left to tell.
      for (const end of ["comm:close", "destroy"]) model.on(end, () => { closed = true; });
      // Of several pages with the same kernel, one that shows the explorer is right.
      const correct = () => { if (views > 0) tell(model); };
      model.on("change:shown", correct);
      return () => model.off("change:shown", correct);
    },
    render({ model, el }) {
      views += 1;
      tell(model);
      const end = render({ model, el });
      return () => {
        views -= 1;
        tell(model);
        end();
      };
    },
  };
}

function render({ model, el }) {
  let root = null;
  let naming = 0;
  let telling = 0;
  const region = document.createElement("div");
  const told = () => {
    clearTimeout(telling);
    telling = setTimeout(() => { region.textContent = model.get("said"); }, 300);
  };
  const stop = new AbortController();
  const later = () => {
    if (!naming) naming = setTimeout(() => { naming = 0; if (root) nameAll(root); }, 250);
  };
  const changes = new MutationObserver((records) => {
    for (const { attributeName, target } of records) {
      if (attributeName === "aria-valuetext") sayPower(target);
    }
    later();
  });
  const seen = new IntersectionObserver((entries) => {
    const visible = entries[entries.length - 1].isIntersecting;
    if (model.get("visible") !== visible) { model.set("visible", visible); model.save_changes(); }
  });
  const hold = (held) => {
    if (model.get("held") !== held) { model.set("held", held); model.save_changes(); }
  };
  const holdSlider = ({ target }) => {
    if (target instanceof Element && target.closest(SLIDER)) hold(true);
  };
  const begin = () => {
    root = el.closest(".gdwidgets");
    if (!root) return false;
    root.tabIndex = 0;
    root.setAttribute("role", "group");
    // JupyterLab's one-key shortcuts rest here (it looks at the document, before this root does);
    // those with Ctrl, Cmd or Alt, such as saving, stay its own.
    window.addEventListener("keydown", (event) => {
      const withModifier = event.ctrlKey || event.metaKey || event.altKey;
      root.toggleAttribute("data-lm-suppress-shortcuts", !withModifier);
      tabbing = event.key === "Tab";
    }, { capture: true, signal: stop.signal });
    // At once, not a moment later: a busy page takes the next key before that moment comes.
    window.addEventListener("focusin", (event) => {
      if (tabbing) tabbed = event.target;
      tabbing = false;
    }, { capture: true, signal: stop.signal });
    name(root, model.get("name"));
    root.addEventListener("keydown", (event) => press(model, root, event),
      { capture: true, signal: stop.signal });
    // Of the end of a hand's way on a slider ipywidgets tells nothing.
    for (const kind of ["pointerdown", "keydown"]) {
      root.addEventListener(kind, holdSlider, { capture: true, signal: stop.signal });
    }
    for (const kind of ["pointerup", "pointercancel", "keyup"]) {
      window.addEventListener(kind, () => hold(false), { capture: true, signal: stop.signal });
    }
    window.addEventListener("blur", () => hold(false), { signal: stop.signal });
    // What was being typed is the slider's number from now on.
    root.addEventListener("focusout", later, { signal: stop.signal });
    changes.observe(root, { childList: true, subtree: true, attributes: true,
      attributeFilter: ["class", "title", "aria-valuetext"] });
    seen.observe(root);
    nameAll(root);
    // A live region is heard only when it stood there before its text, so it is never replaced.
    region.className = "gdw-summary";
    region.setAttribute("role", "status");
    region.setAttribute("aria-live", "polite");
    root.append(region);
    model.set("loaded", true);
    model.save_changes();
    return true;
  };
  // The widget's element is put into the page only after it was made.
  const waiting = setInterval(() => { if (begin()) clearInterval(waiting); }, 50);
  const received = (content, buffers) => {
    if (content.save) save(content, buffers);
    if (content.copy) copy(content.copy, root);
  };
  model.on("msg:custom", received);
  model.on("change:said", told);
  return () => {
    clearInterval(waiting);
    clearTimeout(naming);
    clearTimeout(telling);
    region.remove();
    model.off("change:said", told);
    stop.abort();
    changes.disconnect();
    seen.disconnect();
    model.off("msg:custom", received);
  };
}

export default counter;
