/** Frames of the film as bitmaps: fetched when they are needed, the newest kept at hand. */

import * as api from "./video_api.js";

const MOST = 40;

let filmId = null;
const bitmaps = new Map(); // by number, the promise of a bitmap

/** Forget the frames of the film before. */
export function useFilm(id) {
  for (const promise of bitmaps.values()) close(promise);
  bitmaps.clear();
  filmId = id;
}

/** A frame, from the server or at hand. */
export function frameOf(number) {
  let promise = bitmaps.get(number);
  bitmaps.delete(number);
  if (!promise) {
    promise = api.frame(filmId, number);
    promise.catch(() => bitmaps.get(number) === promise && bitmaps.delete(number));
  }
  bitmaps.set(number, promise); // the newest last
  for (const [old, held] of bitmaps) {
    if (bitmaps.size <= MOST) break;
    bitmaps.delete(old);
    close(held);
  }
  return promise;
}

function close(promise) {
  // One that is drawn just now is drawn from a copy, see FilmView.
  promise.then((bitmap) => bitmap.close(), () => {});
}
