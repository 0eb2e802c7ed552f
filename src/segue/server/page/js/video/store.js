/** What the page of films knows: the film, the frame that is shown, what is marked, what is followed. */

import { observable } from "../observable.js";
import { Mask } from "../rle.js";
import { t } from "../i18n.js";

const store = observable({
  language: "en",
  theme: "light",
  about: null,
  /** Films sent before; null until they are known. */
  films: null,
  /** {name, percent}: a film that is being sent. */
  upload: null,
  /** A film with its `times`; null on the first page. */
  film: null,
  /** The frame that is shown. */
  number: 0,
  isPlaying: false,
  tool: "look",
  masksShown: true,
  /**
   * What is to be followed: {id, frame, phrase, box, points, labels, mask, result}. `mask` are its
   * pixels where somebody knows them; `result` is what it would be followed as, {box, mask} with
   * `mask` null where there is nothing; undefined until that has come.
   */
  things: [],
  /** The thing that clicks belong to, by id; null: the next click begins another one. */
  active: null,
  /** What the named phrases are on a frame: {frame, phrases, objects, notFound}; objects as `things`. */
  found: null,
  /** Boxes on what is meant on a frame, and on what is not: {frame, boxes: [{box, positive}]}; null: none. */
  exemplars: null,
  /** Where a track really is: {track, frame, box, points, labels, result}. */
  correction: null,
  /** The question: {question, frames, text, regions, notFound, notices, finish}; null: none yet. */
  asked: null,
  isAsking: false,
  /** Ids of regions of answers that the run follows already. */
  followed: [],
  /** A box while it is dragged, in pixels of the frame. */
  dragged: null,
  /** What is followed: {id, request, anchor, numbers, tracks, notFound, corrections, pending, done}. */
  run: null,
  isFollowing: false,
  /** The track that is chosen, by id; null: none. */
  chosen: null,
  lit: null,
  /** Grows whenever a frame has come. */
  nFrames: 0,
});

export const { state, set, watch } = store;

/** Entries by track and frame. Filled while frames come; `nFrames` tells of it. */
let entries = new Map();
const masks = new WeakMap();

/** Forget all frames. */
export function clearEntries() {
  entries = new Map();
  set({ nFrames: 0 });
}

/** Take a frame that has come; what it says of a track counts from now on. */
export function takeFrame(frame) {
  for (const entry of frame.entries) {
    if (!entries.has(entry.track)) entries.set(entry.track, new Map());
    entries.get(entry.track).set(frame.number, entry);
  }
  set({ nFrames: state.nFrames + 1 });
}

/** What became of a track on a frame; undefined: not followed to there. */
export function entryOf(track, number) {
  return entries.get(track)?.get(number);
}

/** The mask of an entry, or of what is pointed at; null where there is none. */
export function maskOf(entry) {
  if (!entry?.mask) return null;
  if (!masks.has(entry)) masks.set(entry, new Mask(entry.mask));
  return masks.get(entry);
}

/** The frame that was looked at and is shown until the next one: itself, or one before it. */
export function lookedAt(number) {
  const numbers = state.run?.numbers;
  if (!numbers?.length) return number;
  let [low, high] = [0, numbers.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (numbers[middle] <= number) low = middle;
    else high = middle - 1;
  }
  return numbers[low];
}

/** What a track is called. */
export function nameOf(track) {
  const twins = state.run.tracks.filter((other) => other.phrase === track.phrase);
  if (!track.phrase) return t("video.track", track.id);
  return twins.length > 1 ? `${track.phrase} ${track.id}` : track.phrase;
}

/** All that is pointed at: things, and what the named phrases are on the frame. */
export function pointedAt() {
  return [...state.things, ...(state.found?.objects ?? [])];
}

/** What a thing is called. */
export function thingName(thing) {
  const unnamed = pointedAt().filter(({ phrase }) => !phrase);
  return thing.phrase || t("video.thing", unnamed.indexOf(thing) + 1);
}

/** The track with this id. */
export function trackOf(id) {
  return state.run?.tracks.find((track) => track.id === id) ?? null;
}

/** "#e69f00" as [red, green, blue]. */
export function colourOf(track) {
  return [1, 3, 5].map((at) => parseInt(track.colour.slice(at, at + 2), 16));
}

/** Seconds as minutes, seconds and hundredths. */
export function clock(seconds) {
  const hundredths = Math.round(seconds * 100);
  const rest = (hundredths % 6000) / 100;
  return `${Math.floor(hundredths / 6000)}:${rest < 10 ? "0" : ""}${rest.toFixed(2)}`;
}
