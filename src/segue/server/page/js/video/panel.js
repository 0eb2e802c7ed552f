/** What is to be followed, how far it is, and the tracks. */

import { byId, element, keyedChildren } from "../dom.js";
import { t } from "../i18n.js";
import { quoted } from "../notices.js";
import { addMarked, canAdd, correct, followMarked, goOn, stop, undo, undoableOf } from "./following.js";
import { activate, choose, discard, markWords, takeBack } from "./marking.js";
import { newPhrases, phrasesOf, previewNames } from "./previews.js";
import { entryOf, lookedAt, nameOf, set, state, trackOf, watch } from "./store.js";

const EVERY = [1, 2, 3, 5, 10, 25];

/** Wire the panel and keep it right. */
export function showPanel() {
  byId("follow-form").addEventListener("submit", (event) => {
    event.preventDefault();
    followNow();
  });
  byId("stop").addEventListener("click", stop);
  byId("draft").addEventListener("submit", (event) => {
    event.preventDefault();
    keepMarked();
  });
  byId("draft-back").addEventListener("click", takeBack);
  byId("discard").addEventListener("click", discard);
  byId("draft-next").addEventListener("click", nextThing);
  byId("afresh").addEventListener("click", followAfresh);
  byId("undo").addEventListener("click", undoChosen);
  byId("phrases").addEventListener("input", nameFollow);
  byId("every").addEventListener("change", nameFollow);
  previewNames();
  watch(["language"], () => {
    const chosen = byId("every").value || "1";
    byId("every").replaceChildren(
      ...EVERY.map((n) => element("option", { value: n }, n === 1 ? t("video.everyFrame") : t("video.everyNth", n))),
    );
    byId("every").value = chosen;
  });
  watch(["things", "active", "correction", "language", "chosen", "isFollowing", "run"], showDraft);
  watch(["run", "isFollowing", "language", "things", "found", "about"], showProgress);
  watch(["run", "chosen", "number", "isFollowing", "language"], showUndo);
  showTracks();
}

/** Follow what the form names and what is marked; or go on, where nothing new is. */
export function followNow() {
  if (state.isFollowing) return;
  if (canGoOn()) goOn();
  else if (canAdd(every())) addMarked();
  else followAfresh();
}

function every() {
  return Number(byId("every").value);
}

/** Follow what is named and pointed at, and leave the run. */
function followAfresh() {
  if (!state.isFollowing) followMarked(byId("phrases").value, every());
}

/** Let the next click begin another thing. */
export function nextThing() {
  activate(null);
}

/** Undo the last correction of the track that is chosen, or that it was added. */
export function undoChosen() {
  const track = state.chosen === null ? null : trackOf(state.chosen);
  const what = track && undoableOf(track, state.number);
  if (what) undo(track, what);
}

/** Follow what is marked on the frame. */
export function keepMarked() {
  if (state.isFollowing) return;
  if (state.correction) correct();
  else if (state.things.length) followNow();
}

/** Whether the run is not done, and the form asks for nothing else. */
function canGoOn() {
  const { run, things, isFollowing } = state;
  if (!run || isFollowing || things.length || !run.pending) return false;
  if (newPhrases().length && !isAsked(run)) return false;
  return (run.request.every ?? 1) === every();
}

/** Whether the field names what the run was begun with. */
function isAsked(run) {
  return (run.request.phrases ?? []).join() === phrasesOf(byId("phrases").value).join();
}

function nameFollow() {
  const isAdding = !canGoOn() && canAdd(every());
  byId("follow").textContent = t(canGoOn() ? "video.goOn" : isAdding ? "video.add" : "video.follow");
  byId("afresh").hidden = !isAdding;
}

function showUndo() {
  const track = state.chosen === null ? null : trackOf(state.chosen);
  const what = track && undoableOf(track, state.number);
  byId("undo").hidden = !what;
  byId("undo").disabled = state.isFollowing;
  if (what) byId("undo-words").textContent = what.isAddition ? t("video.remove", nameOf(track)) : t("video.undo", what.frame);
}

function showDraft() {
  const words = markWords();
  byId("draft").hidden = !words;
  byId("draft-words").textContent = words;
  const isNothing = state.correction?.result && !state.correction.result.mask;
  byId("draft-keep").textContent = t(state.correction ? "video.followAnew" : canAdd(every()) ? "video.add" : "video.follow");
  byId("draft-keep").disabled = state.isFollowing || Boolean(isNothing);
  byId("draft-next").hidden = Boolean(state.correction) || state.active === null;
  if (isNothing) byId("draft-words").textContent = t("video.nothingThere", state.correction.frame);
}

function showProgress() {
  const { run, isFollowing, about } = state;
  byId("follow").hidden = isFollowing;
  byId("stop").hidden = !isFollowing;
  byId("follow").disabled = about !== null && about.videos.tracker === null;
  const stopped = byId("stop").contains(document.activeElement) && !isFollowing;
  byId("run-progress").hidden = !isFollowing;
  if (run) {
    byId("frames-done").max = Math.max(run.total, 1);
    byId("frames-done").value = run.done;
    byId("progress-words").textContent = t("video.done", run.done, run.total);
  }
  nameFollow();
  if (stopped) byId("follow").focus();
  document.body.dataset.following = String(isFollowing);
}

function showTracks() {
  const list = byId("tracks");
  const fill = keyedChildren(list, partsOf, trackButton);
  watch(["run", "nFrames", "number", "chosen", "language"], () => {
    const { run } = state;
    byId("found").hidden = !run?.tracks.length && !run?.notFound.length;
    byId("not-found").hidden = !run?.notFound.length;
    if (run?.notFound.length) byId("not-found").textContent = t("video.notFound", run.notFound.join(", "));
    fill(run?.tracks ?? []);
  });
}

/** What the button of a track depends on, its key first. */
function partsOf(track) {
  const entry = entryOf(track.id, lookedAt(state.number));
  return [track.id, nameOf(track), track.colour, entry?.status, entry?.reason, state.chosen === track.id, state.language];
}

function trackButton(track) {
  const entry = entryOf(track.id, lookedAt(state.number));
  const button = element(
    "button",
    {
      type: "button",
      class: "track",
      "aria-pressed": String(state.chosen === track.id),
      data: { key: `track-${track.id}`, track: track.id, status: entry?.status ?? "" },
      colour: track.colour,
      on: {
        click: () => choose(state.chosen === track.id ? null : track.id),
        pointerenter: () => set({ lit: track.id }),
        pointerleave: () => set({ lit: null }),
        focus: () => set({ lit: track.id }),
        blur: () => set({ lit: null }),
      },
    },
    element("span", { class: "text" }, nameOf(track), element("small", {}, statusWords(entry))),
  );
  return element("li", {}, button);
}

function statusWords(entry) {
  if (!entry) return t("video.notYet");
  if (entry.reason === "correction") return t("video.corrected");
  if (entry.status === "lost") {
    const [before, after = ""] = t("video.lost", "\u0000").split("\u0000");
    return [before, ...quoted(entry.reason), after];
  }
  return t(entry.status === "found again" ? "video.foundAgain" : "video.tracked");
}

/** Choose the next track; the first one after none. */
export function nextTrack() {
  const ids = state.run?.tracks.map(({ id }) => id) ?? [];
  if (!ids.length) return;
  const place = state.chosen === null ? -1 : ids.indexOf(state.chosen);
  choose(ids[(place + 1) % ids.length]);
  document.querySelector(`.track[data-track="${trackOf(state.chosen).id}"]`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
}
