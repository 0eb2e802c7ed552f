/** What a person points at: things to follow, or where a track really is. */

import { t } from "../i18n.js";
import { notice, say } from "../notices.js";
import { lookedAt, nameOf, set, state, trackOf } from "./store.js";

/** Add a click on the frame that is shown: label 1 belongs to it, 0 does not. */
export function addPoint(point, label) {
  if (state.chosen !== null) {
    const correction = correctionHere();
    if (!correction) return;
    set({ correction: { ...correction, points: [...correction.points, point], labels: [...correction.labels, label] } });
  } else {
    const marks = marksHere();
    const { points, labels, order } = marks;
    set({ marks: { ...marks, points: [...points, point], labels: [...labels, label], order: [...order, "point"] } });
  }
  sayMarks();
}

/** Show a box while it is being dragged. */
export function dragBox(box) {
  set({ dragged: box });
}

/** The box is done; null when the drag was given up. */
export function endBox(box) {
  set({ dragged: null });
  if (!box || box[2] - box[0] < 1 || box[3] - box[1] < 1) return;
  if (state.chosen !== null) {
    const correction = correctionHere();
    if (correction) set({ correction: { ...correction, box } });
  } else {
    const marks = marksHere();
    set({ marks: { ...marks, boxes: [...marks.boxes, box], order: [...marks.order, "box"] } });
  }
  sayMarks();
}

/** Take the last click or box back. */
export function takeBack() {
  const { correction, marks } = state;
  if (correction?.points.length) {
    set({ correction: { ...correction, points: correction.points.slice(0, -1), labels: correction.labels.slice(0, -1) } });
    if (!state.correction.points.length && !state.correction.box) discard();
  } else if (correction) {
    discard();
  } else if (marks) {
    const order = marks.order.slice(0, -1);
    const isBox = marks.order.at(-1) === "box";
    const less = isBox
      ? { boxes: marks.boxes.slice(0, -1) }
      : { points: marks.points.slice(0, -1), labels: marks.labels.slice(0, -1) };
    set({ marks: order.length ? { ...marks, ...less, order } : null });
  }
}

/** Drop what is marked. */
export function discard() {
  set(state.correction ? { correction: null, dragged: null } : { marks: null, dragged: null });
}

/** Choose a track, or none; a correction belongs to the one that is chosen. */
export function choose(id) {
  if (id === state.chosen) return;
  set({ chosen: id, correction: null, marks: id === null ? state.marks : null });
  if (id !== null) say(nameOf(trackOf(id)));
}

/** What is marked, in words. */
export function markWords() {
  const { correction, marks } = state;
  if (correction) return t("video.correction", nameOf(trackOf(correction.track)), correction.frame);
  return marks ? t("video.marks", marks.boxes.length, marks.points.length, marks.frame) : "";
}

function marksHere() {
  const { marks, number } = state;
  if (marks?.frame === number) return marks;
  if (marks) notice(t("video.marksMoved", number), { key: "marks" });
  return { frame: number, boxes: [], points: [], labels: [], order: [] };
}

/** The correction of the chosen track on this frame; null where the frame was not looked at. */
function correctionHere() {
  const { correction, chosen, number } = state;
  if (correction?.frame === number && correction.track === chosen) return correction;
  if (lookedAt(number) !== number) {
    notice(t("video.notSelected"), { key: "marks" });
    return null;
  }
  return { track: chosen, frame: number, box: null, points: [], labels: [] };
}

function sayMarks() {
  say(markWords());
}
