/** Messages: a card over the picture, and words for screen readers. */

import { byId, element, icon } from "./dom.js";
import { t } from "./i18n.js";

const STAYS_MS = 6000;
const BAD_STAYS_MS = 12_000;
const READING_MS = 60; // for each letter
const MOST = 4; // cards at a time

/** Let a screen reader say something, without showing it. */
export function say(text) {
  byId("spoken").textContent = text;
}

/**
 * Show a card until it was read, or closed. It waits while the pointer or the focus is on it.
 * `bad`: something failed; `foreign`: the text is in the server's language; `again` offers to try
 * once more; `stays`: until `withdraw(key)`.
 */
export function notice(title, { text = "", bad = false, foreign = false, again = null, stays = false, key = title } = {}) {
  const card = element("div", { class: bad ? "notice bad" : "notice", data: { key } }, element("strong", {}, title));
  const close = element("button", { class: "quiet", type: "button", "aria-label": t("dismiss") }, icon("close"));
  close.addEventListener("click", () => card.remove());
  card.append(close);
  if (text) card.append(element("p", {}, foreign ? quoted(text) : text));
  if (again) {
    const retry = element("button", { type: "button" }, t("tryAgain"));
    retry.addEventListener("click", () => {
      card.remove();
      again();
    });
    card.append(element("p", {}, retry));
  }
  withdraw(key);
  const holder = [...document.querySelectorAll("dialog[open] .sheet > .notices")].at(-1) ?? byId("notices");
  holder.append(card);
  while (holder.children.length > MOST) holder.firstElementChild.remove();
  if (bad) byId("alerts").textContent = `${title} ${text}`;
  else say(`${title} ${text}`);
  if (!stays) leaveAfter(card, (bad ? BAD_STAYS_MS : STAYS_MS) + READING_MS * (title.length + text.length));
  return card;
}

/** What the server says in its own language, marked as that where the page speaks another one. */
export function quoted(text) {
  const mark = t("serverSays");
  return mark ? [mark, element("q", { lang: "en" }, text)] : [text];
}

/** Take a card away. */
export function withdraw(key) {
  for (const card of document.querySelectorAll(".notice")) if (card.dataset.key === key) card.remove();
}

function leaveAfter(card, wait) {
  let timer = null;
  const begin = () => {
    clearTimeout(timer);
    timer = setTimeout(() => (card.matches(":hover, :focus-within") ? begin() : card.remove()), wait);
  };
  for (const event of ["pointerleave", "focusout"]) card.addEventListener(event, begin);
  begin();
}
