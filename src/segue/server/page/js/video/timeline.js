/** The slider, and a strip for each track: where it is seen, lost, found again, corrected. */

import { byId, element, keyedChildren } from "../dom.js";
import { t } from "../i18n.js";
import { css } from "../palette.js";
import { clock, colourOf, entryOf, nameOf, state, watch } from "./store.js";

/** Wire slider and strips, and keep them right; `go(number)` shows a frame. */
export function showTimeline(go) {
  const slider = byId("slider");
  slider.addEventListener("input", () => go(Number(slider.value)));
  watch(["film", "number", "language"], () => {
    const { film, number } = state;
    if (!film) return;
    const time = clock(film.times[number]);
    slider.max = String(film.frames - 1);
    slider.value = String(number);
    slider.setAttribute("aria-valuetext", t("video.frameSpoken", number, time));
    byId("frame-words").textContent = t("video.frame", number, film.frames, time);
  });
  const strips = byId("strips");
  const fill = keyedChildren(strips, (track) => [track.id, nameOf(track), track.colour, state.language], (track) => stripOf(track, go));
  watch(["run", "language"], () => {
    fill(state.run?.tracks ?? []);
    legend();
  });
  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      for (const track of state.run?.tracks ?? []) paintStrip(track);
    });
  };
  watch(["run", "nFrames", "number", "theme", "language", "chosen"], soon);
  new ResizeObserver(soon).observe(strips);
}

function stripOf(track, go) {
  const canvas = element("canvas", { role: "img" });
  canvas.addEventListener("click", (event) => {
    const share = event.offsetX / canvas.clientWidth;
    go(Math.min(Math.floor(share * state.film.frames), state.film.frames - 1));
  });
  return element(
    "li",
    { class: "strip", data: { track: track.id, key: `strip-${track.id}` } },
    element("span", { class: "name", "aria-hidden": "true" }, nameOf(track)),
    canvas,
  );
}

function legend() {
  const kinds = { seen: "video.legendSeen", lost: "video.legendLost", again: "video.legendAgain", corrected: "video.legendCorrected" };
  byId("legend").hidden = !state.run?.tracks.length;
  byId("legend").replaceChildren(...Object.entries(kinds).map(([kind, words]) => element("span", { class: kind }, t(words))));
}

/** Stretches of frames of one kind: {kind, first, last}; kinds are "seen", "lost" and "". */
function stretches(track) {
  const { run } = state;
  const found = [];
  run.numbers.forEach((number, place) => {
    const entry = entryOf(track.id, number);
    const kind = entry ? (entry.mask ? "seen" : "lost") : "";
    const next = run.numbers[place + 1] ?? Math.min(number + (run.request.every ?? 1), state.film.frames);
    const last = found.at(-1);
    if (last?.kind === kind && last.end === number) Object.assign(last, { end: next, last: number, count: last.count + 1 });
    else found.push({ kind, first: number, last: number, end: next, count: 1 });
  });
  return found;
}

function paintStrip(track) {
  const row = document.querySelector(`.strip[data-track="${track.id}"]`);
  const canvas = row?.querySelector("canvas");
  if (!canvas) return;
  row.toggleAttribute("data-chosen", state.chosen === track.id);
  const density = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * density), Math.round(canvas.clientHeight * density)];
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  const ink = style.getPropertyValue("--ink");
  const scale = width / state.film.frames;
  context.clearRect(0, 0, width, height);
  const all = stretches(track);
  for (const { kind, first, end } of all) {
    const [x, wide] = [first * scale, Math.max((end - first) * scale, 1)];
    context.fillStyle = kind === "seen" ? css(colourOf(track)) : style.getPropertyValue("--edge");
    if (kind === "seen") context.fillRect(x, 0.12 * height, wide, 0.76 * height);
    else if (kind === "lost") context.fillRect(x, 0.44 * height, wide, Math.max(0.12 * height, 2));
  }
  context.fillStyle = ink;
  const corrected = [];
  for (const number of state.run.numbers) {
    const entry = entryOf(track.id, number);
    if (entry?.reason === "correction") {
      corrected.push(number);
      diamond(context, (number + 0.5) * scale, height / 2, 0.3 * height);
    } else if (entry?.status === "found again") {
      context.fillRect(number * scale, 0, Math.max(2 * density, 2), height);
    }
  }
  const cursor = (state.number + 0.5) * scale;
  context.fillStyle = style.getPropertyValue("--surface");
  context.fillRect(cursor - 1.5 * density, 0, 3 * density, height);
  context.fillStyle = ink;
  context.fillRect(cursor - 0.5 * density, 0, density, height);
  describe(canvas, track, all, corrected);
}

function diamond(context, x, y, radius) {
  context.beginPath();
  context.moveTo(x, y - radius);
  context.lineTo(x + radius, y);
  context.lineTo(x, y + radius);
  context.lineTo(x - radius, y);
  context.closePath();
  context.fill();
  context.lineWidth = 1;
  context.strokeStyle = "#fff";
  context.stroke();
}

function describe(canvas, track, all, corrected) {
  const seen = all.filter(({ kind }) => kind === "seen").reduce((sum, { count }) => sum + count, 0);
  const lost = all.filter(({ kind }) => kind === "lost").map(({ first, last }) => t("video.span", first, last));
  const words = t("video.stripLabel", nameOf(track), seen, lost.join(t("video.and")), corrected.join(t("video.and")));
  if (canvas.getAttribute("aria-label") !== words) canvas.setAttribute("aria-label", words);
}
