/** Clicks and boxes for the segmenter, with a preview after each; and snapping to it. */

import { Latest } from "../coalescing_task.js";
import { t } from "../i18n.js";
import { notice, say } from "../notices.js";
import { whileWorking } from "../progress.js";
import { showTrouble } from "./connection.js";
import { keepMask } from "./edits.js";
import * as api from "./review_api.js";
import { chosenOne, maskOf, regionOf, set, state } from "./store.js";

/** Add a click: label 1 belongs to it, 0 does not. */
export function addPoint(point, label) {
  const draft = state.draft ?? blank();
  update({ ...draft, points: [...draft.points, point], labels: [...draft.labels, label] });
}

/** Show a box while it is being dragged. */
export function dragBox(box) {
  set({ draft: { ...(state.draft ?? blank()), dragged: box } });
}

/** The box is done; null when the drag was given up. */
export function endBox(box) {
  const { dragged: _, ...draft } = state.draft ?? blank();
  if (box && box[2] - box[0] >= 1 && box[3] - box[1] >= 1) update({ ...draft, box });
  else update(draft);
}

/** Take the last click (or the box) back. */
export function takeBack() {
  const { draft } = state;
  if (draft.points.length) update({ ...draft, points: draft.points.slice(0, -1), labels: draft.labels.slice(0, -1) });
  else update({ ...draft, box: null });
}

export function discard() {
  set({ draft: null });
}

/** Keep the preview: as the new shape of the region that was chosen, or as a new region. */
export function keepDraft() {
  const { draft } = state;
  const mask = draft?.result && maskOf(draft.result);
  if (!mask?.area) return;
  set({ draft: null });
  keepMask(draft.region === null ? null : (regionOf(draft.region) ?? null), mask);
  say(t("review.kept"));
}

/** Let the segmenter draw the chosen region anew, from its box. */
export async function snap() {
  const region = chosenOne();
  if (!region || !state.overview.can_segment) return;
  const { index } = state.picture;
  try {
    const { mask } = await whileWorking(api.segment(index, { box: region.box }));
    const same = state.picture?.index === index && regionOf(region.id) === region;
    if (!same) return;
    const found = mask && maskOf({ id: region.id, mask });
    if (found?.area) keepMask(region, found);
    else notice(t("draftEmpty"));
  } catch (error) {
    showTrouble(error);
  }
}

function blank() {
  return { region: chosenOne()?.id ?? null, points: [], labels: [], box: null, result: null };
}

function update(draft) {
  if (draft.points.length === 0 && !draft.box) return discard();
  set({ draft });
  return previews.run();
}

async function ask() {
  const { draft, picture } = state;
  if (!draft) return;
  const prompt = {};
  if (draft.points.length) Object.assign(prompt, { points: draft.points, labels: draft.labels });
  const box = draft.box ?? boxOfChosen(draft);
  if (box) prompt.box = box;
  try {
    const { mask } = await whileWorking(api.segment(picture.index, prompt));
    const same = state.draft && state.draft.region === draft.region && state.picture?.index === picture.index;
    if (same) set({ draft: { ...state.draft, result: { id: "draft", mask } } });
  } catch (error) {
    showTrouble(error);
    set({ draft: null });
  }
}

/** A region that is refined brings its box, unless a click says that it reaches farther. */
function boxOfChosen({ region, points, labels }) {
  const box = region === null ? null : regionOf(region)?.box;
  const outside = ([x, y]) => x < box[0] || y < box[1] || x >= box[2] || y >= box[3];
  return box && !points.some((point, i) => labels[i] && outside(point)) ? box : null;
}

const previews = new Latest(ask);
