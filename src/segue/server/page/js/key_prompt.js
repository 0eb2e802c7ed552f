/** A server that wants a key: from the address it printed, or typed in once. */

import * as api from "./api.js";
import { askText } from "./dialog.js";
import { t } from "./i18n.js";

let asking = null;

/** Ask a person for the key until the server takes it; several calls wait for the same answer. */
export function askForKey() {
  asking ??= prompt().finally(() => (asking = null));
  return asking;
}

async function prompt() {
  let wrong = "";
  for (;;) {
    const key = await askText(t("keyTitle"), t("keyLabel"), "", { type: "password", hint: t("keyText"), action: t("keyUse"), wrong });
    if (key?.trim() && (await tried(key.trim()))) return;
    wrong = key === null ? "" : t("keyWrong");
  }
}

/** Show a key to the server; false when it is the wrong one. */
export async function tried(key) {
  try {
    await api.login(key);
    return true;
  } catch (error) {
    if (error.status === 401) return false;
    throw error;
  }
}

/** Take the key out of the address, and use it. */
export async function takeKey() {
  const found = new URLSearchParams(location.hash.slice(1));
  const key = found.get("key");
  if (!key) return;
  found.delete("key");
  history.replaceState(null, "", found.size ? `#${found}` : location.pathname);
  await tried(key).catch(() => false); // a wrong one shows at the next call
}
