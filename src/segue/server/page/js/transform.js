/** Where a picture lies on the canvas: zoom and pan. Lengths are CSS pixels and picture pixels. */

export class Transform {
  /** CSS pixels per picture pixel. */
  scale = 1;
  /** Where the picture's top left corner is. */
  left = 0;
  top = 0;
  /** True until a person zooms or pans: the picture follows the size of its frame. */
  fitted = true;

  /** Show the whole picture, in the middle. Small pictures grow, but not beyond recognition. */
  fit(picture, frame, margin = 16) {
    const wide = Math.max(frame.width - 2 * margin, 1) / picture.width;
    const high = Math.max(frame.height - 2 * margin, 1) / picture.height;
    this.scale = Math.min(wide, high, 16);
    this.left = (frame.width - picture.width * this.scale) / 2;
    this.top = (frame.height - picture.height * this.scale) / 2;
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
