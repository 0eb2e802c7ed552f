/** Put the review page together. */

import { gate } from "../api.js";
import * as server from "../api.js";
import { byId } from "../dom.js";
import { language, t, translate } from "../i18n.js";
import { askForKey, takeKey } from "../key_prompt.js";
import { notice, withdraw } from "../notices.js";
import { followPageSettings } from "../page_settings.js";
import { theme } from "../theme.js";
import { showBars } from "./bar.js";
import { showClasses } from "./class_panel.js";
import { showConflicts } from "./conflicts.js";
import { serverLost, showTrouble } from "./connection.js";
import { followKeys } from "./keys.js";
import { loadQueue, noteEntries, openPicture } from "./queue.js";
import { showQueue } from "./queue_panel.js";
import { showRegions } from "./region_panel.js";
import * as api from "./review_api.js";
import { ensureName, showReviewer } from "./reviewer.js";
import { guardClosing, hooks } from "./saving.js";
import { set, state } from "./store.js";
import { followTools } from "./tools.js";
import { followOthers, noteCounts } from "./updates.js";
import { ReviewView } from "./view.js";

const AGAIN_MS = 1500;

set({ language: language(), theme: theme() });
translate(document);
const view = new ReviewView(byId("canvas"));
followPageSettings(set);
showBars(view);
showQueue();
showClasses();
showRegions();
showConflicts();
showReviewer();
followTools(view);
followKeys(view);
guardClosing();

gate.askForKey = askForKey;
hooks.saved = ({ entry, classes, counts }) => {
  noteCounts({ classes, counts });
  noteEntries([entry]);
  if (state.picture?.index === entry.index) set({ picture: { ...state.picture, state: entry.state, version: entry.version } });
};

await takeKey();
await meetServer();
await loadQueue();
await openFirst();
followOthers();
document.documentElement.dataset.ready = "true";
await ensureName();

/** Wait until the server has loaded its segmenter, or cannot be reached no more. */
async function meetServer() {
  for (;;) {
    try {
      const [about, overview] = await Promise.all([server.about(), api.overview()]);
      if (about.ready !== false) {
        set({ overview });
        break;
      }
      notice(t("loadingModels"), { key: "loading" });
    } catch (error) {
      if (error.code !== "unreachable") showTrouble(error);
      else serverLost();
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
  withdraw("loading");
  withdraw("lost");
}

/** Open the picture that the address names, or the first of the queue. */
async function openFirst() {
  const named = new URLSearchParams(location.hash.slice(1)).get("p");
  const index = /^\d+$/.test(named ?? "") ? Number(named) : state.entries[0]?.index;
  if (index !== undefined) await openPicture(index);
}
