/** What went wrong, for people: in their language where there are words for it. */

import { ApiError } from "./api.js";
import { known, t } from "./i18n.js";
import { notice } from "./notices.js";

/**
 * Show what went wrong.
 * `again` may be offered; `lost` is called instead where the server cannot be reached.
 */
export function showError(error, { again = null, lost }) {
  if (error.name === "AbortError") return undefined;
  if (!(error instanceof ApiError)) console.error(error);
  if (error.code === "unreachable") return lost(again);
  const key = `error.${error.code}`;
  const title = known(key) ? t(key) : t("trouble");
  const wait = error.retryAfter ? ` ${t("waitSeconds", error.retryAfter)}` : "";
  const text = error.message === title ? "" : (error.message ?? "");
  return notice(title, { text: text + wait, bad: true, again });
}
