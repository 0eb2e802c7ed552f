/** The menu of files to save. */

import { byId, element, refill, saveAs } from "../dom.js";
import { t } from "../i18n.js";
import { notice, withdraw } from "../notices.js";
import { whileWorking } from "../progress.js";
import { showTrouble } from "./connection.js";
import { state, watch } from "./store.js";
import * as api from "./video_api.js";

const FILES = ["overlay.mp4", "sheet.png", "coco.json", "mot.txt"];

/** Fill the menu, and keep it right. */
export function showDownloads() {
  const menu = byId("downloads");
  watch(["run", "language", "isFollowing"], () => {
    menu.hidden = !state.run?.tracks.length || state.isFollowing;
    if (menu.hidden) menu.open = false;
    refill(
      byId("download-choices"),
      FILES.map((file) => element("button", { type: "button", data: { file, key: file }, on: { click: () => save(file) } }, t(`video.download.${file}`))),
    );
  });
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.preventDefault();
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

async function save(file) {
  byId("downloads").open = false;
  byId("downloads").querySelector("summary").focus();
  const { film, run } = state;
  if (file === "overlay.mp4") notice(t("video.drawing"), { key: "drawing", stays: true });
  try {
    const { blob, name } = await whileWorking(api.exported(film.id, run.id, file));
    withdraw("drawing");
    saveAs(blob, name);
    notice(t("video.saved", name), { key: "saved" });
  } catch (error) {
    withdraw("drawing");
    showTrouble(error);
  }
}
