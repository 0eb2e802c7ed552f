/** A question about the film or the frame, and its answer, whose phrases can be followed. */

import { byId, element, refill } from "../dom.js";
import { t } from "../i18n.js";
import { notice, quoted, say } from "../notices.js";
import { piecesOf, withoutWords } from "../phrases.js";
import { showTrouble } from "./connection.js";
import { toggleRegion } from "./marking.js";
import { clock, set, state, watch } from "./store.js";
import * as api from "./video_api.js";

let stopping = null;
let count = 0;

/** Wire the question, and keep its answer right. */
export function showQuestion() {
  const field = byId("question");
  byId("ask-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (state.isAsking) stopping?.abort();
    else if (field.value.trim()) ask(field.value.trim(), byId("about").value === "frame");
  });
  watch(["about", "isAsking", "language"], () => {
    const canAsk = state.about === null || state.about.models.chat !== null;
    field.disabled = byId("about").disabled = byId("ask").disabled = !canAsk;
    field.placeholder = t(canAsk ? "video.questionPlaceholder" : "video.noChat");
    byId("ask").textContent = t(state.isAsking ? "stop" : "video.ask");
  });
  watch(["language"], () => {
    const chosen = byId("about").value || "frame";
    byId("about").replaceChildren(
      ...["frame", "film"].map((value) => element("option", { value }, t(`video.about.${value}`))),
    );
    byId("about").value = chosen;
  });
  watch(["film"], () => {
    stopping?.abort();
    set({ asked: null, followed: [] });
  });
  watch(["asked", "isAsking", "things", "followed", "language"], () => {
    byId("answer").hidden = state.asked === null;
    refill(byId("answer"), state.asked ? answerNodes(state.asked) : []);
  });
}

async function ask(question, isFrame) {
  const { film, number } = state;
  const mine = (stopping = new AbortController());
  const own = ++count; // ids of regions are those of an answer
  set({ isAsking: true, asked: { question, frames: [], text: "", regions: [], notFound: [], notices: [], finish: null, stage: "video.reading" } });
  say(t("video.reading"));
  try {
    for await (const { name, data } of api.ask(film.id, isFrame ? { question, frame: number } : { question }, mine.signal)) {
      if (state.film !== film) return;
      set({ asked: taken(state.asked, name, data, own) });
    }
    say(t("answerDone", state.asked.text, state.asked.regions.length));
    requestAnimationFrame(() => byId("answer").scrollIntoView({ block: "nearest" }));
  } catch (error) {
    if (error.name === "AbortError") set({ asked: { ...state.asked, finish: "cancelled", stage: null } });
    else {
      set({ asked: null });
      showTrouble(error, { again: () => ask(question, isFrame) });
    }
  } finally {
    if (stopping === mine) {
      stopping = null;
      set({ isAsking: false });
    }
  }
}

/** The answer after an event. */
function taken(asked, name, data, own) {
  const own_ = (region) => ({ ...region, id: `answer-${own}-${region.id}` });
  switch (name) {
    case "start":
      return { ...asked, frames: data.frames };
    case "text":
      return { ...asked, text: asked.text + data.text, stage: "video.writing" };
    case "thought":
      return data.retracts ? { ...asked, text: "", regions: [], notFound: [] } : asked;
    case "region":
    case "mask": {
      const region = own_(data);
      const isKnown = asked.regions.some(({ id }) => id === region.id);
      return { ...asked, regions: isKnown ? asked.regions.map((one) => (one.id === region.id ? region : one)) : [...asked.regions, region] };
    }
    case "done":
      return {
        ...asked, text: data.text, frames: data.frames, regions: data.regions.map(own_), finish: data.finish, stage: null,
        notFound: data.not_found, notices: [...new Set([...asked.notices, ...data.notices])],
      };
    case "notice":
      return { ...asked, notices: [...asked.notices, data.text] };
    case "not_found":
      return { ...asked, notFound: [...asked.notFound, data.phrase] };
    default:
      return asked;
  }
}

function answerNodes(asked) {
  const { question, text, regions, frames, finish, stage } = asked;
  const note = (...content) => element("p", { class: "note" }, ...content);
  const pieces = piecesOf(text, regions);
  const rest = withoutWords(pieces, regions);
  const byRegion = new Map(regions.map((region) => [region.id, region]));
  const words = pieces.map(({ text: piece, ids }) => (ids.length ? ids.map((id, i) => chip(byRegion.get(id), i ? `${i + 1}` : piece, frames)) : piece));
  const finished = { cancelled: "cancelled", error: "brokenOff", refused: "refused", length: "cutShort" }[finish];
  return [
    element("p", { class: "asked-words" }, question),
    element(
      "div",
      { class: "answered" },
      words.length ? element("p", { class: "text" }, words.flat()) : null,
      rest.length ? element("div", { class: "found-list" }, rest.map((region) => chip(region, region.phrase || t("video.thing", 1), frames))) : null,
      !text && !stage && !regions.length ? note(t("answerEmpty")) : null,
      stage ? element("p", { class: "stage-name" }, t(stage)) : null,
      regions.length ? note(t("video.chipHint")) : null,
      asked.notFound.length ? note(t("video.notSeen", asked.notFound.join(", "))) : null,
      finished ? note(t(finished)) : null,
      ...asked.notices.map((sentence) => note(...quoted(sentence))),
      frames.length > 1 ? note(t("video.shownFrames", frames.map(({ number, seconds }) => `${number} (${clock(seconds)})`).join(", "))) : null,
    ),
  ];
}

/** A phrase of the answer; a press follows what it means, another one does not. */
function chip(region, words, frames) {
  const { number } = frames[region.image];
  const isKnown = state.followed.includes(region.id);
  const isFollowed = isKnown || state.things.some((thing) => thing.region === region.id);
  return element(
    "button",
    {
      type: "button",
      class: "phrase",
      "aria-pressed": String(isFollowed),
      "aria-label": t("video.chipLabel", words, number),
      data: { key: region.id, region: region.id },
      on: {
        click: () => {
          set({ number, isPlaying: false });
          if (isKnown) notice(t("video.followedAlready"), { key: "marks" });
          else toggleRegion(number, region);
        },
      },
    },
    words,
  );
}
