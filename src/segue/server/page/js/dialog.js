/** Dialogs: native ones, so that the browser keeps the focus inside and Escape closes. */

import { byId, element, icon } from "./dom.js";
import { t } from "./i18n.js";

let opened = 0;

/** Show a dialog; gives its element. `closed` runs when it is gone. */
export function openDialog(title, body, { kind = "", footer = [], closed = () => {}, submit = null } = {}) {
  const id = `dialog-title-${++opened}`;
  const close = element("button", { type: "button", class: "quiet", "aria-label": t("close") }, icon("close"));
  const sheet = element(
    submit ? "form" : "div",
    { class: "sheet" },
    element("header", {}, element("h2", { id }, title), close),
    element("div", { class: "notices" }), // those behind the dialog cannot be seen
    ...[body].flat(),
    footer.length ? element("footer", {}, footer) : null,
  );
  const dialog = element("dialog", { class: kind, "aria-labelledby": id }, sheet);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // the backdrop
  // A field that is hidden already would take what is typed until the `close` event comes.
  dialog.addEventListener("beforetoggle", ({ newState }) => newState === "closed" && dialog.querySelector(":focus")?.blur());
  dialog.addEventListener("close", () => {
    byId("notices")?.append(...dialog.querySelectorAll(".notice"));
    dialog.remove();
    closed();
  });
  if (submit) {
    sheet.addEventListener("submit", (event) => {
      event.preventDefault();
      submit(dialog);
    });
  }
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Ask for a short text; null when the person thinks better of it. */
export function askText(title, label, value, { type = "text", hint = "", action = t("ok"), wrong = "" } = {}) {
  return new Promise((resolve) => {
    let answer = null;
    const field = element("input", { type, value, maxlength: 400, autocomplete: "off", spellcheck: "false" });
    const body = [
      hint ? element("p", {}, hint) : null,
      wrong ? element("p", { class: "wrong", role: "alert" }, wrong) : null,
      element("label", { class: "field" }, element("span", {}, label), field),
    ].filter(Boolean);
    const cancel = element("button", { type: "button" }, t("cancel"));
    const ok = element("button", { type: "submit", class: "primary" }, action);
    const dialog = openDialog(title, body, {
      footer: [cancel, ok],
      closed: () => resolve(answer),
      submit: (open) => {
        answer = field.value;
        open.close();
      },
    });
    cancel.addEventListener("click", () => dialog.close());
    field.focus();
    field.select();
  });
}

/** Ask whether to do something that cannot be taken back. */
export function confirmed(question, action) {
  return new Promise((resolve) => {
    let answer = false;
    const cancel = element("button", { type: "button" }, t("cancel"));
    const yes = element("button", { type: "submit", class: "danger" }, action);
    const dialog = openDialog(action, element("p", {}, question), {
      footer: [cancel, yes],
      closed: () => resolve(answer),
      submit: (open) => {
        answer = true;
        open.close();
      },
    });
    cancel.addEventListener("click", () => dialog.close());
    cancel.focus();
  });
}
