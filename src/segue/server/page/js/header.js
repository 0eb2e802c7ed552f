/** The bar at the top: undo, save, language, theme, and which models run. */

import * as api from "./api.js";
import { changeWith, redo, showTrouble, undo } from "./actions.js";
import { askText, openDialog } from "./dialog.js";
import { byId, element, refill, saveAs } from "./dom.js";
import { known, t } from "./i18n.js";
import { quoted, say } from "./notices.js";
import { isOperator } from "./operator.js";
import { followPageSettings } from "./page_settings.js";
import { whileWorking } from "./progress.js";
import { set, state, watch } from "./store.js";

const GROUPS = {
  exportGroupPictures: ["overlay", "edited", "masks", "label-map"],
  exportGroupData: ["coco", "json", "yolo", "labelme", "label-studio", "cvat", "geojson", "voc"],
  exportGroupSession: ["session"],
};

/** Wire the bar. */
export function showHeader() {
  byId("undo").addEventListener("click", undo);
  byId("redo").addEventListener("click", redo);
  followPageSettings(set);
  byId("about-button").addEventListener("click", showAbout);
  byId("about-badge").addEventListener("click", showAbout);
  byId("conversation-title").addEventListener("click", renameConversation);
  watch(["conversation", "reply"], () => {
    byId("undo").disabled = !state.conversation?.can_undo || state.reply !== null;
    byId("redo").disabled = !state.conversation?.can_redo || state.reply !== null;
  });
  watch(["conversation", "language"], showTitle);
  watch(["about"], () => (byId("about-badge").hidden = !state.about?.embedded));
  watch(["about", "conversation", "language"], showExports);
  document.addEventListener("click", (event) => {
    const menu = byId("export");
    if (menu.open && !menu.contains(event.target)) menu.open = false;
  });
}

function showTitle() {
  const button = byId("conversation-title");
  const title = state.conversation?.title || t("untitled");
  button.hidden = state.conversation === null;
  button.textContent = title;
  button.title = t("renameConversation");
  document.title = state.conversation ? `${title} · segue` : t("title");
}

async function renameConversation() {
  const { id, title } = state.conversation;
  const next = await askText(t("renameConversation"), t("conversationTitle"), title ?? "");
  if (next?.trim() && next !== title) await changeWith(() => api.rename(id, next.trim()), t("renamed"));
}

function showExports() {
  const { about, conversation } = state;
  byId("export").hidden = !conversation?.images.length || !about;
  if (byId("export").hidden) return;
  const offered = new Set(Object.keys(about.exports));
  const grouped = new Set(Object.values(GROUPS).flat());
  const others = [...offered].filter((name) => !grouped.has(name));
  const entries = Object.entries(GROUPS).flatMap(([title, names]) => {
    const here = [...names, ...(title === "exportGroupData" ? others : [])].filter((name) => offered.has(name));
    return here.length ? [element("h3", {}, t(title)), ...here.map(choice)] : [];
  });
  refill(byId("export-choices"), entries);
}

function choice(format) {
  const words = known(`export.${format}`) ? t(`export.${format}`) : format;
  const click = () => save(format);
  const title = known(`exportText.${format}`) ? t(`exportText.${format}`) : state.about.exports[format];
  return element("button", { type: "button", title, data: { key: format, format }, on: { click } }, words);
}

async function save(format) {
  byId("export").open = false;
  byId("export").querySelector("summary").focus();
  try {
    const { blob, name } = await whileWorking(api.exported(state.conversation.id, format));
    saveAs(blob, name);
    say(t("saved", name));
  } catch (error) {
    showTrouble(error);
  }
}

function showAbout() {
  const { about } = state;
  if (!about) return;
  const fact = (words, model) => [element("dt", {}, t(words)), element("dd", {}, model ? model.name : t("aboutNone"), model?.note ? [" (", ...quoted(model.note), ")"] : null)];
  const { chat, detect, segment } = about.models;
  openDialog(t("aboutTitle"), [
    element("p", {}, t("aboutVersion", about.version)),
    element("dl", { class: "facts" }, fact("aboutChat", chat), fact("aboutDetect", detect), fact("aboutSegment", segment)),
    about.embedded ? element("p", {}, t("aboutEmbedded"), " ", isOperator() ? t("aboutFullSize") : null) : null,
    element("h3", {}, t("aboutKeys")),
    element("ul", { class: "keys" }, ["keysQuestion", "keysUndo", "keysAnywhere", "keysPicture", "keysMouse"].map((key) => element("li", {}, t(key)))),
  ].filter(Boolean), { kind: "wide" });
}
