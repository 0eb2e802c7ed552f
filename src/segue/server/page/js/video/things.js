/** The list of what is pointed at: chosen, mended with clicks, or dropped. */

import { byId, element, icon, keyedChildren } from "../dom.js";
import { t } from "../i18n.js";
import { activate, drop, dropExemplars } from "./marking.js";
import { pointedAt, set, state, thingName, watch } from "./store.js";

/** Wire the list and keep it right. */
export function showThings() {
  const fill = keyedChildren(byId("things"), partsOf, entry);
  watch(["things", "found", "active", "exemplars", "run", "language"], () => {
    const all = pointedAt();
    byId("things").hidden = !all.length && !state.exemplars;
    byId("marks-words").hidden = all.length > 0 || state.exemplars !== null;
    byId("marks-words").textContent = t("video.nothingMarked");
    const missing = state.found?.notFound ?? [];
    byId("not-there").hidden = !missing.length;
    if (missing.length) byId("not-there").textContent = t("video.notFoundOn", state.found.frame, missing.join(", "));
    fill(all, state.exemplars ? examples(state.exemplars) : null);
  });
}

/** What the entry of a thing depends on, its key first. */
function partsOf(thing) {
  return [thing.id, thingName(thing), thing.result, thing.points.length, state.active === thing.id, state.language];
}

function examples({ frame, boxes }) {
  const label = t("video.dropExamples");
  const bin = element("button", { type: "button", class: "quiet", title: label, "aria-label": label, data: { key: "examples" }, on: { click: () => dropExemplars(true) } }, icon("close"));
  return element("li", { class: "examples" }, element("span", { class: "soft" }, t("video.examples", boxes.length, frame)), bin);
}

function entry(thing) {
  const name = thingName(thing);
  const isNothing = thing.result && !thing.result.mask;
  const where = isNothing ? t("video.nothingThere", thing.frame) : t("video.onFrame", thing.frame);
  const isActive = state.active === thing.id;
  const light = (lit) => () => set({ lit });
  const choose = element(
    "button",
    {
      type: "button",
      class: "chip",
      "aria-pressed": String(isActive),
      data: { key: thing.id, thing: thing.id, state: isNothing ? "nothing" : thing.result ? "seen" : "waiting" },
      on: {
        click: () => {
          set({ number: thing.frame });
          activate(isActive ? null : thing.id);
        },
        pointerenter: light(thing.id), pointerleave: light(null), focus: light(thing.id), blur: light(null),
      },
    },
    element("span", { class: "name" }, name),
    element("small", {}, where),
  );
  const label = t("video.dropThing", name);
  const bin = element("button", { type: "button", class: "eye", title: label, "aria-label": label, data: { key: `${thing.id}-drop` }, on: { click: () => drop(thing.id) } }, icon("close"));
  return element("li", { class: "entry" }, choose, bin);
}
