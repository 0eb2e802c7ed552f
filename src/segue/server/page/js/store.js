/** What the page knows and shows. Parts of the page watch the fields they draw. */

import { observable } from "./observable.js";
import { looksOf } from "./palette.js";
import { Mask } from "./rle.js";

export const { state, set, watch } = observable({
  /** What the server says about itself. */
  about: null,
  samples: [],
  /** The conversation as the server keeps it; null on the first page. */
  conversation: null,
  /** The answer being written: {question, text, regions, not_found, broken, notices, stage, silent, stop}. */
  reply: null,
  /** Index of the picture shown. */
  image: 0,
  /** Ids of regions under the mouse or the keyboard focus. */
  lit: new Set(),
  /** Ids of chosen regions, in the order chosen. */
  chosen: new Set(),
  /** "look", "click" or "box". */
  tool: "look",
  /** What a person is pointing out: {region, image, points, labels, box, phrase, result}. */
  draft: null,
  /** The edit whose settings are being chosen: {operation, parameters}. */
  editing: null,
  /** What it would look like: an ImageBitmap. */
  trial: null,
  masksShown: true,
  /** Ids of regions that are hidden one by one. */
  hidden: new Set(),
  /** Share of the picture that shows how it was before the edits. */
  before: 0,
  language: "en",
  theme: "light",
});

/** All of the reply that came so far was a thought: its words, regions and masks go. */
export function withdrawReply() {
  const gone = new Set(state.reply.regions.map((region) => region.id));
  const without = (ids) => new Set([...ids].filter((id) => !gone.has(id)));
  set({
    reply: { ...state.reply, text: "", regions: [], not_found: [], broken: [], stage: "writing" },
    chosen: without(state.chosen),
    lit: without(state.lit),
  });
}

/** All regions, those of the reply being written among them. */
export function regions() {
  const kept = state.conversation?.regions ?? [];
  if (!state.reply) return kept;
  const ids = new Set(kept.map((region) => region.id));
  return [...kept, ...state.reply.regions.filter((region) => !ids.has(region.id))];
}

/** The regions of the picture shown. */
export function regionsHere() {
  return regions().filter((region) => region.image === state.image);
}

/** Those of them that are not hidden. */
export function regionsSeen() {
  return regionsHere().filter((region) => !state.hidden.has(region.id));
}

/** The region with this id, or undefined. */
export function regionOf(id) {
  return regions().find((region) => region.id === id);
}

let looksFor = [];
let looks = new Map();

/** How a region is drawn: {fill, line, number}. */
export function lookOf(region) {
  if (looksFor[0] !== state.conversation || looksFor[1] !== state.reply) {
    looksFor = [state.conversation, state.reply];
    looks = new Map();
    const all = regions();
    for (const image of new Set(all.map((one) => one.image))) {
      for (const pair of looksOf(all.filter((one) => one.image === image))) looks.set(...pair);
    }
  }
  return looks.get(region.id) ?? { fill: [0, 114, 178], line: [0, 114, 178], number: 0 };
}

const decoded = new WeakMap(); // by the run lengths as an object: quick
const masks = new Map(); // by the run lengths as text: the same in every state from the server

/** The mask of a region, decoded once; null when there is none or it cannot be read. */
export function maskOf(region) {
  if (!region.mask) return null;
  if (!decoded.has(region.mask)) decoded.set(region.mask, decodedOnce(region));
  return decoded.get(region.mask);
}

function decodedOnce({ id, mask: { size, counts } }) {
  const key = `${size} ${counts}`;
  if (!masks.has(key)) {
    let mask = null;
    try {
      mask = new Mask({ size, counts });
    } catch (error) {
      console.error(`The mask of ${id} cannot be read.`, error);
    }
    masks.set(key, mask);
    if (masks.size > 400) masks.delete(masks.keys().next().value);
  }
  return masks.get(key);
}

/** Take over a state from the server. Older ones than the one shown are left. */
export function adopt(conversation) {
  const now = state.conversation;
  if (now?.id === conversation.id && conversation.revision < now.revision) return;
  const ids = new Set(conversation.regions.map((region) => region.id));
  const last = conversation.images.length - 1;
  const grew = now?.id !== conversation.id || conversation.images.length > now.images.length;
  const image = grew || state.image > last ? Math.max(last, 0) : state.image;
  const draft = state.draft;
  const orphan = draft?.region && !ids.has(draft.region);
  set({
    conversation,
    image,
    chosen: new Set([...state.chosen].filter((id) => ids.has(id))),
    lit: new Set([...state.lit].filter((id) => ids.has(id))),
    hidden: new Set(now?.id === conversation.id ? [...state.hidden].filter((id) => ids.has(id)) : []),
    draft: grew || orphan ? null : draft,
    ...(grew ? { editing: null, trial: null } : {}),
  });
}
