/** Corners of a region as a person moves them: found, simplified, dragged, inserted, removed. */

import { loopsOf } from "../outline.js";

/**
 * The corners of a mask as loops of [x, y], with no more of them than a tolerance needs (Douglas &
 * Peucker 1973). Loops that vanish within the tolerance are left out, but never all of them.
 */
export function cornersOf(mask, tolerance) {
  const loops = loopsOf(mask).map(pairs).map((loop) => smoothed(loop));
  const simple = loops.map((loop) => simplified(loop, tolerance));
  const kept = simple.filter((loop) => loop.length >= 3);
  if (kept.length > 0 || loops.length === 0) return kept;
  return [loops.reduce((best, loop) => (loop.length > best.length ? loop : best))];
}

function pairs(flat) {
  const loop = [];
  for (let i = 0; i < flat.length; i += 2) loop.push([flat[i], flat[i + 1]]);
  return loop;
}

/** The stairs of pixels as a line: through the middles of their edges where stairs are short. */
function smoothed(loop) {
  if (loop.length < 8) return loop;
  return loop.flatMap((corner, i) => {
    const next = loop[(i + 1) % loop.length];
    const length = Math.abs(next[0] - corner[0]) + Math.abs(next[1] - corner[1]);
    const middle = [(corner[0] + next[0]) / 2, (corner[1] + next[1]) / 2];
    if (length <= 2) return [middle];
    const unit = [Math.sign(next[0] - corner[0]) / 2, Math.sign(next[1] - corner[1]) / 2];
    return [[corner[0] + unit[0], corner[1] + unit[1]], [next[0] - unit[0], next[1] - unit[1]]];
  });
}

function simplified(loop, tolerance) {
  if (loop.length < 4) return loop;
  // A loop has no ends: it is cut at the corner farthest from the first one.
  let far = 0;
  let most = -1;
  loop.forEach(([x, y], i) => {
    const distance = (x - loop[0][0]) ** 2 + (y - loop[0][1]) ** 2;
    if (distance > most) [far, most] = [i, distance];
  });
  const one = line(loop.slice(0, far + 1), tolerance);
  const other = line([...loop.slice(far), loop[0]], tolerance);
  return [...one.slice(0, -1), ...other.slice(0, -1)];
}

/** The points of an open line that a tolerance needs; without recursion, for long ones. */
function line(points, tolerance) {
  const keep = new Uint8Array(points.length);
  keep[0] = keep[points.length - 1] = 1;
  const parts = [[0, points.length - 1]];
  while (parts.length) {
    const [first, last] = parts.pop();
    let [worst, at] = [tolerance, -1];
    for (let i = first + 1; i < last; i++) {
      const distance = distanceTo(points[i], points[first], points[last]);
      if (distance > worst) [worst, at] = [distance, i];
    }
    if (at < 0) continue;
    keep[at] = 1;
    parts.push([first, at], [at, last]);
  }
  return points.filter((_, i) => keep[i]);
}

/** How far a point is from the line between two others. */
export function distanceTo([x, y], [xa, ya], [xb, yb]) {
  const [dx, dy] = [xb - xa, yb - ya];
  const length2 = dx * dx + dy * dy;
  const share = length2 ? Math.min(Math.max(((x - xa) * dx + (y - ya) * dy) / length2, 0), 1) : 0;
  return Math.hypot(x - xa - share * dx, y - ya - share * dy);
}

/** The corner within `reach` of a point: {loop, corner}, or null. */
export function cornerAt(loops, [x, y], reach) {
  let best = null;
  let nearest = reach;
  loops.forEach((loop, l) =>
    loop.forEach(([cx, cy], c) => {
      const distance = Math.hypot(cx - x, cy - y);
      if (distance <= nearest) [best, nearest] = [{ loop: l, corner: c }, distance];
    }),
  );
  return best;
}

/** The edge within `reach` of a point, named by the corner before it: {loop, corner}, or null. */
export function edgeAt(loops, point, reach) {
  let best = null;
  let nearest = reach;
  loops.forEach((loop, l) =>
    loop.forEach((corner, c) => {
      const distance = distanceTo(point, corner, loop[(c + 1) % loop.length]);
      if (distance <= nearest) [best, nearest] = [{ loop: l, corner: c }, distance];
    }),
  );
  return best;
}

/** The loops with a corner moved. */
export function moved(loops, { loop, corner }, point) {
  return loops.map((one, l) => (l === loop ? one.map((old, c) => (c === corner ? point : old)) : one));
}

/** The loops with a corner inserted after another one. */
export function inserted(loops, { loop, corner }, point) {
  return loops.map((one, l) => (l === loop ? [...one.slice(0, corner + 1), point, ...one.slice(corner + 1)] : one));
}

/** The loops without a corner; a loop of two corners goes as a whole. */
export function removed(loops, { loop, corner }) {
  const rest = loops.map((one, l) => (l === loop ? one.filter((_, c) => c !== corner) : one));
  return rest.filter((one) => one.length >= 3);
}
