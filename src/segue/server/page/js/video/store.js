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
  /** What is to be followed: {frame, boxes, points, labels, order}; null: nothing is marked. */
  marks: null,
  /** Where a track really is: {track, frame, box, points, labels}. */
  correction: null,
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

/** The mask of an entry; null where it is lost. */
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
