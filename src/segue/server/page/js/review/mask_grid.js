/** A mask that can be painted on: pixels within a box that grows as it is needed. */

import { Mask } from "../rle.js";

export class MaskGrid {
  constructor(width, height) {
    Object.assign(this, { width, height, x0: 0, y0: 0, boxWidth: 0, boxHeight: 0 });
    this.bits = new Uint8Array(0);
  }

  /** A copy of a mask. */
  static of(mask) {
    const grid = new MaskGrid(mask.width, mask.height);
    const { x0, y0, boxWidth, boxHeight } = mask;
    Object.assign(grid, { x0, y0, boxWidth, boxHeight, bits: mask.bits.slice() });
    return grid;
  }

  get x1() {
    return this.x0 + this.boxWidth;
  }

  get y1() {
    return this.y0 + this.boxHeight;
  }

  /** The mask as it is now. */
  toMask() {
    return Mask.ofBits(this);
  }

  /**
   * Set all pixels whose centres are no farther than `radius` from the line between two points.
   * Gives the box that was touched.
   */
  stroke([xa, ya], [xb, yb], radius, value) {
    const reach = Math.max(radius, 0.5);
    const box = this.#within([
      Math.floor(Math.min(xa, xb) - reach), Math.floor(Math.min(ya, yb) - reach),
      Math.ceil(Math.max(xa, xb) + reach), Math.ceil(Math.max(ya, yb) + reach),
    ]);
    const [left, top, right, bottom] = value ? this.#cover(box) : this.#overlap(box);
    const [dx, dy] = [xb - xa, yb - ya];
    const length2 = dx * dx + dy * dy;
    for (let y = top; y < bottom; y++) {
      const row = (y - this.y0) * this.boxWidth - this.x0;
      for (let x = left; x < right; x++) {
        const [px, py] = [x + 0.5 - xa, y + 0.5 - ya];
        const share = length2 ? Math.min(Math.max((px * dx + py * dy) / length2, 0), 1) : 0;
        const [ex, ey] = [px - share * dx, py - share * dy];
        if (ex * ex + ey * ey <= reach * reach) this.bits[row + x] = value;
      }
    }
    return box;
  }

  /** Make the mask what loops of [x, y] corners enclose (even-odd, by the centres of pixels). */
  fill(loops) {
    const corners = loops.flat();
    this.bits.fill(0);
    if (corners.length === 0) return;
    const xs = corners.map(([x]) => x);
    const ys = corners.map(([, y]) => y);
    const [left, top, right, bottom] = this.#within([
      Math.floor(Math.min(...xs)), Math.floor(Math.min(...ys)), Math.ceil(Math.max(...xs)), Math.ceil(Math.max(...ys)),
    ]);
    Object.assign(this, { x0: left, y0: top, boxWidth: Math.max(right - left, 0), boxHeight: Math.max(bottom - top, 0) });
    this.bits = new Uint8Array(this.boxWidth * this.boxHeight);
    for (let y = top; y < bottom; y++) {
      const crossings = crossingsOf(loops, y + 0.5);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        const from = Math.max(Math.ceil(crossings[i] - 0.5), left);
        const to = Math.min(Math.ceil(crossings[i + 1] - 0.5), right);
        if (to > from) this.bits.fill(1, (y - top) * this.boxWidth + from - left, (y - top) * this.boxWidth + to - left);
      }
    }
  }

  /** The part of a box that lies in the picture. */
  #within([left, top, right, bottom]) {
    const inside = (value, most) => Math.min(Math.max(value, 0), most);
    return [inside(left, this.width), inside(top, this.height), inside(right, this.width), inside(bottom, this.height)];
  }

  #overlap([left, top, right, bottom]) {
    return [Math.max(left, this.x0), Math.max(top, this.y0), Math.min(right, this.x1), Math.min(bottom, this.y1)];
  }

  /** Let the pixels cover a box, with room to spare for the next strokes. */
  #cover(box) {
    const [left, top, right, bottom] = box;
    if (right <= left || bottom <= top) return box;
    if (left >= this.x0 && top >= this.y0 && right <= this.x1 && bottom <= this.y1) return box;
    const spare = Math.max(right - left, bottom - top, 64);
    const wide = [left - spare, top - spare, right + spare, bottom + spare];
    const union = this.bits.length
      ? [Math.min(wide[0], this.x0), Math.min(wide[1], this.y0), Math.max(wide[2], this.x1), Math.max(wide[3], this.y1)]
      : wide;
    const [x0, y0, x1, y1] = this.#within(union);
    const bits = new Uint8Array((x1 - x0) * (y1 - y0));
    for (let row = 0; row < this.boxHeight; row++) {
      const from = row * this.boxWidth;
      bits.set(this.bits.subarray(from, from + this.boxWidth), (this.y0 + row - y0) * (x1 - x0) + this.x0 - x0);
    }
    Object.assign(this, { x0, y0, boxWidth: x1 - x0, boxHeight: y1 - y0, bits });
    return box;
  }
}

/** Where the edges of loops cross a horizontal line, from left to right. */
function crossingsOf(loops, y) {
  const found = [];
  for (const loop of loops) {
    let [xa, ya] = loop[loop.length - 1];
    for (const [xb, yb] of loop) {
      if (ya <= y !== yb <= y) found.push(xa + ((y - ya) / (yb - ya)) * (xb - xa));
      [xa, ya] = [xb, yb];
    }
  }
  return found.sort((a, b) => a - b);
}
