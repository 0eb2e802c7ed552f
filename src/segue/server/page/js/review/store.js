/** What the review page knows and shows. Parts of the page watch the fields they draw. */

import { observable } from "../observable.js";
import { Mask } from "../rle.js";

export const { state, set, watch } = observable({
  /** What the server says about the review: name, order, classes, counts. */
  overview: null,
  /** The part of the queue that is loaded, in its order. */
  entries: [],
  /** Pictures that the filter leaves. */
  total: 0,
  filter: { state: "", label: "" },
  /** The picture that is open: its entry, with `regions` as a Map by id, and `conflicts`. */
  picture: null,
  /** Ids of chosen regions, in the order chosen. */
  chosen: new Set(),
  /** Id of the region under the mouse or the focus. */
  lit: null,
  /** "look", "click", "box", "brush", "eraser" or "corners". */
  tool: "look",
  /** What is being pointed out: {region, points, labels, box, dragged, result}. */
  draft: null,
  /** Corners that can be dragged: {region, loops, isOpen}; `region` null: of a new one. */
  corners: null,
  /** Ids of regions that are hidden. */
  hidden: new Set(),
  /** Id of the one region that is shown; null: all that are not hidden. */
  only: null,
  masksShown: true,
  /** Radius of brush and eraser, in CSS pixels. */
  radius: 14,
  /** Number of the class of new regions. */
  activeClass: 0,
  /** "saved", "saving" or "waiting" (the server cannot be reached). */
  saving: "saved",
  reviewer: "",
  canUndo: false,
  canRedo: false,
  language: "en",
  theme: "light",
});

/** The regions of the open picture, in their order. */
export function regions() {
  return state.picture ? [...state.picture.regions.values()] : [];
}

/** The region with this id, or undefined. */
export function regionOf(id) {
  return state.picture?.regions.get(id);
}

/** The one region that is chosen; null where there is none, or several are. */
export function chosenOne() {
  return state.chosen.size === 1 ? (regionOf([...state.chosen][0]) ?? null) : null;
}

/** Whether a region is to be seen. */
export function isShown(region) {
  if (!state.masksShown) return false;
  return state.only !== null ? state.only === region.id : !state.hidden.has(region.id);
}

const decoded = new WeakMap(); // by the run lengths as an object

/** The mask of a region, decoded once; null where there is none or it cannot be read. */
export function maskOf(region) {
  if (!region.mask) return null;
  if (!decoded.has(region.mask)) decoded.set(region.mask, decode(region));
  return decoded.get(region.mask);
}

/** Note the pixels of run lengths that were made here, so that they need not be decoded. */
export function rememberMask(rle, mask) {
  decoded.set(rle, mask);
  return rle;
}

function decode({ id, mask }) {
  try {
    return new Mask(mask);
  } catch (error) {
    console.error(`The mask of ${id} cannot be read.`, error);
    return null;
  }
}

/** The name of a class; new regions have that of `activeClass`. */
export function className(number) {
  return state.overview?.classes[number] ?? "";
}

/** The number of a class; one that is not known yet will come next. */
export function classNumber(label) {
  const { classes } = state.overview;
  const number = classes.indexOf(label);
  return number < 0 ? classes.length : number;
}
