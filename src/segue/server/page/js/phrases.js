/** The words of an answer, cut into plain pieces and phrases that have regions. */

/**
 * @param {string} text clean words
 * @param {object[]} regions with `span`, [start, end) in code points, or null
 * @returns {{text: string, ids: string[]}[]} `ids` is empty for plain words
 */
export function piecesOf(text, regions) {
  const points = Array.from(text); // spans count code points, strings do not
  const spans = new Map();
  for (const { id, span } of regions) {
    if (!span || span[0] >= span[1] || span[1] > points.length) continue;
    const key = span.join(" ");
    if (!spans.has(key)) spans.set(key, { start: span[0], end: span[1], ids: [] });
    spans.get(key).ids.push(id);
  }
  const pieces = [];
  let place = 0;
  const plain = (end) => place < end && pieces.push({ text: points.slice(place, end).join(""), ids: [] });
  for (const { start, end, ids } of [...spans.values()].sort((a, b) => a.start - b.start || b.end - a.end)) {
    if (start < place) continue; // within another phrase
    plain(start);
    pieces.push({ text: points.slice(start, end).join(""), ids });
    place = end;
  }
  plain(points.length);
  return pieces;
}

/** Regions of an answer that no piece of its text stands for. */
export function withoutWords(pieces, regions) {
  const named = new Set(pieces.flatMap((piece) => piece.ids));
  return regions.filter((region) => !named.has(region.id));
}
