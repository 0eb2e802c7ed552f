/**
 * Changes on their way to the server: one after the other, each with the version it is based on.
 * What is done while one is under way becomes the next one. Nothing is thrown away: a change that
 * cannot be delivered is tried again until it is, under the same id.
 */

import { t } from "../i18n.js";
import { notice } from "../notices.js";
import { serverFound, serverLost, showTrouble } from "./connection.js";
import * as api from "./review_api.js";
import { set, state } from "./store.js";

const AGAIN_MS = 1500;

const waiting = []; // {index, id, regions: Map, deleted: Set, decision, resolves}
const versions = new Map(); // by index: the version that the next change is based on
let sending = null;

/** Set by the page: called with the index of a picture whose change became a conflict. */
export const hooks = { conflict: () => {}, refused: () => {}, saved: () => {} };

/** Note the version of a picture that was read, unless changes to it are still under way. */
export function noteVersion(index, version) {
  if (!isPending(index)) versions.set(index, version);
}

/** Whether a picture has changes that the server has not confirmed. */
export function isPending(index) {
  return waiting.some((one) => one.index === index);
}

/** The version of a picture that the page knows. */
export function versionOf(index) {
  return versions.get(index) ?? 0;
}

/** Send a change soon: `regions` to set, ids to delete, a decision, conflicts to resolve. */
export function save(index, { regions = [], deleted = [], decision = null, resolves = [] }) {
  const last = waiting[waiting.length - 1];
  const open = last && last.index === index && last !== sending;
  const draft = open ? last : { index, id: newId(), regions: new Map(), deleted: new Set(), decision: null, resolves: [] };
  if (!open) waiting.push(draft);
  for (const region of regions) {
    draft.regions.set(region.id, region);
    draft.deleted.delete(region.id);
  }
  for (const id of deleted) {
    draft.regions.delete(id);
    draft.deleted.add(id);
  }
  draft.decision = decision ?? draft.decision;
  draft.resolves.push(...resolves);
  set({ saving: "saving" });
  if (!sending) sendAll();
}

/** A name that nobody else has chosen. */
export function newId(prefix = "c") {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return `${prefix}${[...bytes].map((byte) => byte.toString(36).padStart(2, "0")).join("")}`;
}

async function sendAll() {
  while (waiting.length) {
    sending = waiting[0];
    const done = await send(sending);
    if (!done) {
      set({ saving: "waiting" });
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      continue;
    }
    waiting.shift();
  }
  sending = null;
  set({ saving: "saved" });
}

/** Send a change; false where it must be tried again. */
async function send(draft) {
  const { index, id } = draft;
  const base = versionOf(index);
  const body = { id, base, reviewer: state.reviewer || t("review.nobody"), deleted: [...draft.deleted], resolves: draft.resolves };
  body.regions = [...draft.regions.values()].map(({ id: name, label, mask, box }) => (mask ? { id: name, label, mask } : { id: name, label, box }));
  if (draft.decision) body.decision = draft.decision;
  try {
    const answer = await api.change(index, body);
    serverFound();
    versions.set(index, answer.entry.version);
    hooks.saved(answer);
    return true;
  } catch (error) {
    if (error.code === "conflict") hooks.conflict(index);
    else if (error.status === 0 || error.status >= 500 || error.status === 429) {
      if (error.status === 0) serverLost();
      else showTrouble(error);
      return false;
    } else {
      showTrouble(error);
      hooks.refused(index);
    }
    return true;
  }
}

/** Let nobody close the page while something is under way. */
export function guardClosing() {
  window.addEventListener("beforeunload", (event) => {
    if (waiting.length) event.preventDefault();
  });
  window.addEventListener("offline", () => waiting.length && notice(t("review.offline")));
}
