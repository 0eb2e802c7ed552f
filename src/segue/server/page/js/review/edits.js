/** Changes to the regions of the open picture: shown at once, saved soon, undone and redone. */

import { t } from "../i18n.js";
import { say } from "../notices.js";
import { rleOf } from "../rle.js";
import { newId, save } from "./saving.js";
import { chosenOne, className, classNumber, regionOf, rememberMask, set, state } from "./store.js";

let past = [];
let future = [];

/** Forget what could be undone: another picture, or another state of it. */
export function forgetSteps() {
  past = [];
  future = [];
  set({ canUndo: false, canRedo: false });
}

/** Change regions: a list of [id, region], with null for one that goes. */
export function change(after, said = "") {
  const step = { before: after.map(([id]) => [id, regionOf(id) ?? null]), after };
  past.push(step);
  future = [];
  show(step.after);
  if (said) say(said);
}

export function undo() {
  const step = past.pop();
  if (!step) return;
  future.push(step);
  show(step.before);
  say(t("undone"));
}

export function redo() {
  const step = future.pop();
  if (!step) return;
  past.push(step);
  show(step.after);
  say(t("redone"));
}

function show(changes) {
  const { picture } = state;
  const next = new Map(picture.regions);
  for (const [id, region] of changes) {
    if (region) next.set(id, region);
    else next.delete(id);
  }
  const chosen = new Set([...state.chosen].filter((id) => next.has(id)));
  set({
    picture: { ...picture, regions: next },
    chosen,
    corners: null,
    lit: next.has(state.lit) ? state.lit : null,
    only: next.has(state.only) ? state.only : null,
    canUndo: past.length > 0,
    canRedo: future.length > 0,
  });
  save(picture.index, {
    regions: changes.filter(([, region]) => region).map(([, region]) => region),
    deleted: changes.filter(([, region]) => !region).map(([id]) => id),
  });
}

/** Give the chosen regions a class; without any, the next region will have it. */
export function relabel(number) {
  const label = className(number);
  if (number >= state.overview.classes.length) return;
  set({ activeClass: number });
  relabelAs(label);
}

/** Give the chosen regions a class by its name, which may be a new one. */
export function relabelAs(label) {
  const others = [...state.chosen].map(regionOf).filter((region) => region && region.label !== label);
  if (others.length === 0) return;
  const number = classNumber(label);
  change(others.map((region) => [region.id, { ...region, label, class_number: number }]), t("review.relabelled", others.length, label));
}

/** Delete the chosen regions. */
export function deleteChosen() {
  const ids = [...state.chosen].filter(regionOf);
  if (ids.length) change(ids.map((id) => [id, null]), t("deleted", ids.length));
}

/** Keep a mask: as the shape of a region, or of a new one (`region` null). Gives its id. */
export function keepMask(region, mask) {
  if (mask.area === 0) {
    if (region) change([[region.id, null]], t("deleted", 1));
    return null;
  }
  const rle = rememberMask(rleOf(mask), mask);
  const box = [mask.x0, mask.y0, mask.x1, mask.y1];
  const drawn = { mask: rle, box, found_by: "user", score: null, mask_score: null, agreement: null, verdict: null, doubts: [] };
  const label = region?.label ?? className(state.activeClass);
  const id = region?.id ?? newId("n");
  change([[id, { ...(region ?? {}), ...drawn, id, label, class_number: classNumber(label) }]]);
  set({ chosen: new Set([id]) });
  return id;
}

/** Choose a region; `more` adds it to the others, or takes it out again. Null chooses none. */
export function choose(id, more = false) {
  const chosen = new Set(more ? state.chosen : []);
  if (id !== null) {
    if (more && chosen.has(id)) chosen.delete(id);
    else chosen.add(id);
  }
  set({ chosen, draft: null, corners: null });
  const one = chosenOne();
  if (one && one.class_number < state.overview.classes.length) set({ activeClass: one.class_number });
}
