/** What mouse, pen and fingers do on the picture, tool by tool. */

import { byId } from "../dom.js";
import { boxBetween, followGestures } from "../gestures.js";
import { t } from "../i18n.js";
import { classColour } from "../palette.js";
import { cornerAt, cornersOf, edgeAt, inserted, moved, removed } from "./corners.js";
import { choose, keepMask } from "./edits.js";
import { MaskGrid } from "./mask_grid.js";
import { addPoint, discard, dragBox, endBox } from "./prompting.js";
import { chosenOne, maskOf, regionOf, set, state, watch } from "./store.js";

const REACH = 11; // CSS pixels: so near to a corner it is meant
const PAINTING = ["brush", "eraser"];

/** Take a tool into the hand. */
export function chooseTool(tool) {
  const button = document.querySelector(`button[data-tool="${tool}"]`);
  if (!button || button.disabled) return;
  discard();
  set({ tool, corners: null });
}

/** Make brush and eraser larger or smaller. */
export function resizeBrush(factor) {
  set({ radius: Math.min(Math.max(state.radius * factor, 2), 150) });
}

/** Let the tools work on a view. */
export function followTools(view) {
  const { canvas } = view;
  const stage = canvas.parentElement;
  let before = null; // corners as they were before a drag
  let last = null; // where the brush was

  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", () => {
    if (state.tool === "look") view.fit();
    else if (state.corners?.isOpen) closeCorners(view);
  });

  followGestures(view, {
    click(point, event) {
      const away = event.shiftKey || event.altKey || event.button === 2;
      if (state.tool === "click") view.holds(point) && addPoint(point, away ? 0 : 1);
      else if (state.tool === "corners") clickCorner(point, away);
      else if (event.button === 0) choose(view.regionAt(point)?.id ?? null, event.shiftKey || event.ctrlKey || event.metaKey);
    },
    longPress() {
      if (state.tool === "click") return (point) => view.holds(point) && addPoint(point, 0);
      if (state.tool === "corners") return (point) => clickCorner(point, true);
      return null;
    },
    hover(point, event) {
      view.pointer = event.pointerType === "touch" ? null : point;
      if (state.tool === "corners") {
        view.hot = state.corners && cornerAt(state.corners.loops, point, reach());
        stage.dataset.over = view.hot ? "region" : "";
        view.draw();
        return;
      }
      if (PAINTING.includes(state.tool)) return void view.draw();
      const region = view.regionAt(point);
      const over = region && state.tool === "look" ? "region" : "";
      if (stage.dataset.over !== over) stage.dataset.over = over;
      if (event.pointerType !== "touch") set({ lit: region?.id ?? null });
    },
    left() {
      view.pointer = null;
      set({ lit: null });
      view.draw();
    },
    grabs(place, event) {
      if (event.button !== 0) return null;
      if (PAINTING.includes(state.tool)) return beginStroke() ? "stroke" : null;
      if (state.tool !== "corners" || !state.corners || event.shiftKey || event.altKey) return null;
      view.hot = cornerAt(state.corners.loops, view.transform.toPicture(...place), reach());
      if (!view.hot || (state.corners.isOpen && view.hot.corner === 0)) return null;
      before = state.corners;
      return "corner";
    },
    dragKind: (event) => (state.tool === "box" && event.buttons !== 2 ? "box" : "pan"),
    drag(kind, from, to, event) {
      if (kind === "box") dragBox(boxBetween(from, to, view.picture));
      else if (kind === "stroke") stroke(to, event);
      else moveCorner(to);
    },
    drop(kind, from, to) {
      if (kind === "box") endBox(to && boxBetween(from, to, view.picture));
      else if (kind === "stroke") endStroke(to !== null);
      else endCorner(to !== null);
    },
  });

  // brush and eraser

  function beginStroke() {
    const region = chosenOne();
    if (state.tool === "eraser" && !region) return false;
    const mask = region && maskOf(region);
    const { width, height } = view.picture;
    const grid = mask ? MaskGrid.of(mask) : new MaskGrid(width, height);
    last = null;
    view.beginPainting(region?.id ?? null, grid, classColour(region?.class_number ?? state.activeClass));
    return true;
  }

  function stroke(point, event) {
    if (!view.painting) return;
    const value = state.tool === "brush" && !event?.altKey ? 1 : 0;
    const radius = state.radius / view.transform.scale;
    view.pointer = point;
    view.painted(view.painting.grid.stroke(last ?? point, point, radius, value));
    last = point;
  }

  function endStroke(kept) {
    const { painting } = view;
    if (!painting) return;
    const region = painting.region === null ? null : (regionOf(painting.region) ?? null);
    if (kept) keepMask(region, painting.grid.toMask());
    view.endPainting();
  }

  // corners

  function reach() {
    return REACH / view.transform.scale;
  }

  function clickCorner(point, away) {
    const { corners } = state;
    if (!corners) {
      if (view.holds(point)) set({ corners: { region: null, loops: [[point]], isOpen: true } });
      return;
    }
    const hit = cornerAt(corners.loops, point, reach());
    if (corners.isOpen) {
      if (hit?.corner === 0 && corners.loops[0].length > 2) return void closeCorners(view);
      const rest = away ? corners.loops[0].slice(0, -1) : [...corners.loops[0], point];
      set({ corners: rest.length ? { ...corners, loops: [rest] } : null });
    } else if (hit && away) {
      keepCorners(removed(corners.loops, hit));
    } else if (!hit) {
      const edge = edgeAt(corners.loops, point, reach());
      if (edge) keepCorners(inserted(corners.loops, edge, point));
      else choose(view.regionAt(point)?.id ?? null);
    }
  }

  function moveCorner(point) {
    const loops = moved(state.corners.loops, view.hot, point);
    set({ corners: { ...state.corners, loops } });
    if (state.corners.isOpen) return;
    const region = regionOf(state.corners.region);
    if (!view.painting) view.beginPainting(region.id, new MaskGrid(view.picture.width, view.picture.height), classColour(region.class_number));
    const { grid } = view.painting;
    const old = [grid.x0, grid.y0, grid.x1, grid.y1];
    grid.fill(loops);
    view.painted(old);
    view.painted([grid.x0, grid.y0, grid.x1, grid.y1]);
  }

  function endCorner(kept) {
    view.endPainting();
    if (!kept) set({ corners: before });
    else if (!state.corners.isOpen && state.corners !== before) keepCorners(state.corners.loops);
    before = null;
  }

  function keepCorners(loops) {
    const region = regionOf(state.corners.region);
    const grid = new MaskGrid(view.picture.width, view.picture.height);
    grid.fill(loops);
    const id = keepMask(region, grid.toMask());
    if (id) set({ corners: { region: id, loops, isOpen: false } });
  }

  // The corners of the region that is chosen, as soon as the tool is.
  watch(["tool", "chosen", "corners", "picture"], () => {
    if (state.tool !== "corners" || state.corners) return;
    const region = chosenOne();
    const mask = region && maskOf(region);
    if (!mask?.area) return;
    view.hot = null;
    set({ corners: { region: region.id, loops: cornersOf(mask, Math.max(1, 2.2 / view.transform.scale)), isOpen: false } });
  });
  watch(["tool", "chosen", "language", "corners"], () => {
    for (const button of document.querySelectorAll("button[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === state.tool));
    }
    stage.dataset.tool = state.tool;
    const hint = hintOf();
    byId("hint").hidden = !hint;
    if (hint) byId("hint").textContent = t(hint);
  });
}

function hintOf() {
  const one = chosenOne();
  if (state.tool === "click") return one ? "review.hintRefine" : "hintClick";
  if (state.tool === "box") return one ? "review.hintBoxRefine" : "hintBox";
  if (state.tool === "brush") return one ? "review.hintBrush" : "review.hintBrushNew";
  if (state.tool === "eraser") return one ? "review.hintEraser" : "review.hintChooseFirst";
  if (state.tool === "corners") return state.corners?.isOpen ? "review.hintCornersOpen" : one ? "review.hintCorners" : "review.hintCornersNew";
  return null;
}

/** Close the polygon that is being drawn: it becomes a region. */
export function closeCorners(view) {
  const { corners } = state;
  if (!corners?.isOpen || corners.loops[0].length < 3) return;
  const grid = new MaskGrid(view.picture.width, view.picture.height);
  grid.fill(corners.loops);
  set({ corners: null });
  const id = keepMask(null, grid.toMask());
  if (id) set({ corners: { region: id, loops: corners.loops, isOpen: false } });
}

/** Remove the corner under the pointer; false where there is none. */
export function removeHotCorner(view) {
  const { corners } = state;
  if (state.tool !== "corners" || !corners || corners.isOpen || !view.hot) return false;
  const region = regionOf(corners.region);
  const loops = removed(corners.loops, view.hot);
  const grid = new MaskGrid(view.picture.width, view.picture.height);
  grid.fill(loops);
  view.hot = null;
  const id = keepMask(region, grid.toMask());
  if (id) set({ corners: { region: id, loops, isOpen: false } });
  return true;
}
