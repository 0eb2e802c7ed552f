/** Put the page of films together. */

import { gate } from "../api.js";
import * as server from "../api.js";
import { byId } from "../dom.js";
import { language, t, translate } from "../i18n.js";
import { askForKey, takeKey } from "../key_prompt.js";
import { notice, withdraw } from "../notices.js";
import { followPageSettings } from "../page_settings.js";
import { theme } from "../theme.js";
import { showTrouble } from "./connection.js";
import { showDownloads } from "./downloads.js";
import { listFilms, openFilm, showFilms } from "./films.js";
import { showPanel } from "./panel.js";
import { Player } from "./player.js";
import { followPointing, goTo } from "./pointing.js";
import { set } from "./store.js";
import { showTimeline } from "./timeline.js";
import { showQuestion } from "./question.js";
import { showThings } from "./things.js";
import { FilmView } from "./view.js";

const AGAIN_MS = 1500;

set({ language: language(), theme: theme() });
translate(document);
const view = new FilmView(byId("canvas"));
const player = new Player(view);
followPageSettings(set);
showFilms();
showPanel();
showThings();
showQuestion();
showTimeline((number) => goTo(number, player));
showDownloads();
followPointing(view, player);

gate.askForKey = askForKey;
await takeKey();
await meetServer();
await openNamed();
window.addEventListener("hashchange", openNamed);
document.documentElement.dataset.ready = "true";

/** Wait until the server has loaded its models. */
async function meetServer() {
  for (;;) {
    try {
      const about = await server.about();
      set({ about });
      if (about.ready !== false) break;
      notice(t("loadingModels"), { key: "loading", stays: true });
    } catch (error) {
      showTrouble(error);
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
  withdraw("loading");
  withdraw("lost");
}

/** Open the film that the address names, or list those that were sent before. */
async function openNamed() {
  const named = new URLSearchParams(location.hash.slice(1));
  if (named.get("v")) await openFilm(named.get("v"), named.get("r"));
  else await listFilms();
}
