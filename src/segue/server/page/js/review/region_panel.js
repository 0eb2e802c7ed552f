/** The regions of the open picture: choose one, hide one, show one, delete. */

import { byId, element, icon, keyedChildren } from "../dom.js";
import { language, t } from "../i18n.js";
import { classColour, css } from "../palette.js";
import { choose, deleteChosen } from "./edits.js";
import { chosenOne, regions, set, state, watch } from "./store.js";

/** Fill the panel and keep it right. */
export function showRegions() {
  let numbers = new Map();
  const fill = keyedChildren(
    byId("regions"),
    ({ id, label, class_number: number, score, doubts }) => [id, label, number, score, doubts, numbers.get(id), state.language],
    (region) => row(region, numbers.get(region.id)),
  );
  watch(["picture", "language"], () => {
    const here = regions();
    byId("region-count").textContent = state.picture ? String(here.length) : "";
    numbers = numbered(here);
    fill(here, here.length ? null : element("li", { class: "empty" }, t("review.regionsNone")));
    mark();
  });
  watch(["chosen", "lit", "hidden", "only", "masksShown"], mark);
  watch(["chosen"], () => {
    const one = chosenOne();
    if (one) rowOf(one.id)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}

/** Several regions of one class are told apart by numbers. */
function numbered(here) {
  const totals = new Map();
  for (const { label } of here) totals.set(label, (totals.get(label) ?? 0) + 1);
  const seen = new Map();
  return new Map(
    here.map(({ id, label }) => {
      seen.set(label, (seen.get(label) ?? 0) + 1);
      return [id, totals.get(label) > 1 ? seen.get(label) : 0];
    }),
  );
}

function rowOf(id) {
  return byId("regions").querySelector(`li[data-id="${CSS.escape(id)}"]`);
}

function row(region, number) {
  const { id, label } = region;
  const name = `${label || t("unnamed")}${number ? ` ${number}` : ""}`;
  const light = () => set({ lit: id });
  const dark = () => set({ lit: null });
  return element(
    "li",
    { data: { id }, on: { pointerenter: light, pointerleave: dark } },
    element(
      "button",
      {
        type: "button", class: "region", colour: css(classColour(region.class_number)), data: { key: id },
        on: {
          focus: light,
          blur: dark,
          click: (event) => choose(id, event.shiftKey || event.ctrlKey || event.metaKey),
          keydown: (event) => {
            if (event.key !== "Delete" && event.key !== "Backspace") return;
            event.preventDefault();
            event.stopPropagation();
            if (!state.chosen.has(id)) choose(id);
            deleteChosen();
          },
        },
      },
      element("span", { class: "name" }, name),
      element("small", { class: region.doubts.length ? "doubt" : "" }, factsOf(region)),
    ),
    toggle(id, "hide", "eye", t("review.hideOne", name), () => toggleHidden(id)),
    toggle(id, "only", "only", t("review.showOnly", name), () => toggleOnly(id)),
  );
}

function toggle(id, action, symbol, words, act) {
  return element("button", { type: "button", class: "quiet small", title: words, "aria-label": words, data: { key: `${id} ${action}`, action }, on: { click: act } }, icon(symbol));
}

/** Why a region is doubted, or how sure the models are of it. */
function factsOf({ doubts, score, found_by: foundBy }) {
  if (doubts.length) return doubts.map((kind) => t(`review.doubt.${kind}`)).join(t("review.comma"));
  if (score !== null) return new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: 0 }).format(score);
  return foundBy === "user" ? t("review.byHand") : "";
}

function mark() {
  for (const node of byId("regions").querySelectorAll("li[data-id]")) {
    const { id } = node.dataset;
    const isHidden = state.only !== null ? state.only !== id : state.hidden.has(id);
    node.toggleAttribute("data-lit", state.lit === id);
    node.toggleAttribute("data-hidden", isHidden || !state.masksShown);
    node.querySelector(".region").setAttribute("aria-pressed", String(state.chosen.has(id)));
    node.querySelector('[data-action="hide"]').setAttribute("aria-pressed", String(state.hidden.has(id)));
    node.querySelector('[data-action="only"]').setAttribute("aria-pressed", String(state.only === id));
  }
}

function toggleHidden(id) {
  const hidden = new Set(state.hidden);
  if (!hidden.delete(id)) hidden.add(id);
  set({ hidden, only: null });
}

function toggleOnly(id) {
  set({ only: state.only === id ? null : id, masksShown: true });
}

/** Hide or show the chosen regions; without any, all masks. */
export function hideChosen() {
  if (state.chosen.size === 0) return set({ masksShown: !state.masksShown });
  const hidden = new Set(state.hidden);
  const all = [...state.chosen].every((id) => hidden.has(id));
  for (const id of state.chosen) {
    if (all) hidden.delete(id);
    else hidden.add(id);
  }
  return set({ hidden, only: null });
}

/** Show only the chosen region, or all again. */
export function showOnlyChosen() {
  const one = chosenOne();
  if (state.only !== null || one) set({ only: state.only !== null ? null : one.id, masksShown: true });
}

/** Choose the region after (1) or before (-1) the chosen one. */
export function stepRegion(by) {
  const ids = regions().map((region) => region.id);
  if (!ids.length) return;
  const now = ids.findIndex((id) => state.chosen.has(id));
  choose(ids[(now < 0 ? (by > 0 ? 0 : ids.length - 1) : now + by + ids.length) % ids.length]);
}

/** Begin a new region: nothing is chosen, so that the next stroke, click or corner begins one. */
export function beginRegion(chooseTool) {
  choose(null);
  if (state.tool === "look" || state.tool === "eraser") chooseTool(state.overview.can_segment ? "click" : "brush");
  byId("canvas").focus();
}
