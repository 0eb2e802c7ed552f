/** Mouse, pen and fingers on the canvas: choose, point, draw boxes, move the divider. */

import { addExemplar, addPoint, dragBox, endBox } from "./draft.js";
import { boxBetween, followGestures } from "./gestures.js";
import { choose } from "./selection.js";
import { set, state } from "./store.js";

/** Let a viewer follow pointers. */
export function followPointers(viewer) {
  const { canvas } = viewer;
  const stage = canvas.parentElement;
  canvas.addEventListener("contextmenu", (event) => {
    if (state.tool !== "look") event.preventDefault();
  });
  canvas.addEventListener("dblclick", () => state.tool === "look" && viewer.fit());

  followGestures(viewer, {
    click(point, event) {
      if (state.tool === "click") {
        const away = event.shiftKey || event.altKey || event.button === 2;
        if (viewer.holds(point)) addPoint(point, away ? 0 : 1);
      } else if (event.button === 0) {
        choose(viewer.regionAt(point)?.id ?? null, event.shiftKey || event.ctrlKey || event.metaKey);
      }
    },
    longPress: () => (state.tool === "click" ? (point) => viewer.holds(point) && addPoint(point, 0) : null),
    hover(point, event) {
      const region = viewer.regionAt(point);
      const over = region && state.tool === "look" ? "region" : "";
      if (stage.dataset.over !== over) stage.dataset.over = over;
      if (event.pointerType === "touch") return;
      const same = region ? state.lit.size === 1 && state.lit.has(region.id) : state.lit.size === 0;
      if (!same) set({ lit: new Set(region ? [region.id] : []) });
    },
    left: () => set({ lit: new Set() }),
    grabs: (place) => (onDivider(place) ? "divide" : null),
    dragKind: (event) => (["box", "like", "unlike"].includes(state.tool) && event.buttons !== 2 ? "box" : "pan"),
    drag(kind, from, to) {
      if (kind === "box") dragBox(boxBetween(from, to, viewer.picture));
      else divide(to);
    },
    drop(kind, from, to, event) {
      if (kind !== "box") return;
      const box = to && boxBetween(from, to, viewer.picture);
      if (state.tool === "box") endBox(box);
      else addExemplar(box, state.tool === "like" && !event?.shiftKey);
    },
  });

  function onDivider([x, y]) {
    if (!(state.trial ?? viewer.edited) || state.before <= 0 || state.before >= 1) return false;
    const { width, height } = viewer.picture;
    const [line, middle] = viewer.transform.toFrame(width * state.before, height / 2);
    return Math.hypot(x - line, y - middle) < 22;
  }

  function divide([x]) {
    set({ before: Math.min(Math.max(x / viewer.picture.width, 0), 1) });
  }
}
