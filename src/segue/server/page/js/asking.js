/** Ask a question and follow the answer while it is being written. */

import * as api from "./api.js";
import { catchUp, showTrouble } from "./actions.js";
import { byId } from "./dom.js";
import { t } from "./i18n.js";
import { say } from "./notices.js";
import { tellOthers } from "./other_windows.js";
import { set, state } from "./store.js";

const PATIENCE_MS = 4000; // how long to wait for a stopped reply to end by itself

/** Ask; the question comes back into its field when it could not be asked. */
export async function ask(question) {
  const { conversation } = state;
  if (!conversation || state.reply) return;
  const controller = new AbortController();
  const seen = new Set(conversation.turns.flatMap((turn) => turn.images));
  const images = conversation.images.map((image) => image.index).filter((index) => !seen.has(index));
  const reply = {
    question, images, text: "", regions: [], not_found: [], broken: [], stage: "reading", position: 0, fresh: true,
    stop: () => stop(conversation.id, controller),
  };
  set({ reply, chosen: new Set() });
  say(t("stageReading"));
  const voice = new Voice();
  try {
    for await (const event of api.ask(conversation.id, question, controller.signal)) {
      if (state.conversation?.id !== conversation.id) return;
      if (event.name === "done") voice.end(event.data);
      else take(event, voice);
    }
    await settle();
  } catch (error) {
    await fail(error, question);
  }
}

function take({ name, data }, voice) {
  const reply = { ...state.reply, fresh: false };
  if (name === "waiting") Object.assign(reply, { stage: "waiting", position: data.position });
  if (name === "text") {
    Object.assign(reply, { stage: "writing", text: reply.text + data.text });
    voice.add(data.text);
  }
  if (name === "region" || name === "mask") {
    const others = reply.regions.filter((region) => region.id !== data.id);
    const stage = name === "region" ? "masks" : "writing";
    const place = reply.regions.findIndex((region) => region.id === data.id);
    Object.assign(reply, { stage, regions: others.toSpliced(place < 0 ? others.length : place, 0, data) });
  }
  if (name === "not_found") reply.not_found = [...reply.not_found, data.phrase];
  if (name === "broken") reply.broken = [...reply.broken, data.text];
  set({ reply });
}

/** The turn is over: take over how the server keeps it. */
async function settle() {
  await catchUp();
  set({ reply: null });
  tellOthers();
}

async function fail(error, question) {
  const stopped = error.name === "AbortError";
  if (!stopped) {
    const field = byId("question");
    if (!field.value) field.value = question;
    showTrouble(error, error.code === "unreachable" || error.retryAfter ? () => ask(question) : null);
  }
  set({ reply: null });
  await catchUp().catch(() => {});
}

/** Stop politely, so that the end of the turn arrives; hang up when it does not. */
async function stop(id, controller) {
  const timer = setTimeout(() => controller.abort(), PATIENCE_MS);
  controller.signal.addEventListener("abort", () => clearTimeout(timer));
  try {
    await api.stop(id);
    say(t("answerStopped"));
  } catch {
    controller.abort();
  }
}

/** Reads an answer to a screen reader, sentence by sentence. */
class Voice {
  #waiting = "";
  #spoken = false;

  add(text) {
    this.#waiting += text;
    const cut = Math.max(...[..."。！？.!?\n"].map((mark) => this.#waiting.lastIndexOf(mark))) + 1;
    if (cut < 40) return;
    say(this.#waiting.slice(0, cut));
    this.#waiting = this.#waiting.slice(cut);
    this.#spoken = true;
  }

  end({ turn, regions }) {
    say(t("answerDone", this.#spoken ? this.#waiting : turn.text, regions.length));
  }
}
