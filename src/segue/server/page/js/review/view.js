/** The canvas of the review: the picture, the masks as tiles, and what is being drawn. */

import { boxPath, inFrame, inPicture, paintDraft, paintLabel, strokeTwice } from "../drawing.js";
import { t } from "../i18n.js";
import { outline } from "../mask_layer.js";
import { classColour, css, shade } from "../palette.js";
import { PictureView } from "../picture_view.js";
import { request } from "../api.js";
import { showTrouble } from "./connection.js";
import { Pyramid } from "./pyramid.js";
import * as api from "./review_api.js";
import { chosenOne, isShown, maskOf, regions, state, watch } from "./store.js";
import { pixelOf, TileLayer } from "./tiles.js";

const FILL = { plain: 0.34, chosen: 0.55 };
const OUTLINED_BELOW = 4; // from this zoom on, pixels are squares, and lines run between them

export class ReviewView extends PictureView {
  /** All regions but the one that is edited. */
  #others = new TileLayer();
  /** The one that is chosen, or drawn. */
  #edited = new TileLayer();
  #shapes = new Map(); // by id: the region it was made of, and the shape
  #index = null;
  /** The MaskGrid that is painted on right now: {region, grid}; null while nothing is. */
  painting = null;
  /** Where brush and eraser are, in pixels of the picture. */
  pointer = null;
  /** The place under the pointer among the corners: {loop, corner}. */
  hot = null;

  constructor(canvas) {
    super(canvas, () => this.#paint());
    watch(["picture"], () => this.#load());
    watch(["picture", "chosen", "hidden", "only", "masksShown", "draft"], () => this.#show());
    watch(["chosen"], () => chosenOne() && this.reveal(chosenOne()));
    watch(["lit", "corners", "tool", "radius", "language"], () => this.draw());
  }

  /** The smallest region that is shown at a point of the picture; null when there is none. */
  regionAt([x, y]) {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    let best = null;
    let smallest = Infinity;
    for (const region of regions()) {
      const [x0, y0, x1, y1] = region.box;
      if (x < x0 - 1 || x > x1 + 1 || y < y0 - 1 || y > y1 + 1 || !isShown(region)) continue;
      const mask = maskOf(region);
      const inside = mask ? mask.has(column, row) : x >= x0 && x < x1 && y >= y0 && y < y1;
      const area = mask ? mask.area : (x1 - x0) * (y1 - y0);
      if (inside && area < smallest) [best, smallest] = [region, area];
    }
    return best;
  }

  /** Move the picture so that a region can be seen, where nothing of it is in view. */
  reveal({ box }) {
    if (!this.picture || this.#isInView(box)) return;
    const [x, y] = this.transform.toFrame((box[0] + box[2]) / 2, (box[1] + box[3]) / 2);
    this.pan(this.frame.width / 2 - x, this.frame.height / 2 - y);
  }

  #isInView([x0, y0, x1, y1]) {
    const [left, top] = this.transform.toPicture(0, 0);
    const [right, bottom] = this.transform.toPicture(this.frame.width, this.frame.height);
    return x1 > left && y1 > top && x0 < right && y0 < bottom;
  }

  /** A box of the grid that is painted on has changed. */
  painted(box) {
    this.#edited.invalidate(box);
    this.draw();
  }

  /** Begin to paint on a grid; `region` null: a new one. */
  beginPainting(region, grid, colour) {
    this.painting = { region, grid, colour };
    this.#show();
  }

  endPainting() {
    this.painting = null;
    this.#show();
  }

  /** Which shapes are in which layer. */
  #show() {
    const one = this.painting ? null : chosenOne();
    const edited = this.painting?.region ?? one?.id ?? null;
    const shown = regions().filter(isShown);
    const drafted = state.draft?.result?.mask ? state.draft.region : null; // the draft stands for it
    const sorted = shown
      .filter((region) => region.id !== edited && region.id !== drafted && maskOf(region)?.area)
      .sort((a, b) => maskOf(b).area - maskOf(a).area); // small ones on top
    this.#others.setShapes(sorted.map((region) => this.#shape(region, FILL.plain)));
    if (this.painting) {
      const { grid, colour } = this.painting;
      this.#edited.setShapes([shapeOf("painting", grid, colour, FILL.chosen)]);
    } else {
      const mine = one && isShown(one) && one.id !== drafted && maskOf(one)?.area ? [this.#shape(one, FILL.chosen)] : [];
      this.#edited.setShapes(mine);
    }
    this.draw();
  }

  /** The shape of a region; the same object as long as nothing about it changes. */
  #shape(region, alpha) {
    const known = this.#shapes.get(region.id);
    if (known?.mask === region.mask && known.number === region.class_number && known.alpha === alpha) return known.shape;
    const shape = shapeOf(region.id, maskOf(region), classColour(region.class_number), alpha);
    this.#shapes.set(region.id, { mask: region.mask, number: region.class_number, alpha, shape });
    return shape;
  }

  #paint() {
    const { context, density, frame } = this;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, frame.width, frame.height);
    const { picture } = this;
    if (!picture) return;
    const started = performance.now();
    inPicture(context, this);
    if (picture.levels) picture.paint(context, this);
    else paintBlank(context, picture);
    const complete = this.#others.paint(context, this);
    const editedComplete = this.#edited.paint(context, this);
    this.#paintLines();
    if (state.draft) this.#paintDraft();
    if (state.corners) this.#paintCorners();
    this.#paintBrush();
    this.canvas.dataset.complete = String(complete && editedComplete);
    this.lastPaintMs = performance.now() - started;
    if (!complete || !editedComplete) this.draw();
  }

  /** Outlines of what is chosen or lit, of boxes without a mask, and of all where pixels are large. */
  #paintLines() {
    const large = this.transform.scale * this.density >= OUTLINED_BELOW;
    for (const region of regions()) {
      const strong = state.lit === region.id || state.chosen.has(region.id);
      if ((!strong && !large && region.mask) || !isShown(region)) continue;
      if (!this.#isInView(region.box) || region.id === this.painting?.region) continue;
      const mask = maskOf(region);
      const path = mask?.area ? outline(mask) : boxPath(region.box);
      strokeTwice(this.context, this, path, shade(classColour(region.class_number), strong ? 0 : 2), strong ? 3 : 1.6);
    }
    for (const region of regions()) {
      if (!this.#isInView(region.box)) continue;
      if (!isShown(region) || (state.lit !== region.id && !state.chosen.has(region.id)) || this.painting) continue;
      const look = { line: classColour(region.class_number) };
      paintLabel(this.context, this, { box: region.box, name: region.label || t("unnamed"), look });
    }
  }

  #paintDraft() {
    const { draft } = state;
    const mask = draft.result?.mask ? maskOf(draft.result) : null;
    const box = draft.dragged ?? draft.box;
    paintDraft(this.context, this, { mask, box, points: draft.points, labels: draft.labels });
  }

  #paintCorners() {
    const { context, transform } = this;
    const { loops, isOpen } = state.corners;
    inFrame(context, this);
    context.lineWidth = 2;
    context.strokeStyle = "#fff";
    context.beginPath();
    for (const loop of loops) {
      loop.forEach((corner, i) => {
        const [x, y] = transform.toFrame(...corner);
        if (i === 0) context.moveTo(x, y);
        else context.lineTo(x, y);
      });
      if (isOpen && this.pointer) context.lineTo(...transform.toFrame(...this.pointer));
      else context.closePath();
    }
    context.stroke();
    context.strokeStyle = "#1c1e22";
    context.setLineDash([4, 4]);
    context.stroke();
    context.setLineDash([]);
    loops.forEach((loop, l) =>
      loop.forEach((corner, c) => {
        const [x, y] = transform.toFrame(...corner);
        if (x < -9 || y < -9 || x > this.frame.width + 9 || y > this.frame.height + 9) return;
        const hot = this.hot?.loop === l && this.hot.corner === c;
        context.beginPath();
        context.arc(x, y, hot ? 7 : 4.5, 0, 2 * Math.PI);
        context.fillStyle = hot ? "#2453b8" : "#fff";
        context.fill();
        context.lineWidth = 1.5;
        context.strokeStyle = "#1c1e22";
        context.stroke();
      }),
    );
  }

  #paintBrush() {
    if (!this.pointer || (state.tool !== "brush" && state.tool !== "eraser")) return;
    const { context } = this;
    inFrame(context, this);
    const [x, y] = this.transform.toFrame(...this.pointer);
    for (const [width, colour] of [[3, "rgb(0 0 0 / 55%)"], [1.5, "#fff"]]) {
      context.beginPath();
      context.arc(x, y, state.radius, 0, 2 * Math.PI);
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.stroke();
    }
  }

  async #load() {
    const index = state.picture?.index ?? null;
    if (index === this.#index) return;
    this.#index = index;
    this.#others.clear();
    this.#edited.clear();
    this.#shapes.clear();
    this.painting = this.hot = this.pointer = null;
    this.picture?.close?.();
    this.picture = null;
    this.canvas.dataset.shown = "";
    this.draw();
    if (index === null) return;
    const { width, height, has_file: hasFile, name } = state.picture;
    this.canvas.setAttribute("aria-label", name);
    // Masks can be looked at before the picture is there, and where it never will be.
    this.picture = { width, height };
    this.fit();
    const bitmap = hasFile ? await bitmapOrNull(index) : null;
    if (index !== this.#index) return void bitmap?.close();
    if (bitmap) {
      this.picture = new Pyramid(bitmap);
      Object.assign(this.picture, { width, height }); // what masks are drawn in
      this.picture.build(() => this.draw()).catch(() => {}); // closed meanwhile
    }
    this.canvas.dataset.shown = String(index);
    this.draw();
  }
}

function shapeOf(id, mask, colour, alpha) {
  return { id, mask, fill: pixelOf(colour, alpha), line: pixelOf(shade(colour, 2), 1) };
}

function paintBlank(context, { width, height }) {
  context.fillStyle = css([128, 128, 128], 0.35);
  context.fillRect(0, 0, width, height);
}

async function bitmapOrNull(index) {
  try {
    const response = await request(api.imageUrl(index), { cache: "default" });
    return await createImageBitmap(await response.blob());
  } catch (error) {
    showTrouble(error);
    return null;
  }
}
