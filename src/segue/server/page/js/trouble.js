/** What went wrong, for people: in their language where there are words for it. */

import { ApiError } from "./api.js";
import { known, t } from "./i18n.js";
import { notice } from "./notices.js";

const LONGEST_NAME = 60;

/**
 * Show what went wrong.
 * `about` names the file it is about; `again` may be offered; `lost` is called instead where the
 * server cannot be reached.
 */
export function showError(error, { again = null, about = "", lost }) {
  if (error.name === "AbortError") return undefined;
  if (!(error instanceof ApiError)) console.error(error);
  if (error.code === "unreachable") return lost(again);
  const key = `error.${error.code}`;
  const what = known(key) ? t(key) : t("trouble");
  const title = about ? t("aboutFile", shortName(about), what) : what;
  if (error.retryAfter) return notice(title, { text: t("waitSeconds", error.retryAfter), bad: true, again });
  const text = error.message === what ? "" : (error.message ?? "");
  return notice(title, { text, foreign: !error.isTranslated, bad: true, again });
}

/** The name of a file, its middle left out where it is long. */
export function shortName(name) {
  if (name.length <= LONGEST_NAME) return name;
  return `${name.slice(0, LONGEST_NAME / 2)}…${name.slice(1 - LONGEST_NAME / 2)}`;
}
