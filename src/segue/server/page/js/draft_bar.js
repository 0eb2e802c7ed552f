/** The bar over the picture while a person points something out: name it, keep it, discard it. */

import { byId, element, icon } from "./dom.js";
import { discard, keepDraft, nameExemplars, takeBack } from "./draft.js";
import { t } from "./i18n.js";
import { areaOf } from "./region_strip.js";
import { maskOf, set, state, watch } from "./store.js";

/** Build the bar and the tools beside it, and keep them right. */
export function showDraft() {
  const bar = byId("draft");
  const field = element("input", { type: "text", id: "draft-name", maxlength: 200, autocomplete: "off" });
  const label = element("label", { class: "unseen", for: "draft-name" });
  const words = element("p", { id: "draft-words" });
  const back = element("button", { type: "button", class: "quiet", on: { click: takeBack } }, icon("undo"));
  const away = element("button", { type: "button", class: "quiet", on: { click: discard } }, icon("close"));
  const keep = element("button", { type: "submit", class: "primary", id: "draft-keep" });
  bar.append(words, label, field, back, away, keep);
  bar.addEventListener("submit", (event) => {
    event.preventDefault();
    keepDraft(field.value);
  });
  field.addEventListener("change", () => nameExemplars(field.value));
  let before = null;
  watch(["draft", "language"], () => {
    const { draft } = state;
    const focusInside = bar.contains(document.activeElement);
    bar.hidden = draft === null;
    if (draft && before === null) field.value = draft.phrase;
    if (!draft && before !== null && focusInside) byId("canvas").focus();
    before = draft;
    label.textContent = t("draftName");
    field.placeholder = t("draftNamePlaceholder");
    name(back, t("draftBack"));
    name(away, t("draftDiscard"));
    keep.textContent = t("draftKeep");
    if (!draft) return;
    if (draft.exemplars) {
      keep.disabled = !draft.results?.length || Boolean(draft.keeping);
      words.textContent = draft.results ? t("likeFound", draft.results.length) : t("draftWaiting");
      return;
    }
    const found = draft.result && (maskOf(draft.result)?.area ?? 0) > 0;
    keep.disabled = !found || Boolean(draft.keeping);
    words.textContent = found ? areaOf(draft.result) : draft.result ? t("draftEmpty") : t("draftWaiting");
  });
}

function name(button, words) {
  button.setAttribute("aria-label", words);
  button.title = words;
}

/** Tools that show examples. */
const EXAMPLES = new Set(["like", "unlike"]);

/** The tools at the edge of the picture. */
export function showTools(viewer) {
  const buttons = document.querySelectorAll("[data-tool]:is(button)");
  for (const button of buttons) button.addEventListener("click", () => chooseTool(button.dataset.tool));
  watch(["tool", "language", "draft"], () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.tool === state.tool));
    byId("stage").dataset.tool = state.tool;
    const hint = { click: "hintClick", box: "hintBox", like: "hintLike", unlike: "hintUnlike" }[state.tool];
    byId("hint").hidden = !hint || (state.draft !== null && state.draft.points.length > 1);
    if (hint) byId("hint").textContent = t(hint);
  });
  byId("zoom-in").addEventListener("click", () => viewer.zoom(1.5));
  byId("zoom-out").addEventListener("click", () => viewer.zoom(1 / 1.5));
  byId("zoom-fit").addEventListener("click", () => viewer.fit());
  byId("masks").addEventListener("click", toggleMasks);
  watch(["about"], () => {
    const able = state.about === null || state.about.models.segment !== null;
    for (const button of buttons) button.disabled = !able && button.dataset.tool !== "look" && !EXAMPLES.has(button.dataset.tool);
    for (const tool of EXAMPLES) document.querySelector(`button[data-tool="${tool}"]`).hidden = !state.about?.exemplars;
  });
  watch(["masksShown"], () => byId("masks").setAttribute("aria-pressed", String(state.masksShown)));
}

/** Take a tool into the hand. */
export function chooseTool(tool) {
  const button = document.querySelector(`button[data-tool="${tool}"]`);
  if (button.disabled || button.hidden) return;
  if (tool === "look") discard();
  set({ tool });
}

/** Show or hide the masks. */
export function toggleMasks() {
  set({ masksShown: !state.masksShown });
}
