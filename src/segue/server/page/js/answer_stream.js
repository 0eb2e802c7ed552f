/** Ask a question and follow the answer while it is being written. */

import * as api from "./api.js";
import { catchUp, showTrouble } from "./actions.js";
import { byId } from "./dom.js";
import { t } from "./i18n.js";
import { say } from "./notices.js";
import { tellOthers } from "./other_windows.js";
import { set, state, withdrawReply } from "./store.js";
import { stageWords } from "./turn_view.js";

const PATIENCE_MS = 4000; // how long to wait for a stopped reply to end by itself
const SILENCE_MS = 30_000; // after so long without a word the page says that it still waits

/** Ask; the question comes back into its field when it could not be asked. */
export async function ask(question) {
  const { conversation } = state;
  if (!conversation || state.reply) return;
  const controller = new AbortController();
  const reply = { ...blank(question, conversation), stop: () => stop(conversation.id, controller) };
  set({ reply, chosen: new Set(), draft: null, editing: null, trial: null });
  say(t("stageReading"));
  const voice = new Voice();
  const silence = new Silence(conversation.id);
  try {
    for await (const event of api.ask(conversation.id, question, controller.signal)) {
      silence.begin();
      if (state.conversation?.id !== conversation.id) return controller.abort(); // it was left
      if (event.name === "done") voice.end(event.data);
      else take(event, voice);
    }
  } catch (error) {
    if (!stopped.has(conversation.id)) return await fail(error, question);
  } finally {
    silence.end();
  }
  await settle(conversation, question);
}

/** The reply before its first word. */
function blank(question, { turns, images }) {
  const seen = new Set(turns.flatMap((turn) => turn.images));
  const shown = images.map((image) => image.index).filter((index) => !seen.has(index));
  return {
    question, images: shown, text: "", regions: [], not_found: [], verdicts: [], broken: [], notices: [], stage: "reading", position: 0,
    silent: 0, fresh: true,
  };
}

/** Conversations whose reply a person has stopped. */
const stopped = new Set();

function take({ name, data }, voice) {
  if (!state.reply) return;
  if (name === "thought" && data.retracts) {
    withdrawReply();
    voice.withdraw();
  }
  const reply = { ...state.reply, silent: 0, fresh: false };
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
  if (name === "not_found" && data.verdict) reply.verdicts = [...reply.verdicts, { phrase: data.phrase, ...data.verdict }];
  if (name === "broken") reply.broken = [...reply.broken, data.text];
  if (name === "notice") reply.notices = [...reply.notices, data.text];
  set({ reply });
}

/** The turn is over: take over how the server keeps it. A stopped one may have left nothing. */
async function settle({ id, turns }, question) {
  stopped.delete(id);
  await catchUp().catch(showTrouble);
  if (state.conversation?.id !== id) return;
  if (state.conversation.turns.length === turns.length) bringBack(question);
  set({ reply: null });
  tellOthers();
}

async function fail(error, question) {
  bringBack(question);
  set({ reply: null });
  const worthIt = error.code === "unreachable" || error.retryAfter;
  showTrouble(error, worthIt ? () => askAgain(question) : null);
  await catchUp().catch(() => {});
}

function bringBack(question) {
  const field = byId("question");
  if (!field.value) field.value = question;
}

function askAgain(question) {
  const field = byId("question");
  if (field.value === question) field.value = "";
  ask(question);
}

/** Stop politely, so that what was said is kept; hang up when the server does not answer. */
async function stop(id, controller) {
  stopped.add(id);
  const timer = setTimeout(() => controller.abort(), PATIENCE_MS);
  try {
    await api.stop(id);
    say(t("answerStopped"));
  } catch {
    /* the end of the stream tells */
  }
  controller.abort();
  clearTimeout(timer);
}

/** Counts how long nothing has come, and says so once it is long. */
class Silence {
  #since = Date.now();
  #said = false;
  #timer = setInterval(() => this.#look(), 1000);
  #conversation;

  constructor(conversation) {
    this.#conversation = conversation;
  }

  begin() {
    this.#since = Date.now();
    this.#said = false;
  }

  end() {
    clearInterval(this.#timer);
  }

  #look() {
    const passed = Date.now() - this.#since;
    const left = !state.reply || state.conversation?.id !== this.#conversation;
    if (left || passed < SILENCE_MS) return;
    set({ reply: { ...state.reply, silent: Math.floor(passed / 1000), fresh: false } });
    if (!this.#said) say(stageWords(state.reply));
    this.#said = true;
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

  /** What was read so far does not count. */
  withdraw() {
    if (this.#spoken) say(t("withdrawn"));
    this.#waiting = "";
    this.#spoken = false;
  }

  end({ turn, regions }) {
    say(t("answerDone", this.#spoken ? this.#waiting : turn.text, regions.length));
  }
}
