/** The canvas: a frame, the masks of the tracks on it, and what is being pointed at. */

import { Latest } from "../coalescing_task.js";
import { boxPath, paint, paintDraft, strokeTwice } from "../drawing.js";
import { t } from "../i18n.js";
import { PictureView } from "../picture_view.js";
import { showTrouble } from "./connection.js";
import { frameOf, useFilm } from "./frames.js";
import { colourOf, entryOf, lookedAt, maskOf, nameOf, pointedAt, state, thingName, watch } from "./store.js";

const MARK = [36, 83, 184];
const AWAY = [165, 35, 28];

export class FilmView extends PictureView {
  /** Where the keyboard points, in pixels of the frame; null: nowhere. */
  cross = null;
  #film = null;
  #loading = new Latest(() => this.#load());

  constructor(canvas) {
    super(canvas, () => this.#paint());
    watch(["film"], () => this.#useFilm());
    watch(["number", "isPlaying"], () => this.#loading.run());
    watch(
      ["number", "nFrames", "run", "masksShown", "chosen", "lit", "things", "found", "active", "exemplars", "correction", "dragged", "language", "film"],
      () => this.draw(),
    );
    watch(["number", "nFrames", "run", "things", "found", "language"], () => this.#describe());
  }

  /** Show a frame of the browser's player. */
  showVideo(video, number) {
    if (!this.picture) return;
    this.picture.getContext("2d").drawImage(video, 0, 0, this.picture.width, this.picture.height);
    this.canvas.dataset.shown = `${number}`;
    this.draw();
  }

  /** What is seen on the frame: {id, mask, box, name, look, lit, chosen}. */
  shown() {
    const { run } = state;
    if (!run) return [];
    const number = lookedAt(state.number);
    return run.tracks.flatMap((track) => {
      const entry = entryOf(track.id, number);
      const mask = maskOf(entry);
      if (!mask) return [];
      const colour = colourOf(track);
      const look = { fill: colour, line: colour };
      const lit = state.lit === track.id;
      return [{ id: track.id, mask, box: entry.box, name: nameOf(track), look, lit, chosen: state.chosen === track.id }];
    });
  }

  /** What is pointed at on the frame, as `shown`; until a mask has come, the one before. */
  pointed() {
    return pointedAt().flatMap((thing) => {
      const result = thing.result ?? thing.before;
      const mask = maskOf(result);
      if (thing.frame !== state.number || !mask) return [];
      const look = { fill: MARK, line: MARK };
      const isActive = state.active === thing.id;
      return [{ id: thing.id, mask, box: result.box, name: thingName(thing), look, lit: state.lit === thing.id, chosen: isActive }];
    });
  }

  /** The id of the smallest thing that is pointed at, at a point; null where there is none. */
  thingAt(point) {
    return state.masksShown ? smallestAt(this.pointed(), point) : null;
  }

  /** The id of the smallest track at a point; null where there is none. */
  trackAt(point) {
    return state.masksShown ? smallestAt(this.shown(), point) : null;
  }

  #useFilm() {
    const { film } = state;
    if (film?.id === this.#film) return;
    this.#film = film?.id ?? null;
    useFilm(this.#film);
    this.canvas.dataset.shown = "";
    this.cross = null;
    this.picture = null;
    if (!film) return;
    this.picture = document.createElement("canvas"); // bitmaps are copied: they may be closed at any time
    Object.assign(this.picture, { width: film.width, height: film.height });
    requestAnimationFrame(() => this.fit());
    this.#loading.run();
  }

  async #load() {
    const { film, number, isPlaying } = state;
    if (!film || this.canvas.dataset.shown === `${number}`) return;
    if (isPlaying && document.getElementById("stage").dataset.player === "browser") return;
    try {
      const bitmap = await frameOf(number);
      if (state.film !== film || !this.picture) return;
      this.picture.getContext("2d").drawImage(bitmap, 0, 0);
      this.canvas.dataset.shown = `${number}`;
      this.draw();
    } catch (error) {
      if (state.film === film) showTrouble(error);
    }
  }

  #describe() {
    const names = [...this.shown(), ...this.pointed()].map(({ name }) => name);
    this.canvas.setAttribute("aria-label", t("video.canvasLabel", state.number, names.join(", ") || t("video.noMasks")));
  }

  #paint() {
    const { frame, density, transform, picture, cross } = this;
    const scene = { frame, density, transform, picture, cross };
    const [shown, pointed] = [this.shown(), this.pointed()];
    Object.assign(scene, { edited: null, before: 1, masksShown: state.masksShown, shown: [...shown, ...pointed], draft: null });
    paint(this.context, scene);
    if (!picture) return;
    const { things, correction, dragged, number } = state;
    for (const one of things.filter(({ frame }) => frame === number)) {
      paintDraft(this.context, scene, { mask: null, box: one.phrase ? null : one.box, points: one.points, labels: one.labels });
    }
    for (const { box, positive } of state.exemplars?.frame === number ? state.exemplars.boxes : []) {
      strokeTwice(this.context, scene, boxPath(box), positive ? MARK : AWAY, 3, [3, 4]);
    }
    if (correction?.frame === number) {
      const mask = maskOf(correction.result ?? correction.before);
      paintDraft(this.context, scene, { mask, box: correction.box, points: correction.points, labels: correction.labels });
    }
    if (dragged) strokeTwice(this.context, scene, boxPath(dragged), MARK, 2, [7, 5]);
    this.canvas.dataset.masks = `${shown.length}`;
    this.canvas.dataset.pointed = `${pointed.length}`;
  }
}

function smallestAt(all, [x, y]) {
  const hits = all.filter(({ mask }) => mask.has(Math.floor(x), Math.floor(y)));
  hits.sort((a, b) => a.mask.area - b.mask.area);
  return hits[0]?.id ?? null;
}
