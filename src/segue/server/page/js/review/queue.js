/** The queue: which pictures there are, which one is open, and the way from one to the next. */

import { whileWorking } from "../progress.js";
import { t } from "../i18n.js";
import { notice, say } from "../notices.js";
import { showTrouble } from "./connection.js";
import { forgetSteps } from "./edits.js";
import * as api from "./review_api.js";
import { isPending, noteVersion, save } from "./saving.js";
import { set, state } from "./store.js";

const PAGE = 100;
let loading = 0;

/** Load the queue from its beginning, as the filter says. */
export async function loadQueue() {
  const mine = ++loading;
  try {
    const { entries, total } = await api.queue(state.filter, 0, PAGE);
    if (mine === loading) set({ entries, total });
  } catch (error) {
    showTrouble(error, loadQueue);
  }
}

/** Load the next part of the queue; false where there is none. */
export async function loadMore() {
  if (state.entries.length >= state.total) return false;
  const mine = loading;
  // What left the filter meanwhile stays in the list; the server no longer counts it.
  const gone = state.filter.state ? state.entries.filter((entry) => entry.state !== state.filter.state).length : 0;
  const { entries, total } = await api.queue(state.filter, state.entries.length - gone, PAGE);
  if (mine !== loading) return false;
  const known = new Set(state.entries.map((entry) => entry.index));
  const fresh = entries.filter((entry) => !known.has(entry.index));
  set({ entries: [...state.entries, ...fresh], total: fresh.length ? total + gone : state.entries.length });
  return fresh.length > 0;
}

/** Show only pictures of this state or class; "" shows all. */
export async function filterBy(change) {
  set({ filter: { ...state.filter, ...change } });
  await loadQueue();
  if (state.entries.length && !state.entries.some((entry) => entry.index === state.picture?.index)) {
    await openPicture(state.entries[0].index);
  }
}

/** Open a picture. */
export async function openPicture(index, { keepChosen = false } = {}) {
  try {
    const read = await whileWorking(api.picture(index));
    adopt(read, keepChosen);
    history.replaceState(null, "", `#p=${index}`);
    prefetchNext();
  } catch (error) {
    showTrouble(error, () => openPicture(index));
  }
}

/** Take over a picture from the server. */
export function adopt(read, keepChosen = false) {
  noteVersion(read.index, read.version);
  const regions = new Map(read.regions.map((region) => [region.id, region]));
  const chosen = new Set(keepChosen ? [...state.chosen].filter((id) => regions.has(id)) : []);
  const other = state.picture?.index !== read.index;
  set({
    picture: { ...read, regions },
    chosen,
    lit: null,
    draft: null,
    corners: null,
    ...(other ? { hidden: new Set(), only: null } : {}),
  });
  forgetSteps();
  noteEntries([read]);
}

/** Go to the next picture of the list (1), or the one before (-1). */
export async function go(by) {
  const at = state.entries.findIndex((entry) => entry.index === state.picture?.index);
  let next = state.entries[at + by];
  if (!next && by > 0 && (await loadMore().catch(showTrouble)) === true) next = state.entries[at + by];
  if (next) await openPicture(next.index);
  else say(t(by > 0 ? "review.noNext" : "review.noPrevious"));
  return Boolean(next);
}

/** Say what becomes of the open picture, and go on to the next one. */
export async function decide(decision) {
  const { picture } = state;
  if (!picture) return;
  const shown = { accept: "accepted", reject: "rejected", reopen: "todo" }[decision];
  noteEntries([{ ...picture, state: shown }]);
  set({ picture: { ...picture, state: shown } });
  save(picture.index, { decision });
  say(t(`review.said.${decision}`, picture.name));
  if (decision === "reopen") return;
  if (!(await go(1))) notice(t("review.endOfList"), { key: "end" });
}

/** Take over entries of pictures that have changed. */
export function noteEntries(fresh) {
  const byIndex = new Map(fresh.map(({ regions: _, conflicts: __, ...entry }) => [entry.index, entry]));
  if (!state.entries.some((entry) => byIndex.has(entry.index))) return;
  set({ entries: state.entries.map((entry) => byIndex.get(entry.index) ?? entry) });
}

/** Read the open picture again, unless something about it is still under way. */
export async function reread(index) {
  if (state.picture?.index !== index || isPending(index)) return;
  const read = await api.picture(index);
  if (state.picture?.index === index && !isPending(index)) adopt(read, true);
}

function prefetchNext() {
  const at = state.entries.findIndex((entry) => entry.index === state.picture?.index);
  const next = state.entries[at + 1];
  if (next?.has_file) api.prefetch(next.index).catch(() => {}); // it is asked for again in its turn
}
