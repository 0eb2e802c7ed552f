/** A canvas with a picture: how it is zoomed and moved, and when it is drawn. */

import { Transform } from "./transform.js";

export class PictureView {
  transform = new Transform();
  /** ImageBitmap of the picture, or what is as wide and as high; null while there is none. */
  picture = null;
  #waiting = false;

  /** `paint` is called, with nothing, when the canvas is to be painted. */
  constructor(canvas, paint) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.paint = paint;
    new ResizeObserver(() => this.#resize()).observe(canvas.parentElement);
  }

  /** Size of the canvas in CSS pixels. */
  get frame() {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  /** Device pixels per CSS pixel. */
  get density() {
    return window.devicePixelRatio || 1;
  }

  /** Draw soon. */
  draw() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.paint();
    });
  }

  /** Whether a point lies on the picture. */
  holds([x, y]) {
    return this.picture && x >= 0 && y >= 0 && x < this.picture.width && y < this.picture.height;
  }

  zoom(factor, x = this.frame.width / 2, y = this.frame.height / 2) {
    if (!this.picture) return;
    this.transform.zoom(factor, x, y);
    this.transform.pan(0, 0, this.picture, this.frame);
    this.draw();
  }

  pan(dx, dy) {
    if (!this.picture) return;
    this.transform.pan(dx, dy, this.picture, this.frame);
    this.draw();
  }

  fit() {
    if (!this.picture) return;
    this.transform.fit(this.picture, this.frame, this.#taken());
    this.draw();
  }

  /** What the tools cover: they stand on the left, or lie at the top of a narrow screen. */
  #taken() {
    const tools = this.canvas.parentElement.querySelector(".tools");
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = tools;
    const lying = offsetWidth > offsetHeight;
    return lying ? { left: 0, top: offsetTop + offsetHeight } : { left: offsetLeft + offsetWidth, top: 0 };
  }

  #resize() {
    this.canvas.width = Math.round(this.frame.width * this.density);
    this.canvas.height = Math.round(this.frame.height * this.density);
    if (this.picture && this.transform.fitted) this.fit();
    this.draw();
  }
}
