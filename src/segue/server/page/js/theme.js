/** Light or dark: as the system says, until a person chooses. */

import { remember } from "./local_storage.js";

const system = matchMedia("(prefers-color-scheme: dark)");

/** The theme that is shown now. */
export function theme() {
  return document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light");
}

/** Switch to the other theme, and remember it. */
export function toggleTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  remember("theme", next);
}
