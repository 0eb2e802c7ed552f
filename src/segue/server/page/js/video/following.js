/** Following: the stream of frames, stopping it, going on, and corrections. */

import { t } from "../i18n.js";
import { notice, say } from "../notices.js";
import { showTrouble } from "./connection.js";
import { clearEntries, set, state, takeFrame } from "./store.js";
import * as api from "./video_api.js";

let stopping = null;
const stillFrames = matchMedia("(prefers-reduced-motion: reduce)");

/** Follow what is named and marked, from the frame of the marks or the one that is shown. */
export function followMarked(phrases, every) {
  const { marks, film, number } = state;
  if (!phrases.length && !marks) return notice(t("video.nothingToFollow"), { key: "nothing" });
  const frame = marks?.frame ?? number;
  const request = { phrases, frame, every };
  if (every > 1) request.start = film.times[frame % every]; // so that the frame is among those looked at
  if (marks?.boxes.length) request.boxes = marks.boxes;
  if (marks?.points.length) Object.assign(request, { points: marks.points, labels: marks.labels });
  clearEntries();
  set({ run: null, chosen: null, correction: null });
  return follow(request);
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

async function follow(request, more = {}) {
  if (state.isFollowing) return;
  const { film } = state;
  const mine = (stopping = new AbortController());
  const goesAlong = !stillFrames.matches && !state.isPlaying;
  let stored = 0; // frames that were done before, and are still to come
  let seen = null; // the frame that was shown last on behalf of the stream
  set({ isFollowing: true });
  try {
    for await (const { name, data } of api.follow(film.id, { ...request, ...more }, mine.signal)) {
      if (state.film !== film) return;
      if (name === "start") {
        seen = state.number;
        stored = data.stored;
        set({ run: startOf(data, request) });
      } else if (name === "tracks") {
        set({ run: { ...state.run, tracks: data.tracks, notFound: data.not_found } });
        for (const text of data.notices) notice(t("video.notice"), { text, foreign: true, key: text });
        if (state.marks) set({ marks: null });
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
  const { corrections: _, ...base } = request;
  const before = state.run?.id === data.run ? state.run : null;
  const run = { tracks: [], notFound: [], corrections: [], ...before };
  rememberRun(state.film.id, data.run);
  return { ...run, id: data.run, request: base, anchor: data.frame, numbers: data.numbers, total: data.pending, pending: data.pending, done: 0 };
}

function runOf({ run, request, frame, numbers, tracks, not_found: notFound, corrections, pending }) {
  return { id: run, request, anchor: frame, numbers, tracks, notFound, corrections, pending, total: 0, done: 0 };
}

function rememberRun(film, run) {
  history.replaceState(null, "", `#v=${film}&r=${run}`);
}
