// The page side of segue.notebook.widget: shows the picture, and sends clicks and boxes to Python.

const DRAG_PX = 6; // what moves less is a click
const SVG = "http://www.w3.org/2000/svg";

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** A JPEG as an address; more notebooks allow pictures from data: than from blob: addresses. */
function dataUrl(bytes) {
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = "";
  for (let at = 0; at < view.length; at += 32768) {
    text += String.fromCharCode(...view.subarray(at, at + 32768));
  }
  return `data:image/jpeg;base64,${btoa(text)}`;
}

function render({ model, el }) {
  let adds = true; // whether a plain click is on the object
  let start = null; // where a drag began, in pixels of the picture

  const image = element("img", { alt: "picture with its masks", draggable: false });
  const marks = document.createElementNS(SVG, "svg");
  const stage = element("div", { className: "segue-stage" }, image, marks);
  const on = element("button", { type: "button", textContent: "+ on the object" });
  const off = element("button", { type: "button", textContent: "− not on it", title: "or Shift+click" });
  const undo = element("button", { type: "button", textContent: "Undo", title: "Ctrl+Z" });
  const drop = element("button", { type: "button", textContent: "Delete" });
  const name = element("input", { placeholder: "name", ariaLabel: "name of the object" });
  const keep = element("button", { type: "button", textContent: "Keep, next object", title: "Enter" });
  const tools = element("div", { className: "segue-bar" }, on, off, undo, drop, name, keep);
  const chips = element("div", { className: "segue-bar" });
  const error = element("div", { className: "segue-error" });
  error.setAttribute("role", "status");
  const root = element("div", { className: "segue-clicks", tabIndex: 0 }, tools, stage, chips, error);
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's single-letter commands stay out
  el.append(root);

  const state = () => model.get("_state");

  function send(message) {
    root.dataset.busy = "";
    model.send(message);
  }

  /** Where an event is, in pixels of the original picture, within it. */
  function place(event) {
    const [width, height] = state().size;
    const box = image.getBoundingClientRect();
    const within = (value, limit) => Math.min(Math.max(value, 0), limit);
    return [
      within(((event.clientX - box.left) / box.width) * width, width - 0.01),
      within(((event.clientY - box.top) / box.height) * height, height - 0.01),
    ];
  }

  function isDrag([x, y]) {
    const scale = image.getBoundingClientRect().width / state().size[0];
    return Math.hypot(x - start[0], y - start[1]) * scale > DRAG_PX;
  }

  function drawMarks(dragged) {
    const { size: [width, height], clicks, box } = state();
    const unit = width / (image.getBoundingClientRect().width || width);
    const drawn = dragged ?? box;
    marks.setAttribute("viewBox", `0 0 ${width} ${height}`);
    marks.replaceChildren();
    if (drawn) {
      const [x0, y0, x1, y1] = drawn;
      marks.append(shape("rect", {
        x: Math.min(x0, x1), y: Math.min(y0, y1), width: Math.abs(x1 - x0), height: Math.abs(y1 - y0),
        fill: "none", stroke: "#1f57b8", "stroke-width": 2 * unit, "stroke-dasharray": 6 * unit,
      }));
    }
    for (const [x, y, label] of clicks) {
      marks.append(shape("circle", {
        cx: x, cy: y, r: 5 * unit, fill: label ? "#1b8a3a" : "#c62828", stroke: "#fff", "stroke-width": 2 * unit,
      }));
    }
  }

  function showState() {
    const { regions, can_undo: canUndo, error: message } = state();
    const current = regions.find((one) => one.is_draft) ?? regions.find((one) => one.is_selected);
    delete root.dataset.busy;
    on.setAttribute("aria-pressed", adds);
    off.setAttribute("aria-pressed", !adds);
    undo.disabled = !canUndo;
    keep.disabled = !regions.some((one) => one.is_draft);
    drop.disabled = name.disabled = !current;
    if (root.getRootNode().activeElement !== name || !current) name.value = current?.phrase ?? "";
    chips.replaceChildren(...regions.filter((one) => !one.is_draft).map((one) => {
      const chip = element("button", { type: "button", textContent: `${one.id} ${one.phrase}`.trim() });
      chip.setAttribute("aria-pressed", one.is_selected);
      chip.addEventListener("click", () => send({ kind: "select", id: one.is_selected ? null : one.id }));
      return chip;
    }));
    error.textContent = message;
    drawMarks();
  }

  function showPicture() {
    image.src = dataUrl(model.get("_picture"));
  }

  function chooseLabel(value) {
    adds = value;
    showState();
  }

  /** The name that is being typed goes first, so that it is kept with its object. */
  function sendName() {
    if (!name.disabled) send({ kind: "name", phrase: name.value });
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    start = place(event);
    stage.setPointerCapture(event.pointerId);
    root.focus({ preventScroll: true });
    event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => {
    if (start && isDrag(place(event))) drawMarks([...start, ...place(event)]);
  });
  stage.addEventListener("pointerup", (event) => {
    if (!start) return;
    const end = place(event);
    const [x, y] = start;
    if (isDrag(end)) send({ kind: "box", box: [x, y, ...end] });
    else send({ kind: "click", x, y, label: adds !== event.shiftKey ? 1 : 0 });
    start = null;
  });
  stage.addEventListener("pointercancel", () => {
    start = null;
    drawMarks();
  });
  on.addEventListener("click", () => chooseLabel(true));
  off.addEventListener("click", () => chooseLabel(false));
  undo.addEventListener("click", () => send({ kind: "undo" }));
  drop.addEventListener("click", () => send({ kind: "delete" }));
  name.addEventListener("change", sendName);
  keep.addEventListener("click", () => send({ kind: "keep" }));
  root.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" && event.target.localName !== "button") {
      if (event.target === name) sendName();
      name.blur();
      root.focus({ preventScroll: true });
      send({ kind: "keep" });
    } else if (event.key === "Escape") {
      send({ kind: "discard" });
    } else if (event.key === "z" && (event.ctrlKey || event.metaKey) && event.target !== name) {
      send({ kind: "undo" });
    } else {
      return;
    }
    event.preventDefault();
  });
  image.addEventListener("load", () => drawMarks());

  model.on("change:_state", showState);
  model.on("change:_picture", showPicture);
  showPicture();
  showState();
  return () => {
    model.off("change:_state", showState);
    model.off("change:_picture", showPicture);
  };
}

export default { render };
