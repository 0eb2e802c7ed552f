/** A picture at several sizes, each half of the one before: a frame draws the one that fits. */

const SMALLEST = 1024;

export class Pyramid {
  constructor(whole) {
    this.width = whole.width;
    this.height = whole.height;
    this.levels = [whole];
  }

  /** Make the smaller sizes, one after the other, and tell when each is there. */
  async build(ready = () => {}) {
    for (;;) {
      const last = this.levels[this.levels.length - 1];
      if (Math.max(last.width, last.height) <= SMALLEST) return;
      const size = { resizeWidth: Math.max(last.width >> 1, 1), resizeHeight: Math.max(last.height >> 1, 1) };
      this.levels.push(await createImageBitmap(last, { ...size, resizeQuality: "medium" }));
      ready();
    }
  }

  /** Give the memory back. */
  close() {
    for (const bitmap of this.levels) bitmap.close?.();
    this.levels = [];
  }

  /** Draw the part that is in view; coordinates of the context are pixels of the picture. */
  paint(context, { transform, density, frame }) {
    const scale = transform.scale * density;
    const wanted = Math.max(0, Math.floor(Math.log2(1 / scale)));
    const bitmap = this.levels[Math.min(wanted, this.levels.length - 1)];
    if (!bitmap) return;
    const [xs, ys] = [bitmap.width / this.width, bitmap.height / this.height];
    const [left, top] = transform.toPicture(0, 0);
    const [right, bottom] = transform.toPicture(frame.width, frame.height);
    // Whole pixels of the level, so that the part lies exactly where it belongs.
    const x0 = Math.max(0, Math.floor(left * xs));
    const y0 = Math.max(0, Math.floor(top * ys));
    const x1 = Math.min(bitmap.width, Math.ceil(right * xs));
    const y1 = Math.min(bitmap.height, Math.ceil(bottom * ys));
    if (x1 <= x0 || y1 <= y0) return;
    context.imageSmoothingEnabled = scale < 3; // then pixels show
    context.imageSmoothingQuality = "low"; // the level is nearly as large as it is drawn
    context.drawImage(bitmap, x0, y0, x1 - x0, y1 - y0, x0 / xs, y0 / ys, (x1 - x0) / xs, (y1 - y0) / ys);
  }
}
