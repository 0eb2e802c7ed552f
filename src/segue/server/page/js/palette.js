/** The colours of phrases: the same as in drawn pictures (Okabe & Ito 2008, without black). */

const COLOURS = [
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [213, 94, 0],
  [204, 121, 167],
  [240, 228, 66],
  [0, 114, 178],
];
const SHADES = [0, 0.45, -0.3, 0.7, -0.5];

/** What makes two phrases the same for colouring: not case, not spaces. */
export function keyOf(phrase) {
  return phrase.toLowerCase().split(/\s+/u).filter(Boolean).join(" ");
}

/** The colour itself (number 0), or a lighter or darker relative of it. */
export function shade(colour, number) {
  const amount = SHADES[number % SHADES.length];
  const target = amount > 0 ? 255 : 0;
  return colour.map((value) => Math.round(value + (target - value) * Math.abs(amount)));
}

/**
 * How the regions of one picture are drawn, by id: `fill` is the colour of the phrase, `line` a
 * shade of it, `number` tells several objects of one phrase apart (0 when there is one).
 */
export function looksOf(regions) {
  const kinds = new Map();
  for (const region of regions) {
    const key = keyOf(region.phrase);
    if (!kinds.has(key)) kinds.set(key, { place: kinds.size, total: 0, seen: 0 });
    kinds.get(key).total++;
  }
  const looks = new Map();
  for (const region of regions) {
    const key = keyOf(region.phrase);
    const kind = kinds.get(key);
    const turn = Math.floor(kind.place / COLOURS.length);
    const fill = shade(COLOURS[kind.place % COLOURS.length], turn);
    const line = shade(fill, kind.seen++);
    looks.set(region.id, { fill, line, number: kind.total > 1 && key ? kind.seen : 0 });
  }
  return looks;
}

/** The colour of the class with this number, the same on every picture; they repeat after 35. */
export function classColour(number) {
  return shade(COLOURS[number % COLOURS.length], Math.floor(number / COLOURS.length));
}

/** Near-black or white, whichever has the higher contrast with a colour. */
export function contrasting(colour) {
  const [red, green, blue] = colour.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.18 ? [255, 255, 255] : [16, 16, 16];
}

/** For style sheets and canvases. */
export function css([red, green, blue], alpha = 1) {
  return `rgb(${red} ${green} ${blue} / ${alpha})`;
}
