/** Following: the stream of frames, stopping it, going on, corrections, additions, and undoing them. */

import { t } from "../i18n.js";
import { notice, say } from "../notices.js";
import { showTrouble } from "./connection.js";
import { isSearching, namesFound, phrasesOf } from "./previews.js";
import { clearEntries, pointedAt, set, state, takeFrame } from "./store.js";
import * as api from "./video_api.js";

let stopping = null;
const stillFrames = matchMedia("(prefers-reduced-motion: reduce)");

/** Follow what is named and pointed at, and nothing else, from where that is. */
export async function followMarked(text, every) {
  const { film, number, exemplars } = state;
  const hasExemplars = exemplars?.frame === number;
  if (hasExemplars) await namesFound(); // what is like them is followed as it was found
  const phrases = hasExemplars ? [] : phrasesOf(text);
  const seen = (hasExemplars ? pointedAt() : state.things).filter(isThere);
  if (!phrases.length && !seen.length) return notice(t("video.nothingToFollow"), { key: "nothing" });
  const frame = phrases.length ? number : seen[0].frame;
  const request = { phrases, frame, every };
  if (every > 1) request.start = film.times[frame % every]; // so that the frame is among those looked at
  const targets = seen.filter((thing) => thing.frame === frame).map(targetOf);
  const additions = seen.filter((thing) => thing.frame !== frame).map(additionOf);
  if (targets.length) request.targets = targets;
  clearEntries();
  set({ run: null, chosen: null, correction: null, followed: [] });
  return follow(request, additions.length ? { additions } : {});
}

/** Whether what is named and pointed at could be added to the run. */
export function canAdd(every) {
  const { run, things, isFollowing } = state;
  if (!run?.tracks.length || isFollowing || (run.request.every ?? 1) !== every) return false;
  return things.some(isThere) || isSearching();
}

/** Follow what is named and pointed at besides what the run follows. */
export async function addMarked() {
  if (isSearching()) {
    const found = await namesFound();
    if (!found?.objects.length && !state.things.some(isThere)) return notice(t("video.nothingFound"), { key: "nothing" });
  }
  const additions = pointedAt().filter(isThere).map(additionOf);
  return follow(state.run.request, { additions, stored: state.run.pending > 0 });
}

/** Go on where a run was stopped. The server may have done more of it than came here. */
export function goOn() {
  return follow(state.run.request);
}

/** Follow a track anew from where it was corrected. */
export function correct() {
  const { track, frame, box, points, labels } = state.correction;
  const correction = { track, frame };
  if (box) correction.box = box;
  if (points.length) Object.assign(correction, { points, labels });
  set({ correction: null });
  return follow(state.run.request, { corrections: [correction], stored: state.run.pending > 0 });
}

/** What can be undone of a track: {frame, isAddition}; the correction of a frame before others. */
export function undoableOf(track, number) {
  const frames = state.run.corrections.filter((one) => one.track === track.id).map(({ frame }) => frame);
  if (frames.length) return { frame: frames.includes(number) ? number : frames.at(-1), isAddition: false };
  return track.added ? { frame: track.frame, isAddition: true } : null;
}

/** Undo a correction of a track, or that it was added. Frames that others must do again are followed. */
export async function undo(track, { frame, isAddition }) {
  if (state.isFollowing) return;
  const { film, run } = state;
  try {
    const stored = await api.undo(film.id, run.id, { track: track.id, frame });
    if (state.film !== film || state.run?.id !== run.id) return;
    showStored(stored);
    set({ number: frame, correction: null, chosen: isAddition ? null : state.chosen });
    if (isAddition) set({ followed: [] });
    say(t(isAddition ? "video.removed" : "video.undone", frame));
    if (state.run.pending) await follow(state.run.request, { stored: false });
  } catch (error) {
    showTrouble(error);
  }
}

/** Stop; what was done is kept. */
export function stop() {
  stopping?.abort();
}

/** Show a run that is kept on the server. */
export function showStored(run) {
  clearEntries();
  set({ run: runOf(run) });
  for (const frame of run.frames) takeFrame(frame);
}

/** Whether there is something where a thing was pointed at; what nobody knows yet counts. */
function isThere({ result }) {
  return !result || result.mask !== null;
}

function targetOf({ phrase, box, points, labels, mask }) {
  const target = {};
  if (phrase) target.phrase = phrase;
  if (mask) return { ...target, mask: { size: mask.size, counts: mask.counts } };
  if (box) target.box = box;
  if (points.length) Object.assign(target, { points, labels });
  return target;
}

function additionOf(thing) {
  return { ...targetOf(thing), frame: thing.frame };
}

async function follow(request, more = {}) {
  if (state.isFollowing) return;
  const { film } = state;
  const mine = (stopping = new AbortController());
  const goesAlong = !stillFrames.matches && !state.isPlaying;
  let stored = 0; // frames that were done before, and are still to come
  let seen = null; // the frame that was shown last on behalf of the stream
  let known = 0; // tracks that were there before
  set({ isFollowing: true });
  try {
    for await (const { name, data } of api.follow(film.id, { ...request, ...more }, mine.signal)) {
      if (state.film !== film) return;
      if (name === "start") {
        seen = state.number;
        stored = data.stored;
        set({ run: startOf(data, request) });
        known = state.run.tracks.length;
      } else if (name === "tracks") {
        set({ run: { ...state.run, tracks: data.tracks, notFound: data.not_found } });
        for (const text of data.notices) notice(t("video.notice"), { text, foreign: true, key: text });
        if (data.tracks.length > known) {
          const followed = state.things.map(({ region }) => region).filter(Boolean);
          set({ things: [], active: null, found: null, exemplars: null, followed: [...state.followed, ...followed] });
        }
      } else if (name === "frame") {
        takeFrame(data);
        if (--stored >= 0) continue;
        set({ run: { ...state.run, done: Math.min(state.run.done + 1, state.run.total) } });
        // The view goes along until a person looks at another frame.
        if (goesAlong && state.number === seen) set({ number: (seen = data.number) });
      } else if (name === "done") {
        set({ run: { ...runOf(data), numbers: state.run.numbers } });
        say(t("video.finished", data.tracks.length));
      }
    }
  } catch (error) {
    if (error.name === "AbortError") notice(t("video.stopped"), { key: "stopped" });
    else showTrouble(error, { again: error.retryAfter ? () => follow(request, more) : null });
    if (state.run && !state.run.tracks.length) set({ run: null });
  } finally {
    set({ isFollowing: false });
    if (stopping === mine) stopping = null;
  }
}

function startOf(data, request) {
  const before = state.run?.id === data.run ? state.run : null;
  const run = { tracks: [], notFound: [], corrections: [], ...before };
  rememberRun(state.film.id, data.run);
  return { ...run, id: data.run, request, anchor: data.frame, numbers: data.numbers, total: data.pending, pending: data.pending, done: 0 };
}

function runOf({ run, request, frame, numbers, tracks, not_found: notFound, corrections, pending }) {
  return { id: run, request, anchor: frame, numbers, tracks, notFound, corrections, pending, total: 0, done: 0 };
}

function rememberRun(film, run) {
  history.replaceState(null, "", `#v=${film}&r=${run}`);
}
