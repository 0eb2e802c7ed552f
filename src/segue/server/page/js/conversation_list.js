/** The drawer with all conversations. */

import * as api from "./api.js";
import { openConversation, showTrouble } from "./actions.js";
import { Latest } from "./coalescing_task.js";
import { confirmed, openDialog } from "./dialog.js";
import { byId, element, icon, refill } from "./dom.js";
import { language, t } from "./i18n.js";
import { chooseSession } from "./picker.js";
import { state } from "./store.js";

/** Wire the button that opens the drawer. */
export function showConversationList() {
  byId("list-button").addEventListener("click", openList);
}

/** Open the drawer, ready to search. */
export async function openList() {
  const list = element("ul", { class: "entries" });
  const field = element("input", { type: "search", autocomplete: "off", spellcheck: "false", "aria-label": t("search"), placeholder: t("search") });
  const found = element("p", { role: "status" });
  const search = element("search", { class: "search" }, field, found);
  const begin = () => {
    dialog.close();
    openConversation(null);
  };
  const session = () => {
    dialog.close();
    chooseSession();
  };
  const buttons = element(
    "div",
    { class: "row" },
    element("button", { type: "button", class: "primary", on: { click: begin } }, icon("plus"), t("newConversation")),
    element("button", { type: "button", on: { click: session } }, t("openSession")),
  );
  const dialog = openDialog(t("conversations"), [buttons, search, list], { kind: "drawer" });
  const fill = new Latest(() => fillList({ list, field, found, dialog, fill }));
  field.addEventListener("input", () => fill.run());
  dialog.addEventListener("keydown", (event) => moveBetween(event, field, list));
  field.focus();
  await fill.run();
}

async function fillList(drawer) {
  const { list, field, found, dialog } = drawer;
  const words = field.value.trim();
  try {
    const all = await api.conversations(words);
    if (field.value.trim() !== words) return; // one more run is on its way
    refill(list, all.map((one) => entry(one, drawer)));
    found.textContent = words ? t(all.length ? "searchFound" : "searchNothing", all.length) : all.length ? "" : t("listEmpty");
  } catch (error) {
    dialog.close();
    showTrouble(error);
  }
}

/** Arrow keys go from the field to the entries and between them; Enter in the field opens the first. */
function moveBetween(event, field, list) {
  const entries = [...list.querySelectorAll(".open")];
  const at = entries.indexOf(event.target);
  if (event.target === field && event.key === "Enter" && !event.isComposing) entries[0]?.click();
  else if (event.key === "ArrowDown") (entries[at + 1] ?? entries.at(-1))?.focus();
  else if (event.key === "ArrowUp" && at >= 0) (entries[at - 1] ?? field).focus();
  else return;
  event.preventDefault();
}

function entry(one, { list, dialog, fill }) {
  const title = one.title || t("untitled");
  const then = new Date(one.updated * 1000);
  const year = then.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  const when = new Intl.DateTimeFormat(language(), { ...year, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
  const picture = one.thumbnail
    ? element("img", { src: one.thumbnail, alt: "", loading: "lazy" })
    : element("span", { class: "blank" });
  const open = () => {
    dialog.close();
    openConversation(one.id);
  };
  const remove = async () => {
    if (!(await confirmed(t("deleteConversationSure", title), t("delete")))) return;
    try {
      await api.remove(one.id);
      if (state.conversation?.id === one.id) openConversation(null);
      await fill.run();
      if (!list.contains(document.activeElement)) list.closest("dialog").querySelector(".search input").focus();
    } catch (error) {
      showTrouble(error);
    }
  };
  const label = t("deleteConversation", title);
  return element(
    "li",
    {},
    element(
      "button",
      { type: "button", class: "open", data: { id: one.id }, "aria-current": state.conversation?.id === one.id ? "true" : null, on: { click: open } },
      picture,
      element(
        "span",
        { class: "text" },
        element("span", { class: "name" }, title),
        one.excerpt ? element("span", { class: "excerpt" }, one.excerpt) : null,
        element("small", {}, `${t("listTurns", one.turns)} · ${when.format(then)}`),
      ),
    ),
    element("button", { type: "button", class: "quiet", "aria-label": label, title: label, on: { click: remove } }, icon("bin")),
  );
}
