/** The canvas: which picture it shows, how it is zoomed, what lies under a point. */

import * as api from "./api.js";
import { paint } from "./drawing.js";
import { t } from "./i18n.js";
import { PictureView } from "./picture_view.js";
import { lookOf, maskOf, regionsHere, regionsSeen, set, state, watch } from "./store.js";

export class Viewer extends PictureView {
  /** ImageBitmap of the picture with its edits; null when it has none. */
  edited = null;
  /** Where the keyboard's cross is, in pixels of the picture; null when it is not in use. */
  cross = null;
  #shown = null; // address of `picture`
  #edits = null; // address of `edited`

  constructor(canvas) {
    super(canvas, () => paint(this.context, this.scene()));
    watch(["conversation", "image"], () => this.#load());
    watch(
      ["conversation", "image", "reply", "lit", "chosen", "hidden", "draft", "masksShown", "before", "trial", "language"],
      () => this.draw(),
    );
    watch(["conversation", "image", "reply", "language"], () => this.#describe());
  }

  /** What is to be painted. */
  scene() {
    const { draft } = state;
    const shown = regionsSeen()
      .filter((region) => !draft?.result || region.id !== draft.region) // the draft stands for it
      .map((region) => ({
        name: nameOf(region),
        box: region.box,
        mask: maskOf(region),
        look: lookOf(region),
        lit: state.lit.has(region.id),
        chosen: state.chosen.has(region.id),
      }))
      .sort((a, b) => (b.mask?.area ?? 0) - (a.mask?.area ?? 0)); // small ones on top
    return {
      frame: this.frame,
      density: this.density,
      transform: this.transform,
      picture: this.picture,
      edited: state.trial ?? this.edited,
      before: state.before,
      masksShown: state.masksShown,
      shown,
      draft: draft && {
        mask: draft.result && maskOf(draft.result),
        masks: (draft.results ?? []).map(maskOf),
        exemplars: draft.exemplars ?? [],
        box: draft.dragged ?? draft.box,
        points: draft.points,
        labels: draft.labels,
      },
      cross: this.cross,
    };
  }

  /** The smallest region at a point of the picture; null when there is none. */
  regionAt([x, y]) {
    const column = Math.floor(x);
    const row = Math.floor(y);
    let best = null;
    let smallest = Infinity;
    for (const region of regionsSeen()) {
      const mask = maskOf(region);
      const [x0, y0, x1, y1] = region.box;
      const inside = mask ? mask.has(column, row) : x >= x0 && x < x1 && y >= y0 && y < y1;
      const area = mask ? mask.area : (x1 - x0) * (y1 - y0);
      if (inside && area < smallest) [best, smallest] = [region, area];
    }
    return best;
  }

  async #load() {
    const { conversation, image } = state;
    const shown = conversation?.images[image];
    const url = shown ? `${api.pictureUrl(conversation.id, image)}?${shown.digest}` : null;
    const steps = conversation?.edits.filter((step) => step.image === image) ?? [];
    const ids = new Set(steps.flatMap((step) => step.regions));
    const masks = conversation?.regions.filter((r) => ids.has(r.id)).map((r) => r.mask?.counts);
    const edits = steps.length ? `${url} ${JSON.stringify([steps, masks])}` : null;
    if (url !== this.#shown) await this.#loadPicture(url);
    if (edits !== this.#edits) await this.#loadEdited(edits, conversation, image);
  }

  async #loadPicture(url) {
    this.#shown = url;
    this.picture = null;
    this.cross = null;
    this.draw();
    const picture = url && (await bitmapOrNull(url));
    if (url !== this.#shown) return; // another one was chosen in the meantime
    this.picture = picture;
    if (picture) this.fit();
    this.draw();
  }

  async #loadEdited(key, conversation, image) {
    const first = this.#edits === null;
    this.#edits = key;
    if (!key) this.edited = null;
    const url = key && api.editedUrl(conversation.id, image, conversation.revision);
    const edited = url && (await bitmapOrNull(url));
    if (key !== this.#edits) return;
    this.edited = edited || null;
    if (first) set({ before: 0 });
    this.canvas.dataset.edited = edited ? String(conversation.revision) : "";
    this.draw();
  }

  #describe() {
    const name = state.conversation?.images[state.image]?.name || t("pictureSide");
    this.canvas.setAttribute("aria-label", t("canvas", name, regionsHere().length));
    this.canvas.setAttribute("aria-roledescription", t("canvasRole"));
  }
}

/** What a region is called on the page: its phrase, and a number when there are several. */
export function nameOf(region) {
  const { number } = lookOf(region);
  return (region.phrase || t("unnamed")) + (number ? ` ${number}` : "");
}

async function bitmapOrNull(url) {
  try {
    return await api.bitmap(url);
  } catch (error) {
    console.error(`${url} cannot be shown.`, error);
    return null;
  }
}
