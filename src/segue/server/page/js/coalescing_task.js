/** Run a task over and over, one at a time; whatever changed meanwhile is covered by one more run. */
export class Latest {
  #running = false;
  #again = false;

  constructor(task) {
    this.task = task;
  }

  /** Run the task soon with how things are then. */
  async run() {
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#again) {
        this.#again = false;
        await this.task();
      }
    } finally {
      this.#running = false;
    }
  }
}
