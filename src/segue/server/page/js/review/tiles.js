/**
 * Masks as tiles: small canvases, each drawn once for the zoom at hand. A frame only puts those
 * together that are in view, so that it costs the same for one region and for hundreds, and for
 * small pictures and large ones. What changes is drawn anew, tile by tile.
 */

const SIDE = 256;
const MOST_TILES = 400; // 256 KiB each
const FRAME_MS = 7; // so long a frame may draw new tiles; the rest waits for the next one

export class TileLayer {
  #shapes = new Map(); // by id: {mask, fill, line, alpha}
  #tiles = new Map(); // by "level/column/row"; the least recently used first
  #stale = new Set(); // keys of tiles that are shown until they are drawn anew

  /** Show these shapes, the first one lowest; only what differs is drawn anew. */
  setShapes(shapes) {
    const next = new Map(shapes.map((shape) => [shape.id, shape]));
    for (const [id, shape] of this.#shapes) if (next.get(id) !== shape) this.invalidate(boxOf(shape.mask));
    for (const [id, shape] of next) if (this.#shapes.get(id) !== shape) this.invalidate(boxOf(shape.mask));
    this.#shapes = next;
  }

  /** Forget all: another picture. */
  clear() {
    this.#shapes = new Map();
    this.#tiles.clear();
    this.#stale.clear();
  }

  /** A box of the picture has changed: [x0, y0, x1, y1]. */
  invalidate([x0, y0, x1, y1]) {
    for (const [key, { span, left, top }] of this.#tiles) {
      if (left < x1 + span / 64 && top < y1 + span / 64 && left + span > x0 - span / 64 && top + span > y0 - span / 64) this.#stale.add(key);
    }
  }

  /** Draw what is in view. True: all of it was ready; false: another frame is needed. */
  paint(context, view, alpha = 1) {
    const { level, first, last, edge } = this.#inView(view);
    const until = performance.now() + FRAME_MS;
    let complete = true;
    context.save();
    context.imageSmoothingEnabled = view.transform.scale * view.density < 1;
    context.globalAlpha = alpha;
    for (let row = first[1]; row <= last[1]; row++) {
      for (let column = first[0]; column <= last[0]; column++) {
        const key = `${level}/${edge}/${column}/${row}`;
        let tile = this.#tiles.get(key);
        if (!tile || this.#stale.has(key)) {
          if (performance.now() < until) tile = this.#draw(key, level, edge, column, row, tile);
          else complete = false;
        }
        if (!tile) this.#paintSubstitute(context, level, column, row);
        else this.#paintTile(context, key, tile);
      }
    }
    context.restore();
    while (this.#tiles.size > MOST_TILES) {
      const oldest = this.#tiles.keys().next().value;
      this.#tiles.delete(oldest);
      this.#stale.delete(oldest);
    }
    return complete;
  }

  #inView({ transform, density, frame, picture }) {
    const scale = transform.scale * density;
    const level = Math.max(0, Math.floor(Math.log2(1 / scale)));
    const span = SIDE * 2 ** level;
    const [x0, y0] = transform.toPicture(0, 0);
    const [x1, y1] = transform.toPicture(frame.width, frame.height);
    const column = (x) => Math.floor(Math.min(Math.max(x, 0), picture.width - 1) / span);
    const row = (y) => Math.floor(Math.min(Math.max(y, 0), picture.height - 1) / span);
    // Lines are two pixels of the screen wide, and left to outlines where pixels become squares.
    const edge = level > 0 || scale < 1.5 ? 2 : scale < 4 ? 1 : 0;
    return { level, edge, first: [column(x0), row(y0)], last: [column(x1), row(y1)] };
  }

  #paintTile(context, key, tile) {
    this.#tiles.delete(key);
    this.#tiles.set(key, tile);
    if (tile.canvas) context.drawImage(tile.canvas, tile.left, tile.top, tile.span, tile.span);
  }

  /** While a tile is not drawn yet, a part of a coarser one stands for it. */
  #paintSubstitute(context, level, column, row) {
    const span = SIDE * 2 ** level;
    for (let up = 1; up <= 4; up++) {
      for (const edge of [2, 1, 0]) {
        const tile = this.#tiles.get(`${level + up}/${edge}/${column >> up}/${row >> up}`);
        if (!tile) continue;
        const size = SIDE / 2 ** up;
        const [left, top] = [(column * span - tile.left) / 2 ** (level + up), (row * span - tile.top) / 2 ** (level + up)];
        if (tile.canvas) context.drawImage(tile.canvas, left, top, size, size, column * span, row * span, span, span);
        return;
      }
    }
  }

  #draw(key, level, edge, column, row, old) {
    const step = 2 ** level;
    const span = SIDE * step;
    const tile = { span, left: column * span, top: row * span, canvas: null };
    const near = [...this.#shapes.values()].filter(({ mask }) => touches(mask, tile));
    if (near.length > 0) {
      tile.canvas = old?.canvas ?? new OffscreenCanvas(SIDE, SIDE);
      const context = tile.canvas.getContext("2d");
      const image = context.createImageData(SIDE, SIDE);
      const pixels = new Uint32Array(image.data.buffer);
      for (const shape of near) paintShape(pixels, shape, tile, step, edge);
      context.putImageData(image, 0, 0);
    }
    this.#tiles.set(key, tile);
    this.#stale.delete(key);
    return tile;
  }
}

function boxOf({ x0, y0, x1, y1 }) {
  return [x0, y0, x1, y1];
}

function touches({ x0, y0, x1, y1 }, { left, top, span }) {
  return x0 < left + span && y0 < top + span && x1 > left && y1 > top;
}

/** Colours as pixels in memory: little endian, alpha first. */
export function pixelOf([red, green, blue], alpha) {
  return ((Math.round(alpha * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Write the pixels of one shape into a tile: its colour, and a line along its inner edge. */
function paintShape(pixels, { mask, fill, line }, { left, top }, step, edge) {
  const { bits, boxWidth, x0, y0, x1, y1 } = mask;
  const half = step >> 1; // a pixel of the tile shows the middle one of those it stands for
  const firstColumn = Math.max(0, Math.ceil((x0 - left - half) / step));
  const lastColumn = Math.min(SIDE - 1, Math.floor((x1 - 1 - left - half) / step));
  const firstRow = Math.max(0, Math.ceil((y0 - top - half) / step));
  const lastRow = Math.min(SIDE - 1, Math.floor((y1 - 1 - top - half) / step));
  const reach = edge * step;
  for (let j = firstRow; j <= lastRow; j++) {
    const y = top + j * step + half - y0;
    const row = y * boxWidth;
    const up = y - reach >= 0 ? row - reach * boxWidth : -1;
    const down = y + reach < y1 - y0 ? row + reach * boxWidth : -1;
    for (let i = firstColumn; i <= lastColumn; i++) {
      const x = left + i * step + half - x0;
      if (!bits[row + x]) continue;
      const inner =
        edge === 0 ||
        (up >= 0 && down >= 0 && x >= reach && x + reach < boxWidth &&
          bits[up + x] && bits[down + x] && bits[row + x - reach] && bits[row + x + reach]);
      pixels[j * SIDE + i] = inner ? fill : line;
    }
  }
}
