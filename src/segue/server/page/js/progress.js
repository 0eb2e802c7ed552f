/** The thin moving line under the bar, while something is under way. */

import { byId } from "./dom.js";

let underWay = 0;

/** Show the line while a promise is open. Very short work shows none. */
export async function whileWorking(promise) {
  underWay++;
  const timer = setTimeout(() => (byId("progress").hidden = false), 150);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    if (--underWay === 0) byId("progress").hidden = true;
  }
}
