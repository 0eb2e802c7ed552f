/** The edge of a mask as closed loops along the borders of its pixels: exact at any zoom. */

const RIGHT = 1;
const DOWN = 2;
const LEFT = 4;
const UP = 8;
/** Which way to turn where two loops touch: hug the mask. */
const NEXT = {
  [RIGHT]: [DOWN, RIGHT, UP],
  [DOWN]: [LEFT, DOWN, RIGHT],
  [LEFT]: [UP, LEFT, DOWN],
  [UP]: [RIGHT, UP, LEFT],
};

/** Loops of a mask: arrays of [x, y, x, y, …] corners in pixels of the picture. */
export function loopsOf(mask) {
  const wide = mask.boxWidth + 1;
  const edges = edgesOf(mask, wide);
  const loops = [];
  for (let start = 0; start < edges.length; start++) {
    while (edges[start]) loops.push(follow(edges, start, wide, mask.x0, mask.y0));
  }
  return loops;
}

/** The loops as a path for a canvas. */
export function outlineOf(mask) {
  const path = new Path2D();
  for (const loop of loopsOf(mask)) {
    path.moveTo(loop[0], loop[1]);
    for (let i = 2; i < loop.length; i += 2) path.lineTo(loop[i], loop[i + 1]);
    path.closePath();
  }
  return path;
}

/** For each corner of a pixel: in which directions an edge leaves it (mask on the right side). */
function edgesOf({ bits, boxWidth: width, boxHeight: height }, wide) {
  const edges = new Uint8Array(wide * (height + 1));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const here = y * width + x;
      if (!bits[here]) continue;
      const corner = y * wide + x;
      if (y === 0 || !bits[here - width]) edges[corner] |= RIGHT;
      if (x === width - 1 || !bits[here + 1]) edges[corner + 1] |= DOWN;
      if (y === height - 1 || !bits[here + width]) edges[corner + wide + 1] |= LEFT;
      if (x === 0 || !bits[here - 1]) edges[corner + wide] |= UP;
    }
  }
  return edges;
}

function follow(edges, start, wide, x0, y0) {
  const step = { [RIGHT]: 1, [DOWN]: wide, [LEFT]: -1, [UP]: -wide };
  const loop = [];
  let corner = start;
  let direction = [RIGHT, DOWN, LEFT, UP].find((one) => edges[corner] & one);
  let before = 0;
  do {
    if (direction !== before) loop.push(x0 + (corner % wide), y0 + Math.floor(corner / wide));
    edges[corner] &= ~direction;
    corner += step[direction];
    before = direction;
    direction = NEXT[direction].find((one) => edges[corner] & one);
  } while (direction);
  return loop;
}
