/** Two windows on one conversation: each tells the other, and looks for itself now and then. */

import * as api from "./api.js";
import { t } from "./i18n.js";
import { notice, withdraw } from "./notices.js";
import { adopt, set, state } from "./store.js";

const LOOK_MS = 5000;
const channel = "BroadcastChannel" in window ? new BroadcastChannel("segue") : null;
let online = true;

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
  if (!conversation || state.reply || looking) return;
  looking = true;
  try {
    const after = await api.newer(conversation);
    nowOnline(true);
    const same = state.conversation?.id === conversation.id && !state.reply;
    if (after && same && after.revision > state.conversation.revision) {
      adopt(after);
      notice(t("changedElsewhere"));
    } else if (after && same && after.busy !== conversation.busy) {
      adopt(after);
    }
  } catch (error) {
    if (error.code === "unreachable") nowOnline(false);
    if (error.code === "conversation_not_found" && state.conversation?.id === conversation.id) {
      set({ conversation: null, draft: null, chosen: new Set(), lit: new Set() });
      notice(t("goneElsewhere"));
    }
  } finally {
    looking = false;
  }
}

function nowOnline(yes) {
  if (yes === online) return;
  online = yes;
  if (yes) {
    withdraw("offline");
    notice(t("online"));
  } else {
    notice(t("offline"), { bad: true, key: "offline" });
  }
}
