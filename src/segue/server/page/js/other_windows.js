/** Two windows on one conversation: each tells the other, and looks for itself now and then. */

import * as api from "./api.js";
import { t } from "./i18n.js";
import { notice, withdraw } from "./notices.js";
import { adopt, set, state } from "./store.js";

const LOOK_MS = 5000;
const channel = "BroadcastChannel" in window ? new BroadcastChannel("segue") : null;
let lost = false;

/** Tell the other windows of this browser that something has changed. */
export function tellOthers() {
  channel?.postMessage(state.conversation?.id ?? "");
}

/** Begin to follow what happens elsewhere. */
export function followOthers() {
  channel?.addEventListener("message", ({ data }) => {
    if (data === state.conversation?.id) look();
  });
  document.addEventListener("visibilitychange", () => document.hidden || look());
  window.addEventListener("online", look);
  window.addEventListener("focus", look);
  setInterval(() => document.hidden || look(), LOOK_MS);
}

let looking = false;

async function look() {
  const { conversation } = state;
  if (state.reply || looking || !(conversation || lost)) return;
  looking = true;
  try {
    if (!conversation) {
      await api.about();
      return found();
    }
    const after = await api.newer(conversation);
    found();
    const same = state.conversation?.id === conversation.id && !state.reply;
    if (after && same && after.revision > state.conversation.revision) {
      adopt(after);
      notice(t("changedElsewhere"));
    } else if (after && same && after.busy !== conversation.busy) {
      adopt(after);
    }
  } catch (error) {
    if (error.code === "unreachable") serverLost();
    if (error.code === "conversation_not_found" && state.conversation?.id === conversation.id) {
      set({ conversation: null, draft: null, chosen: new Set(), lit: new Set() });
      notice(t("goneElsewhere"));
    }
  } finally {
    looking = false;
  }
  return undefined;
}

/** The server was reached. */
function found() {
  if (!lost) return;
  lost = false;
  withdraw("lost");
  notice(t("online"));
}

/** The server cannot be reached; `again` may be offered. It is looked for until it is back. */
export function serverLost(again = null) {
  if (lost && !again) return;
  lost = true;
  notice(t("error.unreachable"), { text: t("offline"), bad: true, again, stays: true, key: "lost" });
}
