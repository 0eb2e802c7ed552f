/** Everything that changes a conversation goes through here: one way to wait, to fail, to tell. */

import * as api from "./api.js";
import { byId } from "./dom.js";
import { t } from "./i18n.js";
import { say } from "./notices.js";
import { adopt, set, state } from "./store.js";
import { serverLost, tellOthers } from "./other_windows.js";
import { whileWorking } from "./progress.js";
import { showError } from "./trouble.js";

/** Tell a person what went wrong. */
export function showTrouble(error, again = null) {
  return showError(error, { again, lost: serverLost });
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

/** Add pictures to the conversation that is open, or begin one with them. */
export async function addPictures(source) {
  try {
    await whileWorking(addOrBegin(source));
    return true;
  } catch (error) {
    showTrouble(error);
    return false;
  }
}

async function addOrBegin(source) {
  checkSize(source);
  const open = state.conversation;
  if (open) {
    adopt(await api.addPictures(open.id, source));
    tellOthers();
    return;
  }
  const fresh = await api.create();
  try {
    adopt(await api.addPictures(fresh.id, source));
  } catch (error) {
    await api.remove(fresh.id).catch(() => {}); // leave no empty conversation behind
    throw error;
  }
}

/** Refuse what the server would refuse, before it has travelled. */
function checkSize(source) {
  const most = state.about?.limits?.body_bytes ?? Infinity;
  const bytes = Array.isArray(source) ? source.reduce((sum, file) => sum + file.size, 0) : 0;
  if (bytes <= most) return;
  const megabytes = (count) => (count / 2 ** 20).toFixed(1);
  const message = t("tooManyBytes", megabytes(bytes), megabytes(most));
  throw new api.ApiError(413, { code: "body_too_large", message });
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
    showTrouble(error);
  }
}
