/** Everything that changes a conversation goes through here: one way to wait, to fail, to tell. */

import * as api from "./api.js";
import { byId } from "./dom.js";
import { t } from "./i18n.js";
import { notice, say } from "./notices.js";
import { adopt, set, state } from "./store.js";
import { serverLost, tellOthers } from "./other_windows.js";
import { whileWorking } from "./progress.js";
import { shortName, showError } from "./trouble.js";

/** Tell a person what went wrong. */
export function showTrouble(error, again = null, about = "") {
  return showError(error, { again, about, lost: serverLost });
}

/** Run a call whose answer is the new state; gives it, or null when it failed. */
export async function changeWith(call, said = "") {
  try {
    const after = await whileWorking(call());
    adopt(after);
    tellOthers();
    if (said) say(said);
    return after;
  } catch (error) {
    showTrouble(error);
    if (error.code === "region_not_found") await catchUp();
    return null;
  }
}

/** Fetch the state if the server has a newer one. */
export async function catchUp() {
  const { conversation } = state;
  if (!conversation) return false;
  const after = await api.newer(conversation);
  if (!after || state.conversation?.id !== after.id) return false;
  adopt(after);
  return true;
}

let steps = Promise.resolve();

/** One step after the other, however fast the keys are pressed. */
function step(possible, call, said) {
  steps = steps.then(() => {
    if (!state.conversation?.[possible] || state.reply) return null;
    return changeWith(() => call(state.conversation.id), said);
  });
  return steps;
}

/** Take back the last change, or do it again. */
export function undo() {
  return step("can_undo", api.undo, t("undone"));
}

export function redo() {
  return step("can_redo", api.redo, t("redone"));
}

/** Delete the chosen regions. */
export async function deleteChosen() {
  const ids = [...state.chosen];
  for (const id of ids) {
    if (!(await changeWith(() => api.removeRegion(state.conversation.id, id)))) return;
  }
  say(t("deleted", ids.length));
  if (document.activeElement === document.body) (document.querySelector(".chip") ?? byId("canvas")).focus();
}

/** Make one region of the chosen ones. */
export async function mergeChosen() {
  const ids = [...state.chosen];
  const phrase = state.conversation.regions.find((region) => region.id === ids[0]).phrase;
  const after = await changeWith(() => api.merge(state.conversation.id, ids, phrase), t("merged"));
  if (after) set({ chosen: new Set([after.region.id]) });
}

/** Add pictures to the conversation that is open, or begin one with them; false if none came in. */
export async function addPictures(source) {
  const refusals = new Refusals();
  try {
    return await whileWorking(addOrBegin(source, refusals));
  } catch (error) {
    showTrouble(error, null, nameOf(source));
    return false;
  } finally {
    refusals.show();
  }
}

async function addOrBegin(source, refusals) {
  const open = state.conversation;
  const id = open?.id ?? (await api.create()).id;
  let after = null;
  try {
    after = await addEach(id, source, refusals);
  } finally {
    if (!after && !open) await api.remove(id).catch(() => {}); // leave no empty conversation behind
  }
  if (!after) return false;
  if (state.conversation === null || state.conversation.id === id) adopt(after);
  if (open && after.images.length === open.images.length) notice(t("pictureThere"));
  tellOthers();
  return true;
}

/** Add what can be added; the state after it, or null. Files of which one is refused go one by one. */
async function addEach(id, source, refusals) {
  try {
    checkSize(source);
    return await api.addPictures(id, source);
  } catch (error) {
    if (!Array.isArray(source) || !isRefusal(error)) throw error;
    if (source.length === 1) {
      refusals.add(source[0], error);
      return null;
    }
  }
  let after = null;
  for (const file of source) after = (await addEach(id, [file], refusals)) ?? after;
  return after;
}

/** Whether the server refuses what it was sent, and another file may be right. */
function isRefusal({ status, code }) {
  return [400, 413, 415, 422].includes(status) && code !== "conversation_not_found";
}

const MOST_NAMES = 3;

/** Files that were refused: one notice for all that were refused for the same reason. */
class Refusals {
  #byReason = new Map();

  add(file, error) {
    const { names } = this.#byReason.get(error.message) ?? { names: [] };
    this.#byReason.set(error.message, { names: [...names, file.name], error });
  }

  show() {
    for (const { names, error } of this.#byReason.values()) {
      const first = names.slice(0, MOST_NAMES).map(shortName).join(t("comma"));
      const more = names.length - MOST_NAMES;
      showTrouble(error, null, more > 0 ? t("andMore", first, more) : first);
    }
  }
}

function nameOf(source) {
  if (Array.isArray(source)) return source.length === 1 ? source[0].name : "";
  return source.url?.startsWith("data:") ? "" : (source.url ?? source.sample ?? "");
}

/** Refuse what the server would refuse, before it has travelled. */
function checkSize(source) {
  const most = state.about?.limits?.body_bytes ?? Infinity;
  const bytes = Array.isArray(source) ? source.reduce((sum, file) => sum + file.size, 0) : 0;
  if (bytes <= most) return;
  const megabytes = (count) => (count / 2 ** 20).toFixed(1);
  const message = t("tooManyBytes", megabytes(bytes), megabytes(most));
  throw new api.ApiError(413, { code: "body_too_large", message, isTranslated: true });
}

/** Open a conversation, or the first page (null). */
export async function openConversation(id) {
  if (state.reply) state.reply.stop();
  const empty = { conversation: null, image: 0, chosen: new Set(), lit: new Set(), draft: null, tool: "look", reply: null, editing: null, trial: null };
  if (id === null) return set(empty);
  try {
    const opened = await whileWorking(api.open(id));
    set(empty);
    adopt(opened);
  } catch (error) {
    if (error.code === "conversation_not_found") set(empty);
    showTrouble(error, error.code === "unreachable" ? () => openConversation(id) : null);
  }
  return undefined;
}

/** Open a session file as a new conversation. */
export async function openSession(file) {
  try {
    checkSize([file]);
    const opened = await whileWorking(api.importSession(file));
    await openConversation(null);
    adopt(opened);
  } catch (error) {
    showTrouble(error, null, file.name);
  }
}
