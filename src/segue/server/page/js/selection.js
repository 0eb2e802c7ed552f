/** Which regions are chosen, and which are lit because something points at them. */

import { set, state } from "./store.js";

/** Choose a region; `more` adds it to the others, or takes it out again. Null chooses none. */
export function choose(id, more = false) {
  const chosen = new Set(more ? state.chosen : []);
  if (id !== null) {
    if (state.chosen.has(id) && (more || state.chosen.size === 1)) chosen.delete(id);
    else chosen.add(id);
  }
  set({ chosen });
}

/** Listeners that light regions while the mouse or the focus is on an element. */
export function lighting(ids) {
  const light = () => set({ lit: new Set(ids) });
  const dark = () => set({ lit: new Set() });
  return { pointerenter: light, pointerleave: dark, focus: light, blur: dark };
}
