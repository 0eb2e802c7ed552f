/** The words of the page, in the language of the browser or the one a person chose. */

import en from "./lang/en.js";
import zh from "./lang/zh.js";
import { recall, remember } from "./local_storage.js";

const LANGUAGES = { en, zh };

let current = recall("language") ?? (navigator.language?.toLowerCase().startsWith("zh") ? "zh" : "en");
if (!(current in LANGUAGES)) current = "en";

/** "en" or "zh". */
export function language() {
  return current;
}

/** The words for a key; some take values. */
export function t(key, ...values) {
  const words = LANGUAGES[current][key] ?? en[key];
  if (words === undefined) throw new Error(`No words for ${key}`);
  return typeof words === "function" ? words(...values) : words;
}

/** Whether there are words for a key. */
export function known(key) {
  return key in en;
}

/** Switch to the other language, and remember it. */
export function toggleLanguage() {
  current = current === "en" ? "zh" : "en";
  remember("language", current);
  translate(document);
}

/** Fill in the words of all elements below a root that name a key. */
export function translate(root) {
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  for (const node of root.querySelectorAll("[data-words]")) node.textContent = t(node.dataset.words);
  for (const node of root.querySelectorAll("[data-label]")) {
    const words = t(node.dataset.label);
    node.setAttribute("aria-label", words);
    if (node.matches("button")) node.title = words;
  }
  for (const node of root.querySelectorAll("[data-placeholder]")) {
    node.placeholder = t(node.dataset.placeholder);
  }
}
