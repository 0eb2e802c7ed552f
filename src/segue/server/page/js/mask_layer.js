/** What is drawn of a mask, made once: a tint of its box, and its outline. */

import { outlineOf } from "./outline.js";

const outlines = new WeakMap();
const tints = new WeakMap();

/** The outline of a mask as a path in pixels of the picture. */
export function outline(mask) {
  if (!outlines.has(mask)) outlines.set(mask, outlineOf(mask));
  return outlines.get(mask);
}

/** A canvas of the size of the mask's box, opaque where the mask is; null for an empty mask. */
export function tint(mask, [red, green, blue]) {
  if (mask.area === 0) return null;
  const colour = (255 << 24) | (blue << 16) | (green << 8) | red;
  const known = tints.get(mask);
  if (known?.colour === colour) return known.canvas;
  const canvas = document.createElement("canvas");
  canvas.width = mask.boxWidth;
  canvas.height = mask.boxHeight;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(mask.boxWidth, mask.boxHeight);
  const words = new Int32Array(pixels.data.buffer);
  for (let i = 0; i < words.length; i++) words[i] = mask.bits[i] ? colour : 0;
  context.putImageData(pixels, 0, 0);
  tints.set(mask, { colour, canvas });
  return canvas;
}
