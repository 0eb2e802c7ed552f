/** What a person points at: things to follow, or where a track really is. */

import { t } from "../i18n.js";
import { notice, say } from "../notices.js";
import { findAgain, lookLikeExemplars, preview } from "./previews.js";
import { lookedAt, nameOf, set, state, thingName, trackOf } from "./store.js";

let count = 0;

/** A thing; nothing is known of it yet. */
function thing(frame, more) {
  return { id: `thing-${++count}`, frame, phrase: "", box: null, points: [], labels: [], mask: null, result: undefined, ...more };
}

/** Add a click on the frame that is shown: label 1 belongs to it, 0 does not. */
export function addPoint(point, label) {
  if (state.chosen !== null) {
    const correction = correctionHere();
    if (!correction) return;
    correct({ ...correction, points: [...correction.points, point], labels: [...correction.labels, label] });
  } else {
    adopt(state.active);
    const mended = state.things.find(({ id, frame }) => id === state.active && frame === state.number);
    const base = mended ?? (isLooked() ? thing(state.number) : null);
    if (!base) return;
    // Its pixels are asked for anew, from where they were and the clicks.
    const box = base.box ?? (base.mask && base.result?.box) ?? null;
    put({ ...base, box, mask: null, points: [...base.points, point], labels: [...base.labels, label] });
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
    if (correction) correct({ ...correction, box });
  } else if (isLooked()) {
    put(thing(state.number, { box }));
  }
  sayMarks();
}

/** Show what is meant, or what is not, by a box; all that is like it is found. */
export function addExemplar(box, positive) {
  set({ dragged: null });
  if (!box || box[2] - box[0] < 1 || box[3] - box[1] < 1 || !isLooked()) return;
  const { exemplars, number } = state;
  const before = exemplars?.frame === number ? exemplars.boxes : [];
  set({ exemplars: { frame: number, boxes: [...before, { box, positive }] }, chosen: null, correction: null, active: null });
  say(t("video.examples", before.length + 1, number));
  lookLikeExemplars();
}

/** Drop the last example; all of them. */
export function dropExemplars(isAll) {
  const { frame, boxes } = state.exemplars;
  set({ exemplars: isAll || boxes.length < 2 ? null : { frame, boxes: boxes.slice(0, -1) } });
  lookLikeExemplars();
}

/** Follow a region of an answer, or do not. */
export function toggleRegion(frame, region) {
  const known = state.things.find(({ region: id }) => id === region.id);
  if (known) return drop(known.id);
  if (state.run && lookedAt(frame) !== frame) return notice(t("video.notSelected"), { key: "marks" });
  const result = region.mask ? { box: region.box, mask: region.mask } : undefined;
  set({ chosen: null, correction: null });
  put(thing(frame, { phrase: region.phrase, box: region.mask ? null : region.box, mask: region.mask, result, region: region.id }));
  say(t("video.thingAdded", region.phrase));
}

/** Let clicks belong to a thing; to a new one where it is null. */
export function activate(id) {
  set({ active: id, chosen: null, correction: null });
  if (id === null) return;
  adopt(id);
  const one = state.things.find((other) => other.id === id);
  if (one) say(thingName(one));
}

/** Drop a thing, or something that a phrase found. */
export function drop(id) {
  adopt(id);
  set({ things: state.things.filter((one) => one.id !== id), active: state.active === id ? null : state.active });
}

/** Take the last click or box back. */
export function takeBack() {
  const { correction } = state;
  if (state.exemplars && !correction && state.active === null) dropExemplars(false);
  else if (correction?.points.length) {
    const less = { ...correction, points: correction.points.slice(0, -1), labels: correction.labels.slice(0, -1) };
    if (less.points.length || less.box) correct(less);
    else discard();
  } else if (correction) {
    discard();
  } else {
    const last = state.things.find(({ id }) => id === state.active) ?? state.things.at(-1);
    if (!last) return;
    if (!last.points.length || (last.points.length === 1 && !last.box)) return drop(last.id);
    put({ ...last, points: last.points.slice(0, -1), labels: last.labels.slice(0, -1) });
  }
  sayMarks();
}

/** Drop the correction, or the thing that clicks belong to, or all things. */
export function discard() {
  if (state.correction) set({ correction: null, dragged: null });
  else if (state.active) drop(state.active);
  else if (state.exemplars) dropExemplars(true);
  else set({ things: [], dragged: null });
}

/** Choose a track, or none; a correction belongs to the one that is chosen. */
export function choose(id) {
  if (id === state.chosen) return;
  set({ chosen: id, correction: null, active: null });
  if (id !== null) say(nameOf(trackOf(id)));
}

/** What is marked, in words. */
export function markWords() {
  const { correction, things, active } = state;
  if (correction) return t("video.correction", nameOf(trackOf(correction.track)), correction.frame);
  const one = things.length === 1 ? things[0] : things.find(({ id }) => id === active);
  if (!one) return things.length ? t("video.things", things.length) : "";
  if (one.result && !one.result.mask) return t("video.nothingThere", one.frame);
  const clicks = t("video.marks", one.box && !one.phrase ? 1 : 0, one.points.length, one.frame);
  return one.phrase ? t("video.correction", one.phrase, one.frame) : clicks;
}

/** What a phrase found is a thing like others once it is chosen, mended or dropped; the field lets go of the phrases. */
function adopt(id) {
  const { found, things } = state;
  if (!found?.objects.some((one) => one.id === id)) return;
  set({ things: [...things, ...found.objects], found: { ...found, exemplars: null, objects: [] }, exemplars: null });
  findAgain(found.notFound);
}

function put(changed) {
  const isKnown = state.things.some(({ id }) => id === changed.id);
  const fresh = changed.mask ? changed : { ...changed, result: undefined, before: changed.result ?? changed.before };
  set({ things: isKnown ? state.things.map((one) => (one.id === fresh.id ? fresh : one)) : [...state.things, fresh], active: fresh.id });
  preview();
}

function correct(correction) {
  set({ correction: { ...correction, result: undefined, before: correction.result ?? correction.before } });
  preview();
}

/** Whether things can begin on this frame: a run must have looked at it. */
function isLooked() {
  if (!state.run || lookedAt(state.number) === state.number) return true;
  notice(t("video.notSelected"), { key: "marks" });
  return false;
}

/** The correction of the chosen track on this frame; null where the frame was not looked at. */
function correctionHere() {
  const { correction, chosen, number } = state;
  if (correction?.frame === number && correction.track === chosen) return correction;
  if (!isLooked()) return null;
  return { track: chosen, frame: number, box: null, points: [], labels: [] };
}

function sayMarks() {
  say(markWords());
}
