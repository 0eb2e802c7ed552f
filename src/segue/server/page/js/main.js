/** Put the page together. */

import * as api from "./api.js";
import { followAddress } from "./address.js";
import { showTrouble } from "./actions.js";
import { showComposer } from "./composer.js";
import { showTalk } from "./conversation.js";
import { showConversationList } from "./conversation_list.js";
import { byId } from "./dom.js";
import { showDraft, showTools } from "./draft_bar.js";
import { followIntake } from "./drop_and_paste.js";
import { showEdits } from "./edit_form.js";
import { showHeader } from "./header.js";
import { language, t, translate } from "./i18n.js";
import { askForKey, takeKey } from "./key_prompt.js";
import { notice, withdraw } from "./notices.js";
import { followOthers, serverLost } from "./other_windows.js";
import { followFileFields, showStart } from "./picker.js";
import { showPictures } from "./pictures.js";
import { followPointers } from "./pointer.js";
import { showRegions } from "./region_strip.js";
import { followKeys } from "./shortcuts.js";
import { set } from "./store.js";
import { theme } from "./theme.js";
import { Viewer } from "./viewer.js";

const AGAIN_MS = 1500;

set({ language: language(), theme: theme() });
translate(document);
const viewer = new Viewer(byId("canvas"));
showHeader();
showStart();
showPictures();
showTools(viewer);
showDraft();
showRegions();
showEdits();
showTalk();
showComposer();
showConversationList();
followPointers(viewer);
followKeys(viewer);
followFileFields();
followIntake();

api.gate.askForKey = askForKey;
await takeKey();
await meetServer();
await followAddress();
followOthers();
document.documentElement.dataset.ready = "true";

/** Ask the server what it is; wait while it loads its models or cannot be reached. */
async function meetServer() {
  for (;;) {
    try {
      const [about, samples] = await Promise.all([api.about(), api.samples()]);
      set({ about, samples });
      if (about.ready !== false) break;
      notice(t("loadingModels"), { key: "loading" });
    } catch (error) {
      if (!["loading", "unreachable"].includes(error.code)) {
        showTrouble(error);
        return;
      }
      if (error.code === "loading") notice(t("loadingModels"), { key: "loading" });
      else serverLost();
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
  withdraw("loading");
  withdraw("lost");
}
