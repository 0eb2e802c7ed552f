/** Messages: a card on the screen, and words for screen readers. */

import { byId, element, icon } from "./dom.js";
import { t } from "./i18n.js";

const STAYS_MS = 6000;

/** Let a screen reader say something, without showing it. */
export function say(text) {
  byId("spoken").textContent = text;
}

/** Show a card. `bad` ones stay until dismissed; `again` offers to try once more. */
export function notice(title, { text = "", bad = false, again = null, key = title } = {}) {
  const holder = byId("notices");
  const card = element("div", { class: bad ? "notice bad" : "notice", data: { key } }, element("strong", {}, title));
  const close = element("button", { class: "quiet", type: "button", "aria-label": t("dismiss") }, icon("close"));
  close.addEventListener("click", () => card.remove());
  card.append(close);
  if (text) card.append(element("p", {}, text));
  if (again) {
    const retry = element("button", { type: "button" }, t("tryAgain"));
    retry.addEventListener("click", () => {
      card.remove();
      again();
    });
    card.append(element("p", {}, retry));
  }
  for (const old of holder.querySelectorAll(".notice")) if (old.dataset.key === key) old.remove();
  holder.append(card);
  if (bad) byId("alerts").textContent = `${title} ${text}`;
  else say(`${title} ${text}`);
  if (!bad) setTimeout(() => card.remove(), STAYS_MS);
  return card;
}

/** Take a card away. */
export function withdraw(key) {
  for (const card of byId("notices").querySelectorAll(".notice")) if (card.dataset.key === key) card.remove();
}
