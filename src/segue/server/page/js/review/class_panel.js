/** The classes with their colours and keys. */

import { askText } from "../dialog.js";
import { byId, element, icon, refill } from "../dom.js";
import { t } from "../i18n.js";
import { classColour, css } from "../palette.js";
import { relabel, relabelAs } from "./edits.js";
import { set, state, watch } from "./store.js";

/** The key of a class: 1 to 9, then 0; the others have none. */
export function keyOfClass(number) {
  return number < 10 ? String((number + 1) % 10) : "";
}

/** Fill the panel and keep it right. */
export function showClasses() {
  watch(["overview", "activeClass", "language"], () => {
    const classes = state.overview?.classes ?? [];
    const add = element("button", { type: "button", class: "add", data: { key: "add" }, title: t("review.addClass"), "aria-label": t("review.addClass"), on: { click: addClass } }, icon("plus"));
    refill(byId("classes"), classes.map(button), add);
  });
}

function button(label, number) {
  const key = keyOfClass(number);
  return element(
    "button",
    { type: "button", class: "class", colour: css(classColour(number)), "aria-pressed": number === state.activeClass ? "true" : "false", data: { key: String(number), class: number }, on: { click: () => relabel(number) } },
    element("span", { class: "name" }, label || t("unnamed")),
    key ? element("kbd", {}, key) : null,
  );
}

/** Ask for the name of a class that is not there yet, and give it to what is chosen. */
export async function addClass() {
  const answer = await askText(t("review.addClass"), t("review.className"), "");
  const label = answer?.trim().split(/\s+/u).join(" ");
  if (!label) return;
  const { classes } = state.overview;
  const number = classes.indexOf(label);
  if (number >= 0) return relabel(number);
  // The server adds the class with the first region that has it; until then only this page knows it.
  set({ overview: { ...state.overview, classes: [...classes, label] }, activeClass: classes.length });
  return relabelAs(label);
}
