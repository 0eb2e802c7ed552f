/** The conversation's side: all turns, and the reply being written. */

import { changeWith } from "./actions.js";
import * as api from "./api.js";
import { ask } from "./answer_stream.js";
import { lighting } from "./selection.js";
import { byId, element, refill } from "./dom.js";
import { t } from "./i18n.js";
import { nameOf } from "./viewer.js";
import { regionOf, state, watch } from "./store.js";
import { answerNode, markPhrase, questionNode } from "./turn_view.js";

/** Fill the log and keep it right. */
export function showTalk() {
  const log = byId("log");
  const past = element("div", { class: "log-part" });
  const live = element("div", { class: "log-part" });
  const empty = element("p", { class: "empty" });
  const topic = element("div", { class: "log-part topic" });
  log.append(empty, past, live, topic);
  watch(["conversation", "reply", "language"], () => refill(topic, newTopicNode()));

  watch(["conversation", "reply", "language"], () => keepingDown(log, () => refill(past, pastNodes())));
  watch(["reply", "conversation", "language"], () => keepingDown(log, () => refill(live, liveNode())));
  watch(["conversation", "reply", "language"], () => {
    const turns = state.conversation?.turns.length ?? 0;
    empty.hidden = turns > 0 || state.reply !== null;
    empty.textContent = state.conversation?.images.length ? t("questionPlaceholder") : t("firstPicture");
  });
  watch(["lit", "chosen", "conversation", "reply"], () => log.querySelectorAll(".phrase").forEach(markPhrase));
  watch(["chosen"], () => {
    const chosen = log.querySelector('.phrase[aria-pressed="true"]');
    if (chosen && !log.contains(document.activeElement)) chosen.scrollIntoView({ block: "nearest" });
  });
}

function pastNodes() {
  const start = state.conversation?.history_start ?? 0;
  return (state.conversation?.turns ?? []).map((turn) => {
    const own = turn.mentions.map(({ region, ...words }) => ({ ...regionOf(region), ...words }));
    const isLastForgotten = turn.index === start - 1;
    return [
      element("article", { class: "turn" }, questionNode(turn), answerNode(turn, own, `turn-${turn.index}`), choicesNode(turn)),
      isLastForgotten ? element("p", { class: "forgotten", role: "separator" }, t("forgotten")) : null,
    ];
  }).flat();
}

/** Buttons that say which of several objects is meant; of the newest turn alone. */
function choicesNode({ index, choices }) {
  const isNewest = index === state.conversation.turns.length - 1 && !state.reply;
  const regions = isNewest ? choices.map(regionOf).filter(Boolean) : [];
  if (!regions.length) return null;
  const button = (region) => {
    const choose = () => ask(t("choiceAnswer", region.id.slice(1)));
    const attributes = { type: "button", class: "mark-it", data: { key: `choice-${region.id}` }, on: { ...lighting([region.id]), click: choose } };
    return element("button", attributes, `${nameOf(region)} ${region.id}`);
  };
  return element("div", { class: "offered", role: "group", "aria-label": t("choices") }, regions.map(button));
}

/** The button that begins a new topic; there while the chat model is sent earlier turns. */
function newTopicNode() {
  const { conversation, reply } = state;
  if (!conversation || reply || conversation.turns.length <= conversation.history_start) return null;
  const forget = () => changeWith(() => api.forget(conversation.id), t("newTopicBegun"));
  return element("button", { type: "button", class: "mark-it", data: { key: "new-topic" }, title: t("newTopicHint"), on: { click: forget } }, t("newTopic"));
}

function liveNode() {
  const { reply } = state;
  if (!reply && state.conversation?.busy) return element("p", { class: "answered" }, element("span", { class: "stage-name" }, t("busyElsewhere")));
  if (!reply) return null;
  const own = reply.regions.map(({ id, phrase, span }) => ({ ...regionOf(id), phrase, span }));
  return element(
    "article",
    { class: "turn", "aria-busy": "true", id: "reply" },
    questionNode({ question: reply.question, images: reply.images }),
    answerNode(reply, own, "reply"),
  );
}

/** Change the log; stay at its end when a person was reading there. */
function keepingDown(log, change) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  change();
  if (atEnd || state.reply?.fresh) log.scrollTop = log.scrollHeight;
}
