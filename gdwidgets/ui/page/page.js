// Keys, names for screen readers, visibility and downloads of one explorer.

const KEYS = {
  ArrowRight: "forward", PageDown: "forward", ArrowLeft: "back", PageUp: "back",
  Home: "reset", End: "finish", " ": "toggle", "]": "next", "[": "previous",
};
const TYPING = "input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable=true]";

function takesText(target) {
  return target instanceof Element && target.closest(TYPING) !== null;
}

function press(model, root, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || takesText(event.target)) return;
  const action = KEYS[event.key];
  if (!action) return;
  const handle = event.target.closest && event.target.closest(".noUi-handle");
  // A slider of a setting keeps its arrows; the step's own slider does not need them.
  if (handle && !handle.closest(".gdw-scrubber") && event.key.startsWith("Arrow")) return;
  // Space on a button presses the button, and Enter always does.
  if (event.key === " " && event.target.closest && event.target.closest("button, summary")) return;
  event.preventDefault();
  event.stopPropagation();
  model.send({ key: action });
}

function name(element, label) {
  if (element && label && element.getAttribute("aria-label") !== label) {
    element.setAttribute("aria-label", label);
  }
}

function nameAll(root) {
  for (const caption of root.querySelectorAll(".gdw-caption, .gdw-limits em")) {
    const box = caption.closest(".gdw-track")?.parentElement || caption.closest(".widget-vbox");
    if (!box) continue;
    const label = caption.textContent.trim();
    for (const field of box.querySelectorAll("input, select, .noUi-handle")) name(field, label);
    const number = box.querySelector("input");
    const handle = box.querySelector(".noUi-handle");
    if (number && handle && handle.getAttribute("aria-valuetext") !== number.value) {
      handle.setAttribute("aria-valuetext", number.value);
    }
  }
  for (const field of root.querySelectorAll("input, select, .noUi-handle, button")) {
    if (field.hasAttribute("aria-label") || field.textContent.trim()) continue;
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

function render({ model, el }) {
  let root = null;
  let naming = 0;
  const stop = new AbortController();
  const later = () => {
    if (!naming) naming = setTimeout(() => { naming = 0; if (root) nameAll(root); }, 250);
  };
  const changes = new MutationObserver(later);
  const seen = new IntersectionObserver((entries) => {
    const visible = entries[entries.length - 1].isIntersecting;
    if (model.get("visible") !== visible) { model.set("visible", visible); model.save_changes(); }
  });
  const begin = () => {
    root = el.closest(".gdwidgets");
    if (!root) return false;
    root.tabIndex = 0;
    root.setAttribute("role", "group");
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    name(root, model.get("name"));
    root.addEventListener("keydown", (event) => press(model, root, event),
      { capture: true, signal: stop.signal });
    changes.observe(root, { childList: true, subtree: true, attributes: true,
      attributeFilter: ["class", "title"] });
    seen.observe(root);
    nameAll(root);
    model.set("loaded", true);
    model.save_changes();
    return true;
  };
  // The widget's element is put into the page only after it was made.
  const waiting = setInterval(() => { if (begin()) clearInterval(waiting); }, 50);
  const received = (content, buffers) => { if (content.save) save(content, buffers); };
  model.on("msg:custom", received);
  return () => {
    clearInterval(waiting);
    clearTimeout(naming);
    stop.abort();
    changes.disconnect();
    seen.disconnect();
    model.off("msg:custom", received);
  };
}

export default { render };
