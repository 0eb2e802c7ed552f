/** Playing: the browser's own player where it can play the file, else frames from the server. */

import { byId } from "../dom.js";
import { showTrouble } from "./connection.js";
import { frameOf } from "./frames.js";
import { set, state, watch } from "./store.js";

const SERVER_RATE = 8; // frames a second that are fetched, at most
const EPSILON_S = 0.002;

export class Player {
  #video = byId("player");
  /** Whether the browser plays the file; null until it is known. */
  isNative = null;
  #known = Promise.resolve();
  #turn = 0; // of the film, and of playing: what belongs to an older one ends

  /** `view` shows pictures. */
  constructor(view) {
    this.view = view;
    watch(["film"], () => this.#load());
    this.#video.addEventListener("ended", () => this.pause());
  }

  #load() {
    this.pause();
    const { film } = state;
    this.isNative = null;
    if (!film) {
      this.#video.removeAttribute("src");
      this.#video.load();
      return;
    }
    this.#known = new Promise((resolve) => {
      const settle = (isNative) => {
        this.isNative = isNative;
        byId("stage").dataset.player = isNative ? "browser" : "frames";
        resolve();
      };
      const options = { once: true };
      this.#video.addEventListener("loadeddata", () => settle(this.#video.videoWidth > 0), options);
      this.#video.addEventListener("error", () => settle(false), options);
      this.#video.src = film.url;
    });
  }

  toggle() {
    if (state.isPlaying) this.pause();
    else this.play();
  }

  pause() {
    this.#turn++;
    this.#video.pause();
    if (state.isPlaying) set({ isPlaying: false });
  }

  async play() {
    const { film } = state;
    if (!film) return;
    const turn = ++this.#turn;
    const start = state.number >= film.frames - 1 ? 0 : state.number;
    set({ isPlaying: true, number: start });
    await this.#known;
    if (turn !== this.#turn) return;
    if (this.isNative) await this.#playNatively(start, turn);
    else await this.#playFrames(start, turn);
  }

  async #playNatively(start, turn) {
    const video = this.#video;
    const { film } = state;
    const shown = (_, { mediaTime }) => {
      if (turn !== this.#turn) return;
      const number = numberAt(film.times, mediaTime);
      this.view.showVideo(video, number);
      set({ number });
      video.requestVideoFrameCallback(shown);
    };
    video.currentTime = film.times[start] + EPSILON_S;
    video.requestVideoFrameCallback(shown);
    try {
      await video.play();
    } catch (error) {
      if (turn !== this.#turn) return; // paused before it began
      if (error.name === "NotSupportedError") {
        this.isNative = false;
        await this.#playFrames(start, turn);
      } else {
        this.pause();
      }
    }
  }

  async #playFrames(start, turn) {
    const { film } = state;
    const step = Math.max(1, Math.round(film.fps / SERVER_RATE));
    const began = performance.now();
    try {
      for (let number = start; number < film.frames; number += step) {
        const due = began + 1000 * (film.times[number] - film.times[start]);
        await frameOf(number);
        if (number + step < film.frames) frameOf(number + step).catch(() => {}); // said when it is its turn
        await until(due);
        if (turn !== this.#turn) return;
        set({ number });
      }
      set({ number: film.frames - 1 });
      this.pause();
    } catch (error) {
      if (turn !== this.#turn) return;
      this.pause();
      showTrouble(error);
    }
  }
}

/** The number of the frame that is shown at a time. */
function numberAt(times, seconds) {
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= seconds + EPSILON_S) low = middle;
    else high = middle - 1;
  }
  return low;
}

function until(due) {
  const rest = due - performance.now();
  return rest > 0 ? new Promise((resolve) => setTimeout(resolve, rest)) : Promise.resolve();
}
