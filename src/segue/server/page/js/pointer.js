/** Mouse, pen and fingers on the canvas: pan, zoom, choose, point, draw boxes. */

import { addPoint, dragBox, endBox } from "./draft.js";
import { choose } from "./selection.js";
import { set, state } from "./store.js";

const SLOP = 5; // a click may tremble by so many pixels
const LONG_PRESS_MS = 500;

/** Let a viewer follow pointers. */
export function followPointers(viewer) {
  const { canvas } = viewer;
  const gesture = new Gesture(viewer);
  canvas.addEventListener("pointerdown", (event) => gesture.down(event));
  canvas.addEventListener("pointermove", (event) => gesture.move(event));
  canvas.addEventListener("pointerup", (event) => gesture.up(event));
  canvas.addEventListener("pointercancel", (event) => gesture.cancel(event));
  canvas.addEventListener("pointerleave", () => gesture.leave());
  canvas.addEventListener("contextmenu", (event) => {
    if (state.tool !== "look") event.preventDefault();
  });
  canvas.addEventListener("dblclick", () => state.tool === "look" && viewer.fit());
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
      const speed = event.ctrlKey ? 0.01 : 0.002; // a pinch on a touch pad comes with ctrl
      viewer.zoom(Math.exp(-event.deltaY * lines * speed), event.offsetX, event.offsetY);
    },
    { passive: false },
  );
}

class Gesture {
  #pointers = new Map();
  #mode = null; // "wait" (click or drag?), "pan", "box", "divide", "pinch", "spent"
  #start = [0, 0];
  #timer = 0;

  constructor(viewer) {
    this.viewer = viewer;
    this.stage = viewer.canvas.parentElement;
  }

  down(event) {
    if (!this.viewer.picture) return;
    try {
      this.viewer.canvas.setPointerCapture(event.pointerId);
    } catch {
      /* the pointer is gone already */
    }
    const place = [event.offsetX, event.offsetY];
    this.#pointers.set(event.pointerId, place);
    if (this.#pointers.size === 2) return this.#begin("pinch");
    if (this.#pointers.size > 2) return undefined;
    this.#start = place;
    if (this.#onDivider(place)) return this.#begin("divide");
    if (event.button === 1) {
      event.preventDefault();
      return this.#begin("pan");
    }
    this.#begin("wait");
    if (event.pointerType !== "mouse" && state.tool === "click") {
      this.#timer = setTimeout(() => this.#longPress(place), LONG_PRESS_MS);
    }
    return undefined;
  }

  move(event) {
    const place = [event.offsetX, event.offsetY];
    const before = this.#pointers.get(event.pointerId);
    if (!before) return this.#hover(place, event);
    const distance = Math.hypot(place[0] - this.#start[0], place[1] - this.#start[1]);
    if (this.#mode === "pinch") this.#pinch(event.pointerId, place);
    this.#pointers.set(event.pointerId, place);
    if (this.#mode === "wait" && distance > SLOP) {
      this.#begin(state.tool === "box" && event.buttons !== 2 ? "box" : "pan");
      this.viewer.pan(0, 0);
    }
    if (this.#mode === "pan") this.viewer.pan(place[0] - before[0], place[1] - before[1]);
    if (this.#mode === "box") dragBox(this.#box(place));
    if (this.#mode === "divide") this.#divide(place);
    return undefined;
  }

  up(event) {
    const place = [event.offsetX, event.offsetY];
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#mode === "wait") this.#click(place, event);
    if (this.#mode === "box") endBox(this.#box(place));
    if (this.#pointers.size === 0) this.#begin(null);
    else this.#mode = "spent"; // one finger of a pinch is still down
  }

  cancel(event) {
    this.#pointers.delete(event.pointerId);
    if (this.#mode === "box") endBox(null);
    if (this.#pointers.size === 0) this.#begin(null);
  }

  leave() {
    if (this.#pointers.size === 0) set({ lit: new Set() });
    delete this.stage.dataset.over;
  }

  #begin(mode) {
    clearTimeout(this.#timer);
    if (this.#mode === "box" && mode === "pinch") endBox(null);
    this.#mode = mode;
    this.stage.toggleAttribute("data-moving", mode === "pan" || mode === "pinch");
  }

  #click(place, event) {
    const point = this.viewer.transform.toPicture(...place);
    if (state.tool === "click") {
      const away = event.shiftKey || event.altKey || event.button === 2;
      if (this.viewer.holds(point)) addPoint(point, away ? 0 : 1);
    } else if (event.button === 0) {
      choose(this.viewer.regionAt(point)?.id ?? null, event.shiftKey || event.ctrlKey || event.metaKey);
    }
  }

  #longPress(place) {
    if (this.#mode !== "wait") return;
    this.#begin("spent");
    const point = this.viewer.transform.toPicture(...place);
    if (this.viewer.holds(point)) addPoint(point, 0);
  }

  #hover(place, event) {
    const region = this.viewer.regionAt(this.viewer.transform.toPicture(...place));
    const over = region && state.tool === "look" ? "region" : "";
    if (this.stage.dataset.over !== over) this.stage.dataset.over = over;
    if (event.pointerType === "touch") return;
    const same = region ? state.lit.size === 1 && state.lit.has(region.id) : state.lit.size === 0;
    if (!same) set({ lit: new Set(region ? [region.id] : []) });
  }

  #box([x, y]) {
    const [x0, y0] = this.viewer.transform.toPicture(...this.#start);
    const [x1, y1] = this.viewer.transform.toPicture(x, y);
    const { width, height } = this.viewer.picture;
    const within = (value, most) => Math.min(Math.max(value, 0), most);
    return [
      within(Math.min(x0, x1), width),
      within(Math.min(y0, y1), height),
      within(Math.max(x0, x1), width),
      within(Math.max(y0, y1), height),
    ];
  }

  #pinch(id, place) {
    const [other] = [...this.#pointers].filter(([key]) => key !== id).map(([, value]) => value);
    const before = this.#pointers.get(id);
    if (!other) return;
    const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    const apart = (a, b) => Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 1);
    const [from, to] = [middle(before, other), middle(place, other)];
    this.viewer.pan(to[0] - from[0], to[1] - from[1]);
    this.viewer.zoom(apart(place, other) / apart(before, other), ...to);
  }

  #onDivider([x, y]) {
    const { viewer } = this;
    if (!(state.trial ?? viewer.edited) || state.before <= 0 || state.before >= 1) return false;
    const { width, height } = viewer.picture;
    const [line, middle] = viewer.transform.toFrame(width * state.before, height / 2);
    return Math.hypot(x - line, y - middle) < 22;
  }

  #divide([x]) {
    const share = this.viewer.transform.toPicture(x, 0)[0] / this.viewer.picture.width;
    set({ before: Math.min(Math.max(share, 0), 1) });
  }
}
