/** Changes that were not applied, because another reviewer was faster: shown until they are settled. */

import { byId, element, refill } from "../dom.js";
import { language, t } from "../i18n.js";
import { notice } from "../notices.js";
import { change } from "./edits.js";
import { openPicture, reread } from "./queue.js";
import { hooks, save } from "./saving.js";
import { regionOf, set, state, watch } from "./store.js";

/** Show conflicts, and take notice of new ones. */
export function showConflicts() {
  hooks.conflict = (index) => {
    notice(t("review.conflictTitle"), { text: t("review.conflictText"), bad: true, key: `conflict ${index}` });
    setTimeout(() => (state.picture?.index === index ? reread(index) : null)); // once it is no longer pending
  };
  hooks.refused = (index) => setTimeout(() => (state.picture?.index === index ? openPicture(index) : null));
  watch(["picture", "language"], () => {
    const conflicts = state.picture?.conflicts ?? [];
    byId("conflicts").hidden = conflicts.length === 0;
    refill(byId("conflicts"), conflicts.map(card));
  });
}

function card(conflict) {
  const { id, reviewer, time } = conflict;
  const clock = new Date(time).toLocaleTimeString(language() === "zh" ? "zh-CN" : "en-GB", { hour: "2-digit", minute: "2-digit" });
  const button = (key, words, act) => element("button", { type: "button", data: { key: `${id} ${key}`, action: key }, on: { click: act } }, words);
  return element(
    "div",
    { class: "conflict" },
    element("p", {}, t("review.conflictOf", reviewer, clock, contentOf(conflict))),
    element("div", { class: "row" }, button("apply", t("review.conflictApply"), () => apply(conflict)), button("drop", t("review.conflictDrop"), () => settle(conflict, {}))),
  );
}

/** What a change did, for people. */
function contentOf({ regions, deleted, decision }) {
  const parts = [];
  if (regions.length) parts.push(t("review.conflictRegions", regions.length));
  if (deleted.length) parts.push(t("review.conflictDeleted", deleted.length));
  if (decision) parts.push(t(`review.conflict.${decision}`));
  return parts.join(t("review.comma"));
}

/** Do what the change did, on the picture as it is now. */
function apply(conflict) {
  const gone = conflict.deleted.filter(regionOf).map((id) => [id, null]);
  const set = conflict.regions.map((region) => [region.id, { ...region, class_number: state.overview.classes.indexOf(region.label) }]);
  for (const [, region] of set) if (region.class_number < 0) region.class_number = state.overview.classes.length;
  if (gone.length || set.length) change([...gone, ...set]);
  settle(conflict, conflict.decision ? { decision: conflict.decision } : {});
}

function settle({ id }, rest) {
  const { picture } = state;
  set({ picture: { ...picture, conflicts: picture.conflicts.filter((one) => one.id !== id) } });
  save(picture.index, { ...rest, resolves: [id] });
}
