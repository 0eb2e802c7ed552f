/** The first page: choose or drop a film, or open one that was sent before. */

import { confirmed } from "../dialog.js";
import { byId, element, icon, refill } from "../dom.js";
import { t } from "../i18n.js";
import { notice, say } from "../notices.js";
import { whileWorking } from "../progress.js";
import { showTrouble } from "./connection.js";
import { showStored, stop } from "./following.js";
import { clearEntries, set, state, watch } from "./store.js";
import * as api from "./video_api.js";

/** Wire the first page, the field for files, and drag and drop. */
export function showFilms() {
  watch(["film", "films", "upload", "about", "language"], () => {
    const { film } = state;
    byId("start").hidden = film !== null;
    byId("film-side").hidden = byId("follow-side").hidden = byId("other-film").hidden = film === null;
    byId("film-name").textContent = film?.name ?? t("video.heading");
    document.title = film ? `${film.name} · ${t("video.title")}` : t("video.title");
    if (!film) refill(byId("start"), firstPage());
  });
  byId("other-film").addEventListener("click", closeFilm);
  byId("file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) sendFilm(file);
  });
  followDrops();
}

/** Show the films that were sent before. */
export async function closeFilm() {
  stop();
  clearEntries();
  set({ film: null, run: null, things: [], active: null, found: null, exemplars: null, correction: null, chosen: null, number: 0, isPlaying: false });
  history.replaceState(null, "", location.pathname);
  await listFilms();
}

/** Get the list of films. */
export async function listFilms() {
  try {
    set({ films: await api.films() });
  } catch (error) {
    showTrouble(error, { again: listFilms });
  }
}

/** Open a film that the server has, and a run of it. */
export async function openFilm(id, run = null) {
  stop();
  try {
    const film = await whileWorking(api.film(id));
    clearEntries();
    set({ film, number: 0, run: null, things: [], active: null, found: null, exemplars: null, correction: null, chosen: null, isPlaying: false, tool: "look" });
    history.replaceState(null, "", run ? `#v=${id}&r=${run}` : `#v=${id}`);
    if (!run) return;
    const stored = await whileWorking(api.stored(id, run));
    if (state.film?.id !== id) return;
    byId("phrases").value = (stored.request.phrases ?? []).join(", ");
    if ([...byId("every").options].some(({ value }) => Number(value) === stored.request.every)) byId("every").value = stored.request.every;
    showStored(stored);
    set({ number: stored.frame });
  } catch (error) {
    showTrouble(error);
    if (error.code === "run_not_found") history.replaceState(null, "", `#v=${id}`);
    else if (!state.film) closeFilm();
  }
}

/** Send a film, and open it. */
async function sendFilm(file) {
  if (state.upload) return;
  const { about } = state;
  if (about && file.size > about.videos.bytes) {
    notice(t("error.video_too_large"), { text: limits(), bad: true });
    return;
  }
  set({ upload: { name: file.name, share: 0 } });
  try {
    const film = await api.send(file, (share) => set({ upload: { name: file.name, share } }));
    set({ upload: null });
    byId("phrases").value = "";
    await openFilm(film.id);
    say(film.name);
  } catch (error) {
    set({ upload: null });
    showTrouble(error, { about: file.name });
  }
}

function limits() {
  const { bytes, frames } = state.about.videos;
  return t("video.limits", Math.floor(bytes / 2 ** 20), frames);
}

function firstPage() {
  const { about, films, upload } = state;
  const can = about?.videos.available !== false;
  const choose = element(
    "button",
    { type: "button", class: "primary", data: { key: "file" }, disabled: !can || upload !== null, on: { click: () => byId("file").click() } },
    t("video.chooseFile"),
  );
  const welcome = element(
    "div",
    { class: "welcome" },
    element("h2", {}, t("video.startTitle")),
    element("p", {}, t("video.startText")),
    upload ? progressOf(upload) : element("div", { class: "row" }, choose),
    can ? null : element("p", { class: "wrong" }, `${t("video.noPyav")} ${t("video.noPyavText")}`),
    about?.ready !== false && about?.videos.tracker === null ? element("p", { class: "wrong" }, t("video.noSegmenter")) : null,
    about && can ? element("p", { class: "small" }, limits()) : null,
  );
  const before = films?.length
    ? element("section", { class: "films" }, element("h2", {}, t("video.earlier")), element("ul", { class: "entries" }, films.map(entry)))
    : null;
  return element("div", { class: "picker" }, welcome, before);
}

function progressOf({ share }) {
  const words = share < 1 ? t("video.uploading", Math.floor(100 * share)) : t("video.looking");
  const bar = share < 1 ? { max: 1, value: share } : {};
  return element("div", { class: "upload" }, element("progress", { ...bar, "aria-label": words }), element("p", {}, words));
}

function entry(film) {
  const text = element("span", { class: "text" }, element("span", { class: "name" }, film.name), element("small", {}, t("video.facts", film.frames, film.seconds)));
  const picture = element("img", { src: api.thumbnailUrl(film.id), alt: "", loading: "lazy" });
  const open = element("button", { type: "button", class: "open", data: { key: film.id }, on: { click: () => openFilm(film.id) } }, picture, text);
  const label = t("video.deleteFilm", film.name);
  const bin = element("button", { type: "button", class: "quiet danger", title: label, "aria-label": label, on: { click: () => deleteFilm(film) } }, icon("bin"));
  return element("li", {}, open, bin);
}

async function deleteFilm(film) {
  if (!(await confirmed(t("video.confirmDelete", film.name), t("video.delete")))) return;
  try {
    await api.remove(film.id);
    notice(t("video.deleted"));
  } catch (error) {
    showTrouble(error);
  }
  await listFilms();
}

function followDrops() {
  let depth = 0;
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const show = (shown) => {
    byId("drop").hidden = !shown;
    if (!shown) depth = 0;
  };
  window.addEventListener("dragenter", (event) => {
    if (!carries(event)) return;
    depth++;
    show(true);
  });
  window.addEventListener("dragleave", () => --depth <= 0 && show(false));
  window.addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  window.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    show(false);
    const [file] = event.dataTransfer.files;
    if (file) sendFilm(file);
  });
}
