/** Whether the server can be reached, and what is said when something goes wrong. */

import { t } from "../i18n.js";
import { notice, withdraw } from "../notices.js";
import { showError } from "../trouble.js";

let lost = false;

/** Tell a person what went wrong. */
export function showTrouble(error, again = null) {
  return showError(error, { again, lost: serverLost });
}

/** The server cannot be reached; it is looked for until it is back. */
export function serverLost(again = null) {
  if (lost && !again) return;
  lost = true;
  notice(t("error.unreachable"), { text: t("review.offline"), bad: true, again, stays: true, key: "lost" });
}

/** The server was reached. */
export function serverFound() {
  if (!lost) return;
  lost = false;
  withdraw("lost");
  notice(t("online"));
}
