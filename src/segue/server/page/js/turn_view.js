/** A question and its answer, as elements. Phrases are buttons tied to their regions. */

import { changeWith } from "./actions.js";
import * as api from "./api.js";
import { element } from "./dom.js";
import { language, t } from "./i18n.js";
import { css } from "./palette.js";
import { piecesOf, withoutWords } from "./phrases.js";
import { lighting } from "./selection.js";
import { doubtOf } from "./region_strip.js";
import { quoted } from "./notices.js";
import { lookOf, regionOf, set, state } from "./store.js";
import { nameOf } from "./viewer.js";

/** The question, with the pictures that were shown with it. */
export function questionNode({ question, images = [] }) {
  const pictures = images.map((index) => {
    const name = state.conversation.images[index]?.name ?? "";
    const label = t("pictureNumber", index + 1, name);
    const picture = element("img", { src: api.thumbnailUrl(state.conversation.id, index), alt: "" });
    const show = () => set({ image: index });
    return element("button", { type: "button", "aria-label": label, on: { click: show } }, picture);
  });
  return element(
    "div",
    { class: "asked" },
    element("span", { class: "unseen" }, `${t("you")}: `),
    pictures.length ? element("div", { class: "shown" }, pictures) : null,
    question,
  );
}

/**
 * The answer. `turn` is one of the conversation, or the reply being written (then it has a
 * `stage`); `regions` are its regions.
 */
export function answerNode(turn, regions, key) {
  const pieces = piecesOf(turn.text, regions);
  const rest = withoutWords(pieces, regions);
  const words = pieces.map(({ text, ids }, i) => (ids.length ? phraseNode(text, ids, `${key}-${i}`) : text));
  if (!turn.text && !turn.stage && !regions.length) words.push(t("answerEmpty"));
  return element(
    "div",
    { class: "answered" },
    element("span", { class: "unseen" }, `${t("segue")}: `),
    words.length ? element("div", { class: "text" }, words) : null,
    rest.length ? element("div", { class: "found-list" }, rest.map((r) => phraseNode(nameOf(r), [r.id], `${key}-${r.id}`))) : null,
    turn.stage ? element("div", { class: "stage-name" }, stageWords(turn)) : null,
    turn.stage === undefined && isOnlyWords(turn, regions) ? markButton(turn, key) : null,
    notesOf(turn),
  );
}

/** Whether an answer points at nothing, and nothing was looked for. */
function isOnlyWords(turn, regions) {
  const looked = regions.length || turn.marked.length || turn.not_found.length;
  return turn.text && !looked && state.about?.models.detect && state.conversation.images.length > 0;
}

function markButton(turn, key) {
  const mark = () => changeWith(() => api.mark(state.conversation.id, turn.index), t("marked"));
  return element("button", { type: "button", class: "mark-it", data: { key: `${key}-mark` }, on: { click: mark } }, t("markIt"));
}

function phraseNode(text, ids, key) {
  const node = element(
    "button",
    {
      type: "button",
      class: "phrase",
      colour: css(lookOf(regionOf(ids[0]) ?? { id: ids[0] }).fill),
      "aria-label": t("phraseLabel", text, ids.length),
      data: { key, ids: ids.join(" ") },
      on: { ...lighting(ids), click: () => chooseAll(ids) },
    },
    text,
  );
  markPhrase(node);
  return node;
}

/** Show on a phrase whether its regions are lit or chosen. */
export function markPhrase(node) {
  const ids = node.dataset.ids.split(" ");
  node.toggleAttribute("data-lit", ids.some((id) => state.lit.has(id)));
  node.setAttribute("aria-pressed", String(ids.every((id) => state.chosen.has(id))));
}

function chooseAll(ids) {
  const all = ids.every((id) => state.chosen.has(id)) && state.chosen.size === ids.length;
  const image = regionOf(ids[0])?.image ?? state.image;
  set({ chosen: new Set(all ? [] : ids), image });
}

/** What is going on with the reply being written. */
export function stageWords({ stage, position, silent, text, regions }) {
  if (stage === "waiting") return t("stageWaiting", position) + (silent ? ` (${t("seconds", silent)})` : "");
  if (silent) return t(text || regions.length ? "stageStillMore" : "stageStillFirst", silent);
  return t({ reading: "stageReading", writing: "stageWriting", masks: "stageMasks" }[stage]);
}

function notesOf(turn) {
  const note = (...content) => element("p", { class: "note" }, ...content);
  const notes = [];
  const comma = language() === "zh" ? "、" : ", ";
  const missing = turn.not_found ?? [];
  const verdictOf = (phrase) => turn.verdicts?.find((verdict) => verdict.phrase === phrase && verdict.presence !== "absent");
  const surely = missing.filter((phrase) => !verdictOf(phrase));
  if (surely.length) notes.push(note(t("notFound", surely.join(comma))));
  for (const phrase of missing.filter(verdictOf)) notes.push(note(t("perhaps", phrase), " ", doubtOf(verdictOf(phrase))));
  for (const broken of turn.broken ?? []) notes.push(note(`${t("brokenMarkup")} `, element("code", {}, broken)));
  if (turn.finish === "cancelled") notes.push(note(t("cancelled")));
  if (turn.finish === "error") notes.push(note(t("brokenOff")));
  if (turn.finish === "refused") notes.push(note(t("refused")));
  if (turn.finish === "length") notes.push(note(t("cutShort")));
  for (const sentence of new Set(turn.notices ?? [])) notes.push(note(...quoted(sentence)));
  const seconds = turn.seconds?.total;
  if (seconds !== undefined) notes.push(note(t("seconds", seconds.toFixed(1))));
  return notes;
}
