/** The buttons of language and theme in the bar of a page. */

import { byId } from "./dom.js";
import { language, t, toggleLanguage } from "./i18n.js";
import { theme, toggleTheme } from "./theme.js";

/** Wire the buttons; `changed` is told {language} or {theme}. */
export function followPageSettings(changed) {
  byId("theme").addEventListener("click", () => {
    toggleTheme();
    changed({ theme: theme() });
  });
  byId("language").addEventListener("click", () => {
    toggleLanguage();
    nameLanguageButton();
    changed({ language: language() });
  });
  nameLanguageButton();
}

function nameLanguageButton() {
  const button = byId("language");
  button.textContent = t("otherLanguage");
  button.setAttribute("aria-label", t("switchLanguage"));
  button.lang = language() === "zh" ? "en" : "zh-CN";
}
