/** What a person points out, click by click, with a preview after each. */

import * as api from "./api.js";
import { changeWith, showTrouble } from "./actions.js";
import { Latest } from "./coalescing_task.js";
import { t } from "./i18n.js";
import { say } from "./notices.js";
import { regionOf, set, state } from "./store.js";

/** Add a click: label 1 belongs to it, 0 does not. */
export function addPoint([x, y], label) {
  const draft = drafted();
  update({ ...draft, points: [...draft.points, [x, y]], labels: [...draft.labels, label] });
}

/** Show a box while it is being dragged, with a preview as often as the server keeps up. */
export function dragBox(box) {
  if (state.tool !== "box") return set({ draft: { ...(state.draft?.exemplars ? state.draft : { ...blank(), exemplars: [] }), dragged: box } });
  const draft = drafted();
  set({ draft: { ...draft, dragged: box } });
  if (isBox(box)) previews.run();
}

/** The box is done; null when the drag was given up. */
export function endBox(box) {
  const { dragged: _, ...draft } = drafted();
  if (box && isBox(box)) update({ ...draft, box });
  else if (draft.box || draft.points.length) update(draft);
  else discard();
}

/** Show what is meant, or what is not, by a box: all that is like it is found. */
export function addExemplar(box, positive) {
  const { dragged: _, ...draft } = state.draft?.exemplars ? state.draft : blank();
  if (!box || !isBox(box)) return draft.exemplars?.length ? set({ draft }) : discard();
  return update({ ...draft, exemplars: [...(draft.exemplars ?? []), { box, positive }] });
}

/** The phrase may say what the examples are: look again. */
export function nameExemplars(phrase) {
  const { draft } = state;
  if (draft?.exemplars && draft.phrase !== phrase.trim()) update({ ...draft, phrase: phrase.trim() });
}

/** Take the last click (or the box, or example) back. */
export function takeBack() {
  const { draft } = state;
  if (!draft) return;
  if (draft.exemplars) return update({ ...draft, exemplars: draft.exemplars.slice(0, -1) });
  if (draft.points.length > draft.given) {
    update({ ...draft, points: draft.points.slice(0, -1), labels: draft.labels.slice(0, -1) });
  } else if (draft.box && !draft.region) {
    update({ ...draft, box: null });
  } else {
    discard();
  }
}

/** Begin to refine a region with clicks. */
export function refine(id) {
  const region = regionOf(id);
  const points = region.points ?? [];
  set({
    tool: "click",
    image: region.image,
    draft: {
      ...blank(),
      region: id,
      image: region.image,
      points,
      labels: region.labels ?? [],
      given: points.length,
      phrase: region.phrase,
    },
  });
}

/** Forget what was pointed out. */
export function discard() {
  set({ draft: null });
}

/** Keep it: as a new region, or as the new shape of the one that is refined. */
export async function keepDraft(phrase) {
  const { draft, conversation } = state;
  if (draft?.keeping || !(draft?.exemplars ? draft.results?.length : draft?.result?.mask)) return;
  set({ draft: { ...draft, keeping: true } });
  if (draft.exemplars) return keepLike(draft, conversation, phrase.trim());
  const prompt = { ...promptOf(draft), phrase: phrase.trim() };
  const after = await changeWith(() => api.keep(conversation.id, draft.region, prompt));
  if (!after) return void (state.draft && set({ draft: { ...state.draft, keeping: false } }));
  say(t("draftKept", phrase.trim() || t("unnamed")));
  set({ draft: null, chosen: new Set([after.region.id]) });
}

async function keepLike({ image, exemplars }, { id, regions }, phrase) {
  const known = new Set(regions.map((region) => region.id));
  const after = await changeWith(() => api.regionsLike(id, { image, exemplars, phrase }));
  if (!after) return void (state.draft && set({ draft: { ...state.draft, keeping: false } }));
  const added = after.regions.filter((region) => !known.has(region.id)).map((region) => region.id);
  say(t("draftKept", phrase || t("unnamed")));
  set({ draft: null, chosen: new Set(added) });
}

/** What clicks and boxes belong to: examples are another draft. */
function drafted() {
  return state.draft && !state.draft.exemplars ? state.draft : blank();
}

function blank() {
  return { region: null, image: state.image, points: [], labels: [], box: null, given: 0, phrase: "", result: null };
}

function isBox([x0, y0, x1, y1]) {
  return x1 - x0 >= 1 && y1 - y0 >= 1;
}

function promptOf(draft) {
  const box = draft.dragged ?? draft.box;
  const prompt = { image: draft.image };
  if (box) prompt.box = box;
  if (draft.points.length) Object.assign(prompt, { points: draft.points, labels: draft.labels });
  return prompt;
}

function update(draft) {
  const empty = draft.points.length === 0 && !draft.box && !draft.exemplars?.length;
  if (empty && !draft.region) return discard();
  set({ draft: empty ? { ...draft, result: null } : draft });
  return empty ? undefined : previews.run();
}

/** Ask for a preview of the draft as it is now. */
async function ask() {
  const { draft, conversation } = state;
  if (!draft || !conversation) return;
  try {
    if (draft.exemplars) {
      const { image, exemplars, phrase } = draft;
      const { regions } = await api.regionsLike(conversation.id, { image, exemplars, phrase, preview: true });
      if (state.draft?.exemplars === exemplars) set({ draft: { ...state.draft, results: regions } });
      return;
    }
    const { region } = await api.preview(conversation.id, draft.region, promptOf(draft));
    if (state.draft && state.draft.region === draft.region && state.draft.image === draft.image) {
      set({ draft: { ...state.draft, result: region } });
    }
  } catch (error) {
    showTrouble(error);
  }
}

const previews = new Latest(ask);
