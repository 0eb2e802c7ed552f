/** The bars: what is reviewed, undo and redo, the decisions, and help. */

import { openDialog } from "../dialog.js";
import { byId, element } from "../dom.js";
import { t } from "../i18n.js";
import { closeCorners, chooseTool, resizeBrush } from "./tools.js";
import { deleteChosen, redo, undo } from "./edits.js";
import { discard, keepDraft, snap, takeBack } from "./prompting.js";
import { decide, go } from "./queue.js";
import { beginRegion, hideChosen } from "./region_panel.js";
import { chosenOne, maskOf, set, state, watch } from "./store.js";

/** Wire the bars and keep them right. */
export function showBars(view) {
  const press = {
    undo, redo, snap, discard,
    "zoom-in": () => view.zoom(1.5),
    "zoom-out": () => view.zoom(1 / 1.5),
    "zoom-fit": () => view.fit(),
    masks: () => set({ masksShown: !state.masksShown }),
    "brush-smaller": () => resizeBrush(0.8),
    "brush-larger": () => resizeBrush(1.25),
    "new-region": () => beginRegion(chooseTool),
    "delete-region": deleteChosen,
    "hide-region": hideChosen,
    "draft-back": () => (state.draft ? takeBack() : removeLastCorner()),
    previous: () => go(-1),
    next: () => go(1),
    accept: () => decide("accept"),
    reject: () => decide("reject"),
    reopen: () => decide("reopen"),
    help: showHelp,
  };
  for (const [id, act] of Object.entries(press)) byId(id).addEventListener("click", act);
  for (const button of document.querySelectorAll("button[data-tool]")) {
    button.addEventListener("click", () => chooseTool(button.dataset.tool));
  }
  byId("draft").addEventListener("submit", (event) => {
    event.preventDefault();
    if (state.draft) keepDraft();
    else closeCorners(view);
  });
  watch(["canUndo", "canRedo"], () => {
    byId("undo").disabled = !state.canUndo;
    byId("redo").disabled = !state.canRedo;
  });
  watch(["masksShown"], () => byId("masks").setAttribute("aria-pressed", String(state.masksShown)));
  watch(["tool"], () => {
    byId("brush-size").hidden = state.tool !== "brush" && state.tool !== "eraser";
  });
  watch(["chosen", "overview", "picture"], () => {
    const one = chosenOne();
    byId("snap").disabled = !one || !state.overview?.can_segment || !state.picture?.has_file;
    byId("delete-region").disabled = byId("hide-region").disabled = state.chosen.size === 0;
    for (const button of document.querySelectorAll('[data-tool="click"], [data-tool="box"]')) {
      button.disabled = !state.overview?.can_segment || state.picture?.has_file === false;
    }
  });
  watch(["overview", "language"], () => {
    const { overview } = state;
    byId("review-title").textContent = overview?.name ?? "";
    document.title = overview ? `${overview.name} · ${t("review.title")}` : t("review.title");
  });
  watch(["picture", "language", "entries", "total"], showPicture);
  watch(["saving", "language"], () => {
    byId("saving").textContent = t(`review.saving.${state.saving}`);
    byId("saving").dataset.saving = state.saving;
  });
  watch(["draft", "corners", "language"], showDraft);
}

function showPicture() {
  const { picture } = state;
  const at = state.entries.findIndex((entry) => entry.index === picture?.index);
  byId("picture-name").textContent = picture?.name ?? "";
  byId("picture-place").textContent = at < 0 ? "" : t("review.place", at + 1, state.total);
  byId("picture-state").hidden = !picture;
  if (!picture) return;
  byId("picture-state").textContent = t(`review.state.${picture.state}`);
  byId("picture-state").className = `state ${picture.state}`;
  byId("picture-missing").hidden = picture.has_file;
  byId("reopen").disabled = picture.state === "todo";
  byId("accept").setAttribute("aria-pressed", String(["accepted", "corrected"].includes(picture.state)));
  byId("reject").setAttribute("aria-pressed", String(picture.state === "rejected"));
}

function showDraft() {
  const { draft, corners } = state;
  const isOpen = corners?.isOpen ?? false;
  byId("draft").hidden = !draft && !isOpen;
  if (byId("draft").hidden) return;
  if (isOpen) {
    byId("draft-words").textContent = t("review.cornerCount", corners.loops[0].length);
    byId("draft-keep").disabled = corners.loops[0].length < 3;
    return;
  }
  const found = draft.result?.mask && maskOf(draft.result)?.area > 0;
  byId("draft-keep").disabled = !found;
  byId("draft-words").textContent = found ? t("review.preview") : t(draft.result ? "draftEmpty" : "draftWaiting");
}

function removeLastCorner() {
  const { corners } = state;
  if (!corners?.isOpen) return;
  const rest = corners.loops[0].slice(0, -1);
  set({ corners: rest.length ? { ...corners, loops: [rest] } : null });
}

/** Which key does what. */
export function showHelp() {
  const keys = ["review.keysQueue", "review.keysClass", "review.keysRegion", "review.keysTools", "review.keysPicture", "review.keysMouse"];
  openDialog(t("review.helpTitle"), [
    element("p", {}, t("review.helpText")),
    element("ul", { class: "keys" }, keys.map((key) => element("li", {}, t(key)))),
  ], { kind: "wide" });
}
