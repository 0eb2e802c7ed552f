/** Where a picture lies on the canvas: zoom and pan. Lengths are CSS pixels and picture pixels. */

const MARGIN = 12;

export class Transform {
  /** CSS pixels per picture pixel. */
  scale = 1;
  /** Where the picture's top left corner is. */
  left = 0;
  top = 0;
  /** True until a person zooms or pans: the picture follows the size of its frame. */
  fitted = true;

  /**
   * Show the whole picture, in the middle. Small pictures grow, but not beyond recognition.
   * `taken` is what something else covers of the frame, on the left and at the top.
   */
  fit(picture, frame, taken = { left: 0, top: 0 }) {
    const width = frame.width - taken.left;
    const height = frame.height - taken.top;
    const wide = Math.max(width - 2 * MARGIN, 1) / picture.width;
    const high = Math.max(height - 2 * MARGIN, 1) / picture.height;
    this.scale = Math.min(wide, high, 16);
    this.left = taken.left + (width - picture.width * this.scale) / 2;
    this.top = taken.top + (height - picture.height * this.scale) / 2;
    this.fitted = true;
  }

  /** Zoom by a factor; the point (x, y) of the frame keeps its place in the picture. */
  zoom(factor, x, y) {
    const scale = Math.min(Math.max(this.scale * factor, 0.02), 64);
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
  }

  /** Move the picture; a part of it always stays in the frame. */
  pan(dx, dy, picture, frame) {
    const keep = 40;
    const width = picture.width * this.scale;
    const height = picture.height * this.scale;
    this.left = Math.min(Math.max(this.left + dx, keep - width), frame.width - keep);
    this.top = Math.min(Math.max(this.top + dy, keep - height), frame.height - keep);
    this.fitted = false;
  }

  /** From the frame to the picture. */
  toPicture(x, y) {
    return [(x - this.left) / this.scale, (y - this.top) / this.scale];
  }

  /** From the picture to the frame. */
  toFrame(x, y) {
    return [x * this.scale + this.left, y * this.scale + this.top];
  }
}
