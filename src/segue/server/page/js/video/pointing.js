/** Mouse, pen, fingers and keys on the page of films. */

import { openDialog } from "../dialog.js";
import { byId, element } from "../dom.js";
import { boxBetween, followGestures } from "../gestures.js";
import { t } from "../i18n.js";
import { say } from "../notices.js";
import { activate, addExemplar, addPoint, choose, discard, dragBox, endBox, takeBack } from "./marking.js";
import { keepMarked, nextThing, nextTrack, undoChosen } from "./panel.js";
import { clock, nameOf, set, state, trackOf, watch } from "./store.js";

/** Tools that draw boxes. */
const BOXES = new Set(["box", "like", "unlike"]);
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Take a tool into the hand. */
export function chooseTool(tool) {
  set({ tool });
}

/** Show a frame; playing ends. */
export function goTo(number, player) {
  if (!state.film) return;
  player.pause();
  set({ number: Math.min(Math.max(number, 0), state.film.frames - 1) });
}

/** A box is done: a thing, or an example; with Shift one of what is not meant. */
function drawn(box, away) {
  if (state.tool === "box") endBox(box);
  else addExemplar(box, state.tool === "like" && !away);
}

/** Let the page follow pointers and keys. */
export function followPointing(view, player) {
  const { canvas } = view;
  const stage = canvas.parentElement;
  canvas.addEventListener("contextmenu", (event) => state.tool !== "look" && event.preventDefault());
  canvas.addEventListener("dblclick", () => state.tool === "look" && view.fit());
  followGestures(view, {
    click(point, event) {
      if (state.tool === "click") {
        const away = event.shiftKey || event.altKey || event.button === 2;
        if (view.holds(point)) mark(() => addPoint(point, away ? 0 : 1));
      } else if (event.button === 0) {
        chooseAt(point);
      }
    },
    longPress: () => (state.tool === "click" ? (point) => view.holds(point) && mark(() => addPoint(point, 0)) : null),
    hover(point, event) {
      if (event.pointerType === "touch") return;
      const over = state.tool === "look" ? (view.thingAt(point) ?? view.trackAt(point)) : null;
      stage.dataset.over = over === null ? "" : "region";
      set({ lit: over });
    },
    left: () => set({ lit: null }),
    grabs: () => null,
    dragKind: (event) => (BOXES.has(state.tool) && event.buttons !== 2 ? "box" : "pan"),
    drag: (_, from, to) => mark(() => dragBox(boxBetween(from, to, view.picture))),
    drop: (_, from, to, event) => drawn(to && boxBetween(from, to, view.picture), event?.shiftKey),
  });
  wireButtons(view, player);
  followKeys(view, player, chooseAt);

  /** What is pointed at lies over the tracks. */
  function chooseAt(point) {
    const thing = view.thingAt(point);
    if (thing) activate(thing);
    else choose(view.trackAt(point));
  }

  /** Marks belong to the frame that is shown, so it must stand still. */
  function mark(act) {
    player.pause();
    act();
  }
}

function wireButtons(view, player) {
  const press = {
    "zoom-in": () => view.zoom(1.5),
    "zoom-out": () => view.zoom(1 / 1.5),
    "zoom-fit": () => view.fit(),
    masks: () => set({ masksShown: !state.masksShown }),
    play: () => player.toggle(),
    "step-back": () => goTo(state.number - 1, player),
    "step-on": () => goTo(state.number + 1, player),
    help: showHelp,
  };
  for (const [id, act] of Object.entries(press)) byId(id).addEventListener("click", act);
  for (const button of document.querySelectorAll("button[data-tool]")) {
    button.addEventListener("click", () => chooseTool(button.dataset.tool));
  }
  watch(["about"], () => {
    for (const tool of ["like", "unlike"]) document.querySelector(`button[data-tool="${tool}"]`).hidden = !state.about?.exemplars;
  });
  watch(["masksShown"], () => byId("masks").setAttribute("aria-pressed", String(state.masksShown)));
  watch(["isPlaying", "language"], () => {
    const words = t(state.isPlaying ? "video.pause" : "video.play");
    byId("play").dataset.label = state.isPlaying ? "video.pause" : "video.play";
    byId("play").setAttribute("aria-label", words);
    byId("play").title = words;
    byId("play-icon").setAttribute("href", `/page/icons.svg#icon-${state.isPlaying ? "pause" : "play"}`);
  });
  watch(["tool", "chosen", "run", "active", "language"], () => {
    for (const button of document.querySelectorAll("button[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === state.tool));
    }
    byId("stage").dataset.tool = state.tool;
    const track = state.chosen === null ? null : trackOf(state.chosen);
    byId("hint").hidden = state.tool === "look";
    if (track) byId("hint").textContent = t("video.hintCorrect", nameOf(track));
    else if (state.tool === "click") byId("hint").textContent = t(state.active === null ? "hintClick" : "video.hintMend");
    else if (state.tool !== "look") byId("hint").textContent = t({ box: "hintBox", like: "hintLike", unlike: "hintUnlike" }[state.tool]);
  });
}

function followKeys(view, player, chooseAt) {
  let corner = null; // the first corner of a box

  const anywhere = {
    ",": () => goTo(state.number - 1, player),
    ".": () => goTo(state.number + 1, player),
    ArrowLeft: () => goTo(state.number - 1, player),
    ArrowRight: () => goTo(state.number + 1, player),
    Home: () => goTo(0, player),
    End: () => goTo(Infinity, player),
    " ": () => player.toggle(),
    v: () => chooseTool("look"),
    p: () => chooseTool("click"),
    b: () => chooseTool("box"),
    l: () => state.about?.exemplars && chooseTool("like"),
    n: nextTrack,
    a: nextThing,
    u: undoChosen,
    h: () => set({ masksShown: !state.masksShown }),
    "+": () => view.zoom(1.25),
    "=": () => view.zoom(1.25),
    "-": () => view.zoom(0.8),
    0: () => view.fit(),
    "?": showHelp,
    Enter: keepMarked,
    Backspace: takeBack,
    Escape: escape,
  };

  view.canvas.addEventListener("blur", () => {
    view.cross = corner = null;
    if (state.dragged) set({ dragged: null });
    view.draw();
  });

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]") || !state.film) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (/^(TEXTAREA|SELECT)$/.test(target.tagName) || (target.tagName === "INPUT" && target.type !== "range")) return;
    if (target.type === "range" && /^(Arrow.*|Home|End|Page.*)$/.test(key)) return; // the slider's own
    if (target.closest("button, summary, a") && /^( |Enter)$/.test(key)) return;
    if (target === view.canvas && onCanvas(key, event)) return void event.preventDefault();
    if (!(key in anywhere)) return;
    anywhere[key]();
    event.preventDefault();
  });

  /** Keys that mean the cross while the canvas has the focus. */
  function onCanvas(key, event) {
    if (key in ARROWS) moveCross(ARROWS[key], event.shiftKey ? 16 : 4);
    else if (key === " " && view.cross) markCross(event.shiftKey);
    else return false;
    return true;
  }

  function moveCross([dx, dy], pixels) {
    const { width, height } = state.film;
    const step = Math.max(pixels / view.transform.scale, 1);
    const [x, y] = view.cross ?? [width / 2, height / 2];
    const within = (value, most) => Math.min(Math.max(value, 0), most);
    view.cross = [within(x + dx * step, width - 1), within(y + dy * step, height - 1)];
    if (corner) dragBox(boxBetween(corner, view.cross, view.picture));
    const under = view.trackAt(view.cross);
    set({ lit: under });
    const place = view.cross.map(Math.round).join(", ");
    say(under === null ? place : `${place}: ${nameOf(trackOf(under))}`);
    view.draw();
  }

  function markCross(away) {
    player.pause();
    if (state.tool === "click") addPoint(view.cross, away ? 0 : 1);
    else if (state.tool === "look") chooseAt(view.cross);
    else if (corner) {
      drawn(boxBetween(corner, view.cross, view.picture), away);
      corner = null;
    } else {
      corner = view.cross;
    }
  }

  /** Escape leaves the innermost thing that is open. */
  function escape() {
    if (corner || state.dragged) {
      corner = null;
      set({ dragged: null });
    } else if (state.correction || state.things.length || state.exemplars) discard();
    else if (state.tool !== "look") chooseTool("look");
    else if (state.chosen !== null) choose(null);
    else player.pause();
  }

  // Said once a person stands still, not for each frame that goes by.
  watch(["number", "isPlaying"], () => {
    if (!state.film || state.isPlaying || state.isFollowing) return;
    if (document.activeElement !== byId("slider")) say(t("video.frameSpoken", state.number, clock(state.film.times[state.number])));
  });
}

function showHelp() {
  openDialog(t("video.help"), [
    element("p", {}, t("video.helpText")),
    element("p", {}, t("video.correctHint")),
    element("h3", {}, t("video.keysTitle")),
    element("p", {}, t("video.keys")),
  ]);
}
