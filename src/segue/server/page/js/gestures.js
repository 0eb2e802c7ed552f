/** Mouse, pen and fingers on a canvas as gestures: click, long press, drag, pan, pinch, wheel. */

const SLOP = 5; // a click may tremble by so many pixels
const LONG_PRESS_MS = 500;

/**
 * Let a view follow pointers. Points are pixels of the picture, places CSS pixels of the canvas.
 *
 * `handlers`, all of them needed:
 * - `click(point, event)`, `hover(point, event)`, `left()`;
 * - `longPress()` gives what a long press does, a function of its point, or null where nothing;
 * - `grabs(place, event)` gives the name of a drag that begins with the press, or null;
 * - `dragKind(event)` gives the name of the drag that begins with a movement, or "pan";
 * - `drag(kind, from, to, event)`, and `drop(kind, from, to, event)` at its end, with `to` null
 *   where it was given up.
 */
export function followGestures(view, handlers) {
  const { canvas } = view;
  const gesture = new Gesture(view, handlers);
  canvas.addEventListener("pointerdown", (event) => gesture.down(event));
  canvas.addEventListener("pointermove", (event) => gesture.move(event));
  canvas.addEventListener("pointerup", (event) => gesture.up(event));
  canvas.addEventListener("pointercancel", (event) => gesture.cancel(event));
  canvas.addEventListener("pointerleave", () => gesture.leave());
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
      const speed = event.ctrlKey ? 0.01 : 0.002; // a pinch on a touch pad comes with ctrl
      view.zoom(Math.exp(-event.deltaY * lines * speed), event.offsetX, event.offsetY);
    },
    { passive: false },
  );
}

/** The box between two points, within a picture. */
export function boxBetween([xa, ya], [xb, yb], { width, height }) {
  const within = (value, most) => Math.min(Math.max(value, 0), most);
  return [
    within(Math.min(xa, xb), width),
    within(Math.min(ya, yb), height),
    within(Math.max(xa, xb), width),
    within(Math.max(ya, yb), height),
  ];
}

class Gesture {
  #pointers = new Map();
  #mode = null; // "wait" (click or drag?), "pan", "drag", "pinch", "spent"
  #kind = null; // of the drag
  #start = [0, 0];
  #timer = 0;

  constructor(view, handlers) {
    this.view = view;
    this.handlers = handlers;
    this.stage = view.canvas.parentElement;
  }

  down(event) {
    if (!this.view.picture) return;
    try {
      this.view.canvas.setPointerCapture(event.pointerId);
    } catch {
      /* the pointer is gone already */
    }
    const place = [event.offsetX, event.offsetY];
    this.#pointers.set(event.pointerId, place);
    if (this.#pointers.size === 2) return this.#begin("pinch");
    if (this.#pointers.size > 2) return undefined;
    this.#start = place;
    if (event.button === 1) {
      event.preventDefault();
      return this.#begin("pan");
    }
    const kind = this.handlers.grabs(place, event);
    if (kind) {
      this.#begin("drag", kind);
      return this.#drag(place, event);
    }
    this.#begin("wait");
    if (event.pointerType !== "mouse" && this.handlers.longPress()) {
      this.#timer = setTimeout(() => this.#longPress(place), LONG_PRESS_MS);
    }
    return undefined;
  }

  move(event) {
    const place = [event.offsetX, event.offsetY];
    const before = this.#pointers.get(event.pointerId);
    if (!before) return this.handlers.hover(this.#point(place), event);
    const distance = Math.hypot(place[0] - this.#start[0], place[1] - this.#start[1]);
    if (this.#mode === "pinch") this.#pinch(event.pointerId, place);
    this.#pointers.set(event.pointerId, place);
    if (this.#mode === "wait" && distance > SLOP) {
      const kind = this.handlers.dragKind(event);
      if (kind === "pan") this.#begin("pan");
      else this.#begin("drag", kind);
      this.view.pan(0, 0);
    }
    if (this.#mode === "pan") this.view.pan(place[0] - before[0], place[1] - before[1]);
    if (this.#mode === "drag") this.#drag(place, event);
    return undefined;
  }

  up(event) {
    const place = [event.offsetX, event.offsetY];
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#mode === "wait") this.handlers.click(this.#point(place), event);
    if (this.#mode === "drag") this.#drop(this.#point(place), event);
    if (this.#pointers.size === 0) this.#begin(null);
    else this.#mode = "spent"; // one finger of a pinch is still down
  }

  cancel(event) {
    this.#pointers.delete(event.pointerId);
    if (this.#mode === "drag") this.#drop(null, event);
    if (this.#pointers.size === 0) this.#begin(null);
  }

  leave() {
    if (this.#pointers.size === 0) this.handlers.left();
    delete this.stage.dataset.over;
  }

  #begin(mode, kind = null) {
    clearTimeout(this.#timer);
    if (this.#mode === "drag" && mode === "pinch") this.#drop(null, null);
    this.#mode = mode;
    this.#kind = kind;
    this.stage.toggleAttribute("data-moving", mode === "pan" || mode === "pinch");
  }

  #point(place) {
    return this.view.transform.toPicture(...place);
  }

  #drag(place, event) {
    this.handlers.drag(this.#kind, this.#point(this.#start), this.#point(place), event);
  }

  #drop(to, event) {
    this.handlers.drop(this.#kind, this.#point(this.#start), to, event);
  }

  #longPress(place) {
    if (this.#mode !== "wait") return;
    this.#begin("spent");
    this.handlers.longPress()?.(this.#point(place));
  }

  #pinch(id, place) {
    const [other] = [...this.#pointers].filter(([key]) => key !== id).map(([, value]) => value);
    const before = this.#pointers.get(id);
    if (!other) return;
    const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    const apart = (a, b) => Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 1);
    const [from, to] = [middle(before, other), middle(place, other)];
    this.view.pan(to[0] - from[0], to[1] - from[1]);
    this.view.zoom(apart(place, other) / apart(before, other), ...to);
  }
}
