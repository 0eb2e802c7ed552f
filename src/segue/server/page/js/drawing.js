/** Paint a picture, its masks and what a person is pointing at. */

import { outline, tint } from "./mask_layer.js";
import { contrasting, css } from "./palette.js";

const FILL = { plain: 0.4, lit: 0.6, faded: 0.16 };
const DRAFT = [36, 83, 184];
const AWAY = [165, 35, 28];

/** Paint everything. `scene` is described at Viewer.scene. */
export function paint(context, scene) {
  const { frame, density } = scene;
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, frame.width, frame.height);
  if (!scene.picture) return;
  paintPicture(context, scene, scene.picture);
  if (scene.edited) paintEdited(context, scene);
  if (scene.masksShown) paintRegions(context, scene);
  if (scene.draft) paintDraft(context, scene, scene.draft);
  if (scene.edited && scene.before > 0 && scene.before < 1) paintDivider(context, scene);
  if (scene.cross) paintCross(context, scene, scene.cross);
}

/** Coordinates are pixels of the picture from here on. */
export function inPicture(context, { transform, density }) {
  const { scale, left, top } = transform;
  context.setTransform(density * scale, 0, 0, density * scale, density * left, density * top);
}

/** Coordinates are CSS pixels of the canvas from here on. */
export function inFrame(context, { density }) {
  context.setTransform(density, 0, 0, density, 0, 0);
}

function paintPicture(context, scene, picture) {
  inPicture(context, scene);
  context.imageSmoothingEnabled = scene.transform.scale * scene.density < 3; // then pixels show
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0);
}

function paintEdited(context, scene) {
  const { picture, edited, before } = scene;
  const from = picture.width * before;
  context.save();
  inPicture(context, scene);
  context.beginPath();
  context.rect(from, 0, picture.width - from, picture.height);
  context.clip();
  paintChecks(context, scene);
  paintPicture(context, scene, edited);
  context.restore();
}

/** What shows through where a picture is transparent. */
function paintChecks(context, scene) {
  inFrame(context, scene);
  const { width, height } = scene.frame;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.fillStyle = "#d5d7db";
  const side = 10;
  const { left, top } = scene.transform;
  const first = (start) => (((start % (2 * side)) + 2 * side) % (2 * side)) - 2 * side;
  for (let y = first(top), row = 0; y < height; y += side, row++) {
    for (let x = first(left) + (row % 2) * side; x < width; x += 2 * side) context.fillRect(x, y, side, side);
  }
}

function paintRegions(context, scene) {
  const { shown, transform } = scene;
  const anyLit = shown.some((one) => one.lit);
  for (const one of shown) {
    const layer = one.mask && tint(one.mask, one.look.fill);
    if (!layer) continue;
    clipped(context, scene, () => {
      context.globalAlpha = one.lit ? FILL.lit : anyLit ? FILL.faded : FILL.plain;
      context.imageSmoothingEnabled = transform.scale * scene.density < 1;
      context.drawImage(layer, one.mask.x0, one.mask.y0);
    });
  }
  for (const one of shown) {
    const strong = one.lit || one.chosen;
    const stroke = () => {
      context.globalAlpha = anyLit && !strong ? 0.45 : 1;
      const path = one.mask?.area ? outline(one.mask) : boxPath(one.box);
      strokeTwice(context, scene, path, one.look.line, strong ? 3 : 2);
    };
    if (strong) stroke();
    else clipped(context, scene, stroke);
    context.globalAlpha = 1;
  }
  for (const one of shown) if (one.lit || one.chosen) paintLabel(context, scene, one);
}

/** Draw on the part that is shown as it was before the edits; on all of it when there are none. */
function clipped(context, scene, draw) {
  context.save();
  inPicture(context, scene);
  if (scene.edited) {
    context.beginPath();
    context.rect(0, 0, scene.picture.width * scene.before, scene.picture.height);
    context.clip();
  }
  draw();
  context.restore();
}

/** Stroke a path in pixels of the picture, visible on any ground; the width is in CSS pixels. */
export function strokeTwice(context, scene, path, colour, width, dash = []) {
  inPicture(context, scene);
  const unit = 1 / scene.transform.scale;
  context.lineJoin = "round";
  context.strokeStyle = css(contrasting(colour), 0.85);
  context.lineWidth = (width + 1.6) * unit;
  context.stroke(path);
  context.setLineDash(dash.map((length) => length * unit));
  context.strokeStyle = css(colour);
  context.lineWidth = width * unit;
  context.stroke(path);
  context.setLineDash([]);
}

/** A box as a path. */
export function boxPath([x0, y0, x1, y1]) {
  const path = new Path2D();
  path.rect(x0, y0, x1 - x0, y1 - y0);
  return path;
}

/** Write what a region is called over its box. */
export function paintLabel(context, scene, { box, name, look }) {
  inFrame(context, scene);
  const [x, y] = scene.transform.toFrame(box[0], box[1]);
  context.font = "600 13px system-ui, 'Noto Sans CJK SC', sans-serif";
  const words = shortened(context, name, 240);
  const width = context.measureText(words).width + 14;
  const left = Math.min(Math.max(x, 4), Math.max(scene.frame.width - width - 4, 4));
  const top = Math.min(Math.max(y - 26, scene.transform.top + 3, 4), scene.frame.height - 26);
  context.fillStyle = css(look.line);
  context.beginPath();
  context.roundRect(left, top, width, 22, 6);
  context.fill();
  context.fillStyle = css(contrasting(look.line));
  context.textBaseline = "middle";
  context.fillText(words, left + 7, top + 11.5);
}

/** A text that is no wider than so many pixels. */
function shortened(context, text, most) {
  let letters = Array.from(text);
  if (context.measureText(text).width <= most) return text;
  while (letters.length > 1 && context.measureText(`${letters.join("")}…`).width > most) letters = letters.slice(0, -1);
  return `${letters.join("")}…`;
}

/** What is being pointed out: a preview of its mask, its box and its clicks. */
export function paintDraft(context, scene, { mask, box, points, labels, masks = [], exemplars = [] }) {
  for (const one of [mask, ...masks]) paintDraftMask(context, scene, one);
  for (const one of exemplars) strokeTwice(context, scene, boxPath(one.box), one.positive ? DRAFT : AWAY, 3, [3, 4]);
  if (box) strokeTwice(context, scene, boxPath(box), DRAFT, 2, [7, 5]);
  inFrame(context, scene);
  points.forEach((point, i) => paintPoint(context, scene.transform.toFrame(...point), labels[i]));
}

function paintDraftMask(context, scene, mask) {
  const layer = mask && tint(mask, DRAFT);
  if (layer) {
    inPicture(context, scene);
    context.imageSmoothingEnabled = scene.transform.scale * scene.density < 1;
    context.globalAlpha = 0.45;
    context.drawImage(layer, mask.x0, mask.y0);
    context.globalAlpha = 1;
    strokeTwice(context, scene, outline(mask), DRAFT, 2.5);
  }
}

function paintPoint(context, [x, y], label) {
  context.beginPath();
  context.arc(x, y, 8, 0, 2 * Math.PI);
  context.fillStyle = css(label ? DRAFT : AWAY);
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = "#fff";
  context.stroke();
  context.beginPath();
  context.moveTo(x - 4, y);
  context.lineTo(x + 4, y);
  if (label) {
    context.moveTo(x, y - 4);
    context.lineTo(x, y + 4);
  }
  context.stroke();
}

function paintDivider(context, scene) {
  inFrame(context, scene);
  const { picture, transform, before } = scene;
  const [x, top] = transform.toFrame(picture.width * before, 0);
  const [, bottom] = transform.toFrame(0, picture.height);
  context.lineWidth = 2;
  context.strokeStyle = "#fff";
  context.shadowColor = "rgb(0 0 0 / 60%)";
  context.shadowBlur = 4;
  context.beginPath();
  context.moveTo(x, top);
  context.lineTo(x, bottom);
  context.stroke();
  context.fillStyle = "#fff";
  context.beginPath();
  context.arc(x, (top + bottom) / 2, 13, 0, 2 * Math.PI);
  context.fill();
  context.shadowBlur = 0;
  context.shadowColor = "transparent";
  context.strokeStyle = "#1c1e22";
  context.beginPath();
  for (const side of [-1, 1]) {
    context.moveTo(x + side * 3.5, (top + bottom) / 2 - 4);
    context.lineTo(x + side * 7.5, (top + bottom) / 2);
    context.lineTo(x + side * 3.5, (top + bottom) / 2 + 4);
  }
  context.stroke();
}

function paintCross(context, scene, point) {
  inFrame(context, scene);
  const [x, y] = scene.transform.toFrame(...point);
  for (const [width, colour] of [[4, "#fff"], [2, "#1c1e22"]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 4 * dx, y + 4 * dy);
      context.lineTo(x + 14 * dx, y + 14 * dy);
    }
    context.stroke();
  }
}
