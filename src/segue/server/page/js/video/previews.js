/** The masks of what is pointed at, before it is followed. */

import { Latest } from "../coalescing_task.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { say } from "../notices.js";
import { showTrouble } from "./connection.js";
import { set, state, watch } from "./store.js";
import * as api from "./video_api.js";

const PAUSE_MS = 500; // after the last letter, or once the frame stands still

let timer = 0;
let count = 0;

const marks = new Latest(lookAtMarks);
const names = new Latest(lookForNames);

/** Ask for the masks of what was marked. */
export function preview() {
  marks.run();
}

/** Look for what the field names whenever it, or the frame, has changed and stands still. */
export function previewNames() {
  byId("phrases").addEventListener("input", soon);
  watch(["number", "isPlaying", "isFollowing", "film", "run"], soon);
}

/** Name these phrases, and nothing else. */
export function findAgain(phrases) {
  byId("phrases").value = phrases.join(", ");
  byId("phrases").dispatchEvent(new Event("input"));
}

/** Phrases with commas between, in any script. */
export function phrasesOf(text) {
  const phrases = text.split(/[,，、;；\n]/u).map((phrase) => phrase.trim());
  return [...new Set(phrases.filter(Boolean))];
}

/** Phrases that the field names and the run does not follow. */
export function newPhrases() {
  const { run } = state;
  const phrases = phrasesOf(byId("phrases").value);
  if (!run) return phrases;
  const known = new Set([...(run.request.phrases ?? []), ...run.tracks.map(({ phrase }) => phrase)]);
  return phrases.filter((phrase) => !known.has(phrase));
}

/** Look for what the examples show, at once. */
export function lookLikeExemplars() {
  clearTimeout(timer);
  names.run();
}

/** The examples of the frame that is shown; [] where there are none. */
function exemplarsHere() {
  return state.exemplars?.frame === state.number ? state.exemplars.boxes : [];
}

/** Whether anything is to be looked for by the detector. */
export function isSearching() {
  return newPhrases().length > 0 || exemplarsHere().length > 0;
}

/** Wait until what the field names was looked for on the frame that is shown. */
export async function namesFound() {
  clearTimeout(timer);
  if (!isFound()) await lookForNames();
  return state.found;
}

function soon() {
  clearTimeout(timer);
  if (!isFound() && state.found) set({ found: null });
  timer = setTimeout(() => names.run(), PAUSE_MS);
}

function isFound() {
  const { found, number, exemplars } = state;
  if (!isSearching()) return found === null;
  const isSame = found?.phrases.join() === newPhrases().join() && found.exemplars === exemplars;
  return found?.frame === number && isSame;
}

async function lookForNames() {
  const { film, number, isPlaying, isFollowing, about } = state;
  if (!film || isPlaying || isFollowing || isFound() || !about?.models.detect) return;
  const [phrases, exemplars, boxes] = [newPhrases(), state.exemplars, exemplarsHere()];
  if (!phrases.length && !boxes.length) return set({ found: null });
  try {
    const seen = await api.pointOut(film.id, number, boxes.length ? { phrases, exemplars: boxes } : { phrases });
    if (state.film !== film || state.number !== number || state.isFollowing || newPhrases().join() !== phrases.join()) return;
    if (state.exemplars !== exemplars) return;
    const objects = seen.found.filter(({ mask }) => mask).map(({ phrase, box, mask }) => ({
      id: `found-${++count}`, frame: number, phrase, box: null, points: [], labels: [], mask, result: { box, mask },
    }));
    set({ found: { frame: number, phrases, exemplars, objects, notFound: seen.not_found } });
    say(t("video.foundSpoken", objects.length, seen.not_found.join(", ")));
  } catch (error) {
    showTrouble(error);
  }
}

async function lookAtMarks() {
  const { film, correction, things } = state;
  if (!film) return;
  try {
    if (correction && !correction.result) {
      const result = await resultOf(film, correction);
      const isSame = state.correction?.points === correction.points && state.correction.box === correction.box;
      if (isSame) set({ correction: { ...state.correction, result } });
    }
    for (const thing of things.filter(({ result }) => !result)) {
      const result = await resultOf(film, thing);
      if (state.film !== film) return;
      set({ things: state.things.map((one) => (one === thing ? { ...one, result } : one)) });
    }
  } catch (error) {
    showTrouble(error);
  }
}

async function resultOf(film, { frame, box, points, labels }) {
  const target = {};
  if (box) target.box = box;
  if (points.length) Object.assign(target, { points, labels });
  const { targets } = await api.pointOut(film.id, frame, { targets: [target] });
  if (!targets[0].mask) say(t("video.nothingThere", frame));
  return targets[0];
}
