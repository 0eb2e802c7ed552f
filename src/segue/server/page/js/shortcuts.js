/** The keyboard: on the picture, and everywhere. */

import { deleteChosen, redo, undo } from "./actions.js";
import { openList } from "./conversation_list.js";
import { byId } from "./dom.js";
import { addExemplar, addPoint, discard, dragBox, endBox, keepDraft, takeBack } from "./draft.js";
import { chooseTool, toggleMasks } from "./draft_bar.js";
import { endEdit } from "./edit_form.js";
import { t } from "./i18n.js";
import { say } from "./notices.js";
import { choose } from "./selection.js";
import { regionsHere, set, state } from "./store.js";
import { nameOf } from "./viewer.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Listen to the keyboard. */
export function followKeys(viewer) {
  let corner = null; // the first corner of a box

  const onPicture = {
    "+": () => viewer.zoom(1.25),
    "=": () => viewer.zoom(1.25),
    "-": () => viewer.zoom(0.8),
    0: () => viewer.fit(),
    v: () => chooseTool("look"),
    p: () => chooseTool("click"),
    b: () => chooseTool("box"),
    l: () => chooseTool("like"),
    h: toggleMasks,
    n: () => nextRegion(1),
    Delete: () => state.chosen.size && deleteChosen(),
    Backspace: () => (state.draft ? takeBack() : state.chosen.size && deleteChosen()),
  };

  /** Keys that buttons, sliders and lists use for themselves belong to the picture only there. */
  function onCanvas(key, event) {
    if (key in ARROWS) move(ARROWS[key], event.shiftKey ? 16 : 4);
    else if (key === " ") mark(event.shiftKey);
    else if (key === "Enter" && state.draft) keepDraft(byId("draft-name").value);
    else return false;
    return true;
  }

  function onAny(key) {
    if (key === "/") openList();
    else if (key in onPicture && !byId("workbench").hidden) onPicture[key]();
    else return false;
    return true;
  }

  byId("canvas").addEventListener("blur", () => {
    viewer.cross = null;
    viewer.draw();
  });

  function move([dx, dy], pixels) {
    if (!viewer.picture) return;
    const { width, height } = viewer.picture;
    const step = Math.max(pixels / viewer.transform.scale, 1);
    const [x, y] = viewer.cross ?? [width / 2, height / 2];
    const within = (value, most) => Math.min(Math.max(value, 0), most - 1);
    viewer.cross = [within(x + dx * step, width), within(y + dy * step, height)];
    keepInView(viewer.cross);
    const region = viewer.regionAt(viewer.cross);
    set({ lit: new Set(region ? [region.id] : []) });
    if (corner && state.tool !== "click") dragBox(boxTo(viewer.cross));
    say(t("markAt", Math.round(viewer.cross[0]), Math.round(viewer.cross[1]), region ? nameOf(region) : ""));
    viewer.draw();
  }

  function keepInView(point) {
    const [x, y] = viewer.transform.toFrame(...point);
    const { width, height } = viewer.frame;
    const over = (value, most) => (value < 20 ? 20 - value : value > most - 20 ? most - 20 - value : 0);
    const [dx, dy] = [over(x, width), over(y, height)];
    if (dx || dy) viewer.pan(dx, dy);
  }

  function mark(away) {
    if (!viewer.picture) return;
    if (!viewer.cross) move([0, 0], 0);
    if (state.tool === "click") addPoint(viewer.cross, away ? 0 : 1);
    else if (state.tool === "look") choose(viewer.regionAt(viewer.cross)?.id ?? null, away);
    else if (corner) {
      if (state.tool === "box") endBox(boxTo(viewer.cross));
      else addExemplar(boxTo(viewer.cross), state.tool === "like" && !away);
      corner = null;
    } else corner = [...viewer.cross];
  }

  function boxTo([x, y]) {
    return [Math.min(corner[0], x), Math.min(corner[1], y), Math.max(corner[0], x), Math.max(corner[1], y)];
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && !/^(range|checkbox|radio|color|file)$/.test(event.target.type);
    if ((event.ctrlKey || event.metaKey) && /^[zy]$/i.test(event.key) && !typing) {
      event.preventDefault();
      step(event.key.toLowerCase() === "y" || event.shiftKey);
      return;
    }
    if (event.key === "Escape") {
      corner = null;
      escape();
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const isFree = [document.body, byId("canvas")].includes(event.target) && !byId("workbench").hidden;
    if ((isFree && onCanvas(key, event)) || onAny(key)) event.preventDefault();
  });
}

function step(forward) {
  if (state.draft && !forward) takeBack();
  else if (forward) redo();
  else undo();
}

/** Escape leaves the innermost thing that is open. */
function escape() {
  const menu = document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (state.editing) endEdit();
  else if (state.draft) discard();
  else if (state.tool !== "look") chooseTool("look");
  else if (state.chosen.size) choose(null);
  else if (state.reply) state.reply.stop();
}

/** Choose the region after the chosen one. */
function nextRegion(by) {
  const ids = regionsHere().map((region) => region.id);
  if (!ids.length) return;
  const now = ids.findIndex((id) => state.chosen.has(id));
  set({ chosen: new Set([ids[(now + by + ids.length) % ids.length]]) });
}
