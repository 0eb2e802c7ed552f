/** The regions of the picture as chips, and what to do with the chosen ones. */

import { deleteChosen, mergeChosen } from "./actions.js";
import { askText } from "./dialog.js";
import { byId, element, icon, refill } from "./dom.js";
import { refine } from "./draft.js";
import { beginEdit } from "./edit_form.js";
import { language, t } from "./i18n.js";
import { css } from "./palette.js";
import { renameRegion } from "./api.js";
import { changeWith } from "./actions.js";
import { choose, lighting } from "./selection.js";
import { lookOf, maskOf, regionOf, regionsHere, set, state, watch } from "./store.js";
import { nameOf } from "./viewer.js";

/** The order of the edit buttons; what the server does not offer is left out. */
const EDITS = ["cut_out", "blur", "recolour", "erase", "background"];

/** Fill the strip and keep it right. */
export function showRegions() {
  watch(["conversation", "reply", "image", "language"], () => {
    const entries = regionsHere().map(entry);
    refill(byId("regions"), entries.length ? entries : element("p", {}, t("regionsNone")));
    byId("regions").querySelectorAll(".chip").forEach(mark);
  });
  watch(["lit", "chosen", "hidden", "masksShown", "language"], () => byId("regions").querySelectorAll(".chip").forEach(mark));
  watch(["chosen", "reply", "conversation", "editing", "draft", "about", "language"], showActions);
}

/** How much of the picture a region covers, for people. */
export function areaOf(region) {
  const mask = maskOf(region);
  if (!mask) return t("regionNoMask");
  const format = new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: 1 });
  return t("area", format.format(mask.area / (mask.width * mask.height)));
}

/** How good the models think a region is, for people; null where none has said. */
function scoreOf({ score, mask_score: maskScore }) {
  const said = score ?? maskScore;
  if (said === null || said === undefined) return null;
  return t("score", new Intl.NumberFormat(language(), { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(said));
}

function isDoubtful({ verdict }) {
  return verdict && verdict.presence !== "present";
}

/** How sure the models are that something is there, for people. */
export function doubtOf({ presence, probability }) {
  const format = new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: 0 });
  return t(presence === "absent" ? "doubtful" : "unsure", format.format(probability));
}

/** A chip, and an eye that hides its region. */
function entry(region) {
  return element("span", { class: "entry" }, chip(region), eye(region));
}

function eye(region) {
  const { id } = region;
  const words = t("hideRegion", nameOf(region));
  const click = () => {
    const hidden = new Set(state.hidden);
    if (!hidden.delete(id)) hidden.add(id);
    set({ hidden });
  };
  return element("button", { type: "button", class: "quiet eye", title: words, "aria-label": words, data: { key: `${id} hide`, action: "hide" }, on: { click } }, icon("eye"));
}

function chip(region) {
  const parts = [areaOf(region), scoreOf(region)].filter((part) => part !== null);
  return element(
    "button",
    {
      type: "button",
      class: "chip",
      title: `${nameOf(region)}: ${parts.join(t("comma"))}`,
      colour: css(lookOf(region).line),
      data: { key: region.id, id: region.id },
      on: {
        ...lighting([region.id]),
        click: (event) => choose(region.id, event.shiftKey || event.ctrlKey || event.metaKey),
        keydown: (event) => {
          if (event.key !== "Delete" && event.key !== "Backspace") return;
          event.preventDefault();
          if (!state.chosen.has(region.id)) choose(region.id);
          deleteChosen();
        },
      },
    },
    element("span", { class: "name" }, nameOf(region)),
    parts.map((part) => element("small", {}, part)),
    isDoubtful(region) ? element("small", { class: "doubt" }, doubtOf(region.verdict)) : null,
  );
}

function mark(node) {
  const region = regionOf(node.dataset.id);
  if (!region) return;
  const chosen = state.chosen.has(region.id);
  node.toggleAttribute("data-lit", state.lit.has(region.id));
  node.setAttribute("aria-pressed", String(chosen));
  const hidden = state.hidden.has(region.id);
  node.parentElement.toggleAttribute("data-hidden", hidden || !state.masksShown);
  const button = node.nextElementSibling;
  button.setAttribute("aria-pressed", String(hidden));
  button.querySelector("use").setAttribute("href", `/page/icons.svg#icon-${hidden ? "eye-off" : "eye"}`);
}

function showActions() {
  const bar = byId("actions");
  const chosen = [...state.chosen].map(regionOf).filter(Boolean);
  bar.hidden = regionsHere().length === 0 || state.editing !== null;
  if (bar.hidden) return;
  if (chosen.length === 0 || state.reply !== null || state.draft !== null) {
    refill(bar, element("span", {}, t("chooseHint"))); // keeps the place, so that the picture does not jump
    return;
  }
  const one = chosen.length === 1;
  const together = chosen.every((region) => region.image === chosen[0].image);
  const button = (key, symbol, act, properties = {}) =>
    element("button", { type: "button", data: { key, action: key }, on: { click: act }, ...properties }, symbol && icon(symbol), t(key));
  const offered = EDITS.filter((name) => name in (state.about?.edits ?? {}));
  refill(
    bar,
    element("span", {}, t("chosenCount", chosen.length)),
    one && state.about?.models.segment ? button("refine", "click", () => startRefining(chosen[0].id)) : null,
    one ? button("rename", "pencil", () => renameOne(chosen[0])) : null,
    !one && together ? button("merge", "merge", mergeChosen) : null,
    button("delete", "bin", deleteChosen, { class: "danger" }),
    together ? element("span", { class: "divider", "aria-hidden": "true" }) : null,
    together ? offered.map((name) => button(name, null, () => beginEdit(name))) : null,
  );
}

function startRefining(id) {
  refine(id);
  byId("canvas").focus();
}

async function renameOne(region) {
  const phrase = await askText(t("renameTitle"), t("phrase"), region.phrase);
  if (phrase === null || phrase === region.phrase) return;
  await changeWith(() => renameRegion(state.conversation.id, region.id, phrase), t("renamed"));
}
