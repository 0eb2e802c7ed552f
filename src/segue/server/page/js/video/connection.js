/** What is said when something goes wrong. */

import { t } from "../i18n.js";
import { notice } from "../notices.js";
import { showError } from "../trouble.js";

/** Tell a person what went wrong; `again` is offered. */
export function showTrouble(error, { again = null, about = "" } = {}) {
  return showError(error, {
    again,
    about,
    lost: (retry) => notice(t("error.unreachable"), { bad: true, again: retry, key: "lost" }),
  });
}
