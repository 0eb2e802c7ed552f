/** Fields that parts of a page watch: changed in one place, drawn in many. */

/**
 * Make a store of these fields. `state` is to be read freely, and changed only through `set`.
 * @returns {{state: object, set: (changes: object) => void, watch: (fields: string[], listener: () => void) => void}}
 */
export function observable(state) {
  const watchers = [];
  const waiting = new Set();

  /** Change fields; watchers run once, soon. */
  function set(changes) {
    if (waiting.size === 0) queueMicrotask(notify);
    for (const [name, value] of Object.entries(changes)) {
      if (!(name in state)) throw new Error(`There is no field ${name}`);
      if (state[name] === value) continue;
      state[name] = value;
      waiting.add(name);
    }
  }

  /** Call a function whenever one of these fields has changed, and once now. */
  function watch(fields, listener) {
    watchers.push({ fields, listener });
    listener();
  }

  function notify() {
    const changed = new Set(waiting);
    waiting.clear();
    for (const { fields, listener } of watchers) {
      if (fields.some((field) => changed.has(field))) listener();
    }
  }

  return { state, set, watch };
}
