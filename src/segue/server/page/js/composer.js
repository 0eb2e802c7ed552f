/** Where a question is typed, and what one might ask. */

import { ask } from "./answer_stream.js";
import { byId, element, refill } from "./dom.js";
import { language, t } from "./i18n.js";
import { state, watch } from "./store.js";

/** Wire the field, its buttons and the suggestions. */
export function showComposer() {
  const field = byId("question");
  const send = () => {
    const question = field.value.trim();
    if (!question || !canAsk()) return;
    field.value = "";
    ask(question);
  };
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return; // Enter also ends pinyin
    event.preventDefault();
    send();
  });
  byId("stop").addEventListener("click", () => state.reply?.stop());
  watch(["conversation", "reply", "about", "language"], () => {
    const focused = [byId("ask"), byId("stop")].includes(document.activeElement);
    byId("ask").hidden = state.reply !== null;
    byId("stop").hidden = state.reply === null;
    byId("ask").disabled = !canAsk();
    field.disabled = !state.conversation?.images.length || isLoading() || !hasChat();
    field.placeholder = t(isLoading() ? "loadingModels" : hasChat() ? "questionPlaceholder" : "noChat");
    if (focused) field.focus();
  });
  watch(["conversation", "reply", "samples", "language"], () => {
    refill(byId("suggestions"), suggestions().map((question) =>
      element("button", { type: "button", data: { key: question }, on: { click: () => suggest(question) } }, question),
    ));
  });
}

/** Ask what was suggested; the button will be gone, so the focus goes to the answer. */
function suggest(question) {
  byId("log").focus({ preventScroll: true });
  ask(question);
}

/** Whether the server still loads its models, and cannot say which there are. */
function isLoading() {
  return state.about?.ready === false;
}

/** Whether the server runs a chat model; it is taken to until it has said. */
function hasChat() {
  return state.about === null || state.about.models.chat !== null;
}

function canAsk() {
  const { conversation } = state;
  return Boolean(conversation?.images.length) && state.reply === null && !conversation.busy && !isLoading() && hasChat();
}

/** Up to three questions that were not asked yet, in the language of the page. */
function suggestions() {
  const { conversation } = state;
  if (!canAsk()) return [];
  const newest = conversation.images.at(-1);
  const sample = state.samples.find(({ name }) => newest.name === name || newest.name === `${name}.png`);
  const asked = new Set(conversation.turns.map((turn) => turn.question));
  const chinese = (question) => /\p{Script=Han}/u.test(question);
  const offered = sample?.questions.filter((q) => chinese(q) === (language() === "zh")) ?? [t("suggestWhat")];
  return offered.filter((question) => !asked.has(question)).slice(0, 3);
}
