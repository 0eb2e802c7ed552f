/** Small ways to make and find elements. Text is always set as text, never as markup. */

/** An element with properties, listeners (`on`), data (`data`) and children. */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (name === "data") {
      Object.assign(node.dataset, value);
    } else if (name === "colour") {
      node.style.setProperty("--colour", value); // through the object model: the CSP forbids it in markup
    } else {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** The one element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** An icon of `icons.svg`. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `/page/icons.svg#icon-${name}`);
  svg.append(use);
  return svg;
}

/**
 * Replace all children. The focus stays on the element with the same `data-key`, or goes to the
 * first button when that one is gone.
 */
export function refill(container, ...children) {
  const active = document.activeElement;
  const key = container.contains(active) ? active.dataset.key : undefined;
  container.replaceChildren(...children.flat().filter((child) => child));
  if (key === undefined) return;
  const same = container.querySelector(`[data-key="${CSS.escape(key)}"]`);
  (same ?? container.querySelector("button"))?.focus({ preventScroll: true });
}

/**
 * Keep the children of a container in step with a list, and make only those anew that changed.
 * `make(value)` gives the child of a value; `partsOf(value)` what it depends on, its key first. The
 * returned function takes the list, and children to put behind.
 */
export function keyedChildren(container, partsOf, make) {
  let known = new Map();
  return (values, ...behind) => {
    const focused = container.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    const next = new Map();
    for (const value of values) {
      const parts = partsOf(value);
      const old = known.get(parts[0]);
      const same = old && old.parts.every((part, i) => part === parts[i]);
      const child = same ? old.child : make(value);
      if (old && !same && old.child.parentElement === container) old.child.replaceWith(child);
      next.set(parts[0], { parts, child });
    }
    known = next;
    const children = [...[...next.values()].map(({ child }) => child), ...behind.filter(Boolean)];
    const isInOrder = children.length === container.children.length && children.every((child, i) => container.children[i] === child);
    if (!isInOrder) container.replaceChildren(...children);
    if (focused === undefined || container.contains(document.activeElement)) return;
    container.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  };
}

/** Let a browser save a blob under a name. */
export function saveAs(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
