/** The keyboard of the review page. */

import { keyOfClass } from "./class_panel.js";
import { choose, deleteChosen, redo, relabel, undo } from "./edits.js";
import { showHelp } from "./bar.js";
import { discard, keepDraft, snap, takeBack } from "./prompting.js";
import { decide, go } from "./queue.js";
import { beginRegion, hideChosen, showOnlyChosen, stepRegion } from "./region_panel.js";
import { set, state } from "./store.js";
import { chooseTool, closeCorners, removeHotCorner, resizeBrush } from "./tools.js";

/** Listen to the keyboard. */
export function followKeys(view) {
  const keys = {
    ArrowRight: () => go(1),
    ArrowLeft: () => go(-1),
    a: () => decide("accept"),
    x: () => decide("reject"),
    t: () => decide("reopen"),
    n: (event) => stepRegion(event.shiftKey ? -1 : 1),
    c: () => beginRegion(chooseTool),
    v: () => chooseTool("look"),
    p: () => chooseTool("click"),
    b: () => chooseTool("box"),
    r: () => chooseTool("brush"),
    e: () => chooseTool("eraser"),
    g: () => chooseTool("corners"),
    s: snap,
    h: hideChosen,
    i: showOnlyChosen,
    f: () => view.fit(),
    "+": () => view.zoom(1.25),
    "=": () => view.zoom(1.25),
    "-": () => view.zoom(0.8),
    "[": () => resizeBrush(0.8),
    "]": () => resizeBrush(1.25),
    "?": showHelp,
    Delete: () => removeHotCorner(view) || deleteChosen(),
    Backspace: () => (state.draft ? takeBack() : removeHotCorner(view) || deleteChosen()),
    Escape: escape,
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    const { target } = event;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return;
    if ((event.ctrlKey || event.metaKey) && /^[zy]$/i.test(event.key)) {
      event.preventDefault();
      step(event.key.toLowerCase() === "y" || event.shiftKey);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onButton = target.closest?.("button, summary, a");
    if (event.key === "Enter" && !onButton) {
      event.preventDefault();
      if (state.draft) keepDraft();
      else closeCorners(view);
      return;
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (/^[0-9]$/.test(key)) chooseClass(key);
    else if (key in keys) keys[key](event);
    else return;
    event.preventDefault();
  });
}

function chooseClass(key) {
  const number = state.overview.classes.findIndex((_, at) => keyOfClass(at) === key);
  if (number >= 0) relabel(number);
}

function step(forward) {
  if (state.draft && !forward) takeBack();
  else if (forward) redo();
  else undo();
}

/** Escape leaves the innermost thing that is open. */
function escape() {
  if (state.draft) discard();
  else if (state.corners?.isOpen) set({ corners: null });
  else if (state.tool !== "look") chooseTool("look");
  else if (state.only !== null) set({ only: null });
  else if (state.chosen.size) choose(null);
}
