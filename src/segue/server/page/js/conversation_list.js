/** The drawer with all conversations. */

import * as api from "./api.js";
import { openConversation, showTrouble } from "./actions.js";
import { confirmed, openDialog } from "./dialog.js";
import { byId, element, icon, refill } from "./dom.js";
import { language, t } from "./i18n.js";
import { chooseSession } from "./picker.js";
import { state } from "./store.js";

/** Wire the button that opens the drawer. */
export function showConversationList() {
  byId("list-button").addEventListener("click", openList);
}

async function openList() {
  const list = element("ul", { class: "entries" });
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
  const dialog = openDialog(t("conversations"), [buttons, list], { kind: "drawer" });
  await fillList(list, dialog);
}

async function fillList(list, dialog) {
  try {
    const all = await api.conversations();
    refill(list, all.length ? all.map((one) => entry(one, list, dialog)) : element("p", {}, t("listEmpty")));
  } catch (error) {
    dialog.close();
    showTrouble(error);
  }
}

function entry(one, list, dialog) {
  const title = one.title || t("untitled");
  const when = new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short" });
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
      await fillList(list, dialog);
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
      element("span", { class: "text" }, element("span", { class: "name" }, title), element("small", {}, `${t("listTurns", one.turns)} · ${when.format(one.updated * 1000)}`)),
    ),
    element("button", { type: "button", class: "quiet", "aria-label": label, title: label, on: { click: remove } }, icon("bin")),
  );
}
