/** What the browser remembers of this page. Without storage the page works, and forgets. */

/** Read a remembered value; null when there is none. */
export function recall(name, storage = "localStorage") {
  try {
    return window[storage].getItem(`segue.${name}`);
  } catch {
    return null;
  }
}

/** Remember a value; null forgets it. */
export function remember(name, value, storage = "localStorage") {
  try {
    if (value === null) window[storage].removeItem(`segue.${name}`);
    else window[storage].setItem(`segue.${name}`, value);
  } catch {
    /* storage is full or switched off */
  }
}
