/**
 * COCO run lengths -> pixels. The pixels are read column by column; the first run counts zeros.
 * "Compressed" counts are text: differences in groups of five bits, six bits a character.
 */

/** The largest picture a mask is made for, in pixels. */
const MAX_PIXELS = 2 ** 28;

/** Read compressed counts. */
export function countsOfText(text) {
  const counts = [];
  let position = 0;
  while (position < text.length) {
    let value = 0;
    let shift = 0;
    let code;
    do {
      if (position >= text.length) throw new RangeError("RLE counts end inside a number.");
      code = text.charCodeAt(position++) - 48;
      if (code < 0 || code > 63) throw new RangeError("RLE counts hold a strange character.");
      if (shift > 40) throw new RangeError("RLE counts hold a number that is too long.");
      value += (code & 0x1f) * 2 ** shift; // no bit operators: they are 32 bits wide
      shift += 5;
    } while (code & 0x20);
    if (code & 0x10) value -= 2 ** shift;
    if (counts.length > 2) value += counts[counts.length - 2];
    counts.push(value);
  }
  return counts;
}

/** A mask: one bit a pixel, kept for its tight box only. */
export class Mask {
  /**
   * @param {{size: [number, number], counts: string | number[]}} rle size is [height, width]
   */
  constructor(rle) {
    const [height, width] = rle.size;
    const counts = typeof rle.counts === "string" ? countsOfText(rle.counts) : rle.counts;
    if (!(height > 0 && width > 0 && height * width <= MAX_PIXELS)) {
      throw new RangeError("RLE has a strange size.");
    }
    this.height = height;
    this.width = width;
    this.area = 0;
    const runs = runsOfOnes(counts, height, width);
    const box = boxOf(runs, height);
    Object.assign(this, box);
    this.boxWidth = box.x1 - box.x0;
    this.boxHeight = box.y1 - box.y0;
    /** Row by row within the box. */
    this.bits = new Uint8Array(this.boxWidth * this.boxHeight);
    for (const [start, end] of runs) this.#fill(start, end);
  }

  /**
   * A mask from the pixels of a box: `bits` row by row, the box in pixels of the picture. Rows and
   * columns without a pixel at the edge of the box are left out.
   */
  static ofBits({ width, height, x0, y0, boxWidth, boxHeight, bits }) {
    const tight = tightBox(bits, boxWidth, boxHeight);
    const mask = Object.create(Mask.prototype);
    const { left, top, right, bottom } = tight;
    Object.assign(mask, { width, height, area: tight.area });
    if (tight.area === 0) Object.assign(mask, { x0: 0, y0: 0, x1: 0, y1: 0 });
    else Object.assign(mask, { x0: x0 + left, y0: y0 + top, x1: x0 + right, y1: y0 + bottom });
    mask.boxWidth = mask.x1 - mask.x0;
    mask.boxHeight = mask.y1 - mask.y0;
    mask.bits = new Uint8Array(mask.boxWidth * mask.boxHeight);
    for (let row = 0; row < mask.boxHeight; row++) {
      const start = (top + row) * boxWidth + left;
      mask.bits.set(bits.subarray(start, start + mask.boxWidth), row * mask.boxWidth);
    }
    return mask;
  }

  #fill(start, end) {
    const { height, x0, y0, boxWidth, bits } = this;
    this.area += end - start;
    let x = Math.floor(start / height);
    let y = start - x * height;
    for (let place = start; place < end; place++) {
      bits[(y - y0) * boxWidth + (x - x0)] = 1;
      if (++y === height) {
        y = 0;
        x++;
      }
    }
  }

  /** Whether the pixel in column x and row y belongs to the mask. */
  has(x, y) {
    if (x < this.x0 || x >= this.x1 || y < this.y0 || y >= this.y1) return false;
    return this.bits[(y - this.y0) * this.boxWidth + (x - this.x0)] === 1;
  }
}

/** Write a mask as compressed run lengths: {size: [height, width], counts: text}. */
export function rleOf(mask) {
  const { width, height, x0, y0, boxWidth, boxHeight, bits } = mask;
  const counts = [];
  let last = 0; // where the run that is being counted began
  let inside = 0;
  const turn = (place) => {
    counts.push(place - last);
    last = place;
    inside = 1 - inside;
  };
  for (let column = 0; column < boxWidth; column++) {
    const top = (x0 + column) * height + y0;
    if (inside && y0 > 0) turn(top - y0); // the column before ended at the picture's lower edge
    for (let row = 0; row < boxHeight; row++) {
      if (bits[row * boxWidth + column] !== inside) turn(top + row);
    }
    if (inside && y0 + boxHeight < height) turn(top + boxHeight);
  }
  const end = (x0 + boxWidth) * height;
  if (inside && end < width * height) turn(end);
  if (last < width * height) counts.push(width * height - last);
  return { size: [height, width], counts: textOfCounts(counts) };
}

/** Write counts as compressed text. */
export function textOfCounts(counts) {
  let text = "";
  counts.forEach((count, index) => {
    let value = index > 2 ? count - counts[index - 2] : count;
    for (let more = true; more; ) {
      let code = value & 0x1f;
      value >>= 5;
      more = code & 0x10 ? value !== -1 : value !== 0;
      if (more) code |= 0x20;
      text += String.fromCharCode(code + 48);
    }
  });
  return text;
}

function tightBox(bits, boxWidth, boxHeight) {
  let [left, top, right, bottom, area] = [boxWidth, boxHeight, 0, 0, 0];
  for (let y = 0; y < boxHeight; y++) {
    const start = y * boxWidth;
    for (let x = 0; x < boxWidth; x++) {
      if (!bits[start + x]) continue;
      area++;
      if (x < left) left = x;
      if (x >= right) right = x + 1;
      if (y < top) top = y;
      bottom = y + 1;
    }
  }
  return { left, top, right, bottom, area };
}

function runsOfOnes(counts, height, width) {
  const runs = [];
  let place = 0;
  counts.forEach((count, index) => {
    if (!(count >= 0)) throw new RangeError("RLE counts must not be negative.");
    if (index % 2 === 1 && count > 0) runs.push([place, place + count]);
    place += count;
    if (place > height * width) throw new RangeError("RLE counts exceed the size.");
  });
  if (place !== height * width) throw new RangeError("RLE counts do not add up to the size.");
  return runs;
}

function boxOf(runs, height) {
  if (runs.length === 0) return { x0: 0, y0: 0, x1: 0, y1: 0 };
  let y0 = height;
  let y1 = 0;
  for (const [start, end] of runs) {
    const first = start % height;
    if (first + (end - start) > height) {
      y0 = 0; // the run goes on in the next column
      y1 = height;
    } else {
      y0 = Math.min(y0, first);
      y1 = Math.max(y1, first + end - start);
    }
  }
  const x0 = Math.floor(runs[0][0] / height);
  const x1 = Math.floor((runs[runs.length - 1][1] - 1) / height) + 1;
  return { x0, y0, x1, y1 };
}
