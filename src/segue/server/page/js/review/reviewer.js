/** The name of who reviews: asked once, remembered by the browser, written with every change. */

import { askText } from "../dialog.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { recall, remember } from "../local_storage.js";
import { set, state, watch } from "./store.js";

/** Show the name in the bar, and ask for it where it is not known. */
export function showReviewer() {
  set({ reviewer: recall("reviewer") ?? "" });
  byId("reviewer").addEventListener("click", askForName);
  watch(["reviewer", "language"], () => {
    const name = state.reviewer || t("review.nobody");
    byId("reviewer-name").textContent = name;
    byId("reviewer").title = t("review.reviewerIs", name);
    byId("reviewer").setAttribute("aria-label", t("review.reviewerIs", name));
  });
}

/** Ask for the name. */
export async function askForName() {
  const answer = await askText(t("review.nameTitle"), t("review.nameLabel"), state.reviewer, { hint: t("review.nameHint") });
  const name = answer?.trim().split(/\s+/u).join(" ").slice(0, 80);
  if (!name) return;
  remember("reviewer", name);
  set({ reviewer: name });
}

/** Ask once, where nobody has said a name in this browser. */
export async function ensureName() {
  if (!state.reviewer) await askForName();
}
