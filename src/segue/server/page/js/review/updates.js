/** What other reviewers do: looked for every few seconds. */

import { t } from "../i18n.js";
import { notice } from "../notices.js";
import { serverFound, serverLost } from "./connection.js";
import { noteEntries, reread } from "./queue.js";
import * as api from "./review_api.js";
import { isPending, versionOf } from "./saving.js";
import { set, state } from "./store.js";

const LOOK_MS = 3000;
let since = 0;
let looking = false;

/** Begin to follow what others do. */
export function followOthers() {
  since = state.overview.n_changes;
  setInterval(() => document.hidden || look(), LOOK_MS);
  window.addEventListener("focus", look);
  window.addEventListener("online", look);
}

/** Look now. */
export async function look() {
  if (looking) return;
  looking = true;
  try {
    const { n_changes: count, entries, classes, counts } = await api.updates(since);
    serverFound();
    if (count < since) since = 0; // the server was started again
    if (count === since) return;
    since = count;
    noteEntries(entries.filter((entry) => !isPending(entry.index)));
    noteCounts({ classes, counts });
    await catchUp(entries.find((entry) => entry.index === state.picture?.index));
  } catch (error) {
    if (error.code === "unreachable") serverLost();
  } finally {
    looking = false;
  }
}

/** Take over classes and counts. */
export function noteCounts({ classes, counts }) {
  set({ overview: { ...state.overview, classes, counts } });
}

/** The open picture was changed by another reviewer: show it, unless it is being changed here. */
async function catchUp(entry) {
  if (!entry || isPending(entry.index) || state.draft || state.corners?.isOpen) return;
  const isNewer = entry.version > versionOf(entry.index);
  const hasConflict = entry.n_conflicts !== (state.picture.conflicts?.length ?? 0);
  if (!isNewer && !hasConflict) return;
  await reread(entry.index);
  if (isNewer) notice(t("review.changedBy", entry.reviewer), { key: "others" });
}
