/** The pictures of the conversation as thumbnails. */

import * as api from "./api.js";
import { byId, element, icon, refill } from "./dom.js";
import { t } from "./i18n.js";
import { addPictureDialog } from "./picker.js";
import { set, state, watch } from "./store.js";

/** Fill the thumbnails and keep them right. */
export function showPictures() {
  watch(["conversation", "image", "language"], () => {
    const { conversation } = state;
    const images = conversation?.images ?? [];
    const many = images.length > 1 ? images : [];
    refill(byId("pictures"), many.map(thumbnail), addButton());
  });
}

function thumbnail({ index, name }) {
  const label = t("pictureNumber", index + 1, name);
  const picture = element("img", { src: api.thumbnailUrl(state.conversation.id, index), alt: "" });
  const click = () => set({ image: index, draft: null, chosen: new Set(), editing: null, trial: null });
  const pressed = String(index === state.image);
  return element(
    "button",
    { type: "button", title: label, "aria-label": label, "aria-pressed": pressed, data: { key: `picture-${index}` }, on: { click } },
    picture,
  );
}

function addButton() {
  const label = t("addPicture");
  return element("button", { type: "button", title: label, "aria-label": label, data: { key: "add-picture" }, on: { click: addPictureDialog } }, icon("plus"));
}
