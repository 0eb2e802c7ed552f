/** Choose a picture: the first page, and the dialog that adds another. */

import { addPictures, openSession } from "./actions.js";
import { openDialog } from "./dialog.js";
import { byId, element, refill } from "./dom.js";
import { isOperator } from "./operator.js";
import { known, t } from "./i18n.js";
import { state, watch } from "./store.js";

/** Show the first page while no conversation with a picture is open. */
export function showStart() {
  watch(["samples", "about", "language"], () => refill(byId("start"), picker(true)));
  watch(["conversation"], () => {
    const bare = !state.conversation?.images.length;
    byId("start").hidden = !bare;
    byId("workbench").hidden = bare;
  });
}

/** Open the dialog that adds a picture to the conversation. */
export function addPictureDialog() {
  const dialog = openDialog(t("addPicture"), picker(false, () => dialog.close()), { kind: "wide" });
}

/** Open the browser's dialog for files. */
export function chooseFile() {
  byId("file").click();
}

/** Open the browser's dialog for a session file. */
export function chooseSession() {
  byId("session-file").click();
}

/** Wire the two hidden fields for files. */
export function followFileFields() {
  byId("file").addEventListener("change", (event) => {
    const files = [...event.target.files];
    event.target.value = "";
    if (files.length) addPictures(files);
  });
  byId("session-file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) openSession(file);
  });
}

function picker(first, done = () => {}) {
  const file = element(
    "button",
    { type: "button", class: "primary", data: { key: "file" }, on: { click: () => (chooseFile(), done()) } },
    t("chooseFile"),
  );
  const session = element("button", { type: "button", data: { key: "session" }, on: { click: chooseSession } }, t("openSession"));
  return element(
    "div",
    { class: "picker" },
    element(
      "div",
      { class: "welcome" },
      first ? element("h2", {}, t("startTitle")) : null,
      element("p", {}, t(first ? "startText" : "addPictureText")),
      element("div", { class: "row" }, file, first ? session : null),
      address(done),
      first ? element("a", { href: "/video" }, t("video.link")) : null,
    ),
    samplesOf(done),
  );
}

function address(done) {
  if (!state.about) return null;
  if (!state.about.limits?.allow_urls) return isOperator() ? element("p", { class: "small" }, t("urlsOff")) : null;
  const field = element("input", {
    type: "text", inputmode: "url", "aria-label": t("urlLabel"), placeholder: t("urlPlaceholder"), autocomplete: "off",
    spellcheck: "false", data: { key: "url" },
  });
  const submit = async (event) => {
    event.preventDefault();
    if (field.value.trim() && (await addPictures({ url: field.value.trim() }))) done();
  };
  return element("form", { class: "address", on: { submit } }, field, element("button", { type: "submit" }, t("urlAdd")));
}

function samplesOf(done) {
  if (!state.samples.length) return null;
  const buttons = state.samples.map(({ name, url }) => {
    const click = async () => (await addPictures({ sample: name })) && done();
    const shown = known(`sample.${name}`) ? t(`sample.${name}`) : name;
    const label = t("sampleName", shown);
    const picture = element("img", { src: url, alt: "", width: 640, height: 480 });
    return element("li", {}, element("button", { type: "button", data: { key: name }, "aria-label": label, on: { click } }, picture, element("span", { "aria-hidden": "true" }, shown)));
  });
  return element(
    "div",
    { class: "samples" },
    element("h3", {}, t("samplesTitle")),
    element("ul", {}, buttons),
    state.about?.embedded ? element("p", {}, t("embeddedHint")) : null,
  );
}
