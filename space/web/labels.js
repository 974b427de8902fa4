/** Words in charts: how wide they are, where they break, and where they stand so that none collide. */

const FONT = "ui-sans-serif, system-ui, sans-serif"; // as in style.css
const pen = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));

/**
 * How wide words are, in px.
 * @param {string} words
 * @param {number} [size] of the letters, px
 * @param {number} [weight]
 */
export function widthOf(words, size = 12, weight = 400) {
  pen.font = `${weight} ${size}px ${FONT}`;
  return pen.measureText(words).width;
}

/**
 * Words in lines that are at most so wide; a single word may be wider.
 * @param {string} words
 * @param {number} room px
 * @param {number} [size] of the letters, px
 * @param {number} [weight]
 */
export function wrapped(words, room, size = 12, weight = 400) {
  /** @type {string[]} */
  const lines = [];
  for (const word of words.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length && widthOf(longer, size, weight) <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** @typedef {{left: number, top: number, right: number, bottom: number}} Box */
/** @typedef {"start" | "middle" | "end"} Anchor */
/** @typedef {{dx: number, dy: number, anchor: Anchor}} Spot of a word, as seen from its mark */
/**
 * A mark; one of the words is enough. `spots`: where they can stand, the best first; else beside it, or near it.
 * @typedef {{x: number, y: number, r: number, words: string[], weight?: number, spots?: Spot[]}} Labelled
 */
/** @typedef {Spot & {words: string, box: Box, isFar: boolean}} Place `isFar`: a line has to lead there */

const SIZE = 12;
const GAP = 1; // px of air around a word
const DIRECTIONS = 24; // in which there may be room

/**
 * Finds room for words beside their marks, or near them, so that none stands on a mark, on another word or outside the
 * frame.
 * @param {Labelled[]} marks those that come first have the first choice
 * @param {Box} frame
 * @param {Box[]} [others] what else the words must not stand on
 * @param {Box[]} [curves] what they stand on only where there is no other room
 * @param {number[]} [distances] px, at which words may stand that have no room beside their mark
 * @returns {(Place | null)[]} null where there is no room, or the same word stands so near that none could tell whose
 */
export function placeWords(marks, frame, others = [], curves = [], distances = []) {
  const boxes = marks.map(({ x, y, r }) => ({ left: x - r, top: y - r, right: x + r, bottom: y + r }));
  const taken = [...boxes, ...others];
  /** @type {{x: number, y: number, words: string}[]} */
  const placed = [];
  return marks.map((mark) => {
    for (const words of mark.words) {
      const isNear = placed.some((o) => o.words === words && Math.hypot(o.x - mark.x, o.y - mark.y) < 2.5 * SIZE);
      if (isNear) continue;
      const [near, all] = [mark.spots ?? beside(mark.r), [...taken, ...curves]];
      const spot =
        free(mark, words, near, frame, all) ??
        (mark.spots ? mark.spots[0] : free(mark, words, around(distances), frame, all)) ??
        free(mark, words, near, frame, taken);
      if (!spot) continue;
      const box = boxOf(mark, words, spot);
      taken.push(box);
      placed.push({ ...mark, words });
      return { ...spot, words, box, isFar: Math.hypot(spot.dx, spot.dy) > mark.r + SIZE };
    }
    return null;
  });
}

/** Where a word can stand beside a mark, the best spot first. @param {number} r of the mark @returns {Spot[]} */
function beside(r) {
  const [aside, above, beneath] = [r + 2, -r - 3, r + 0.8 * SIZE + 2];
  /** @type {(dys: number[], ...places: [number, Anchor][]) => Spot[]} */
  const rows = (dys, ...places) => dys.flatMap((dy) => places.map(([dx, anchor]) => ({ dx, dy, anchor })));
  return [
    ...rows([0.35 * SIZE, above + r, beneath - r], [aside, "start"], [-aside, "end"]),
    ...rows([above, beneath], [0, "middle"], [-r, "start"], [r, "end"]),
  ];
}

/** Where it can stand further away. @param {number[]} distances px @returns {Spot[]} */
function around(distances) {
  return distances.flatMap((distance) =>
    Array.from({ length: DIRECTIONS }, (_, i) => {
      const angle = (2 * Math.PI * i) / DIRECTIONS;
      const [dx, dy] = [distance * Math.cos(angle), distance * Math.sin(angle) + 0.35 * SIZE];
      return { dx, dy, anchor: Math.abs(dx) < 4 ? "middle" : dx < 0 ? "end" : "start" };
    }),
  );
}

/** @param {Labelled} mark @param {string} words @param {Spot} spot @returns {Box} */
function boxOf({ x, y, weight }, words, { dx, dy, anchor }) {
  const width = widthOf(words, SIZE, weight);
  const left = x + dx - { start: 0, middle: 0.5, end: 1 }[anchor] * width;
  const baseline = y + dy;
  return { left: left - GAP, top: baseline - SIZE, right: left + width + GAP, bottom: baseline + 0.3 * SIZE };
}

/**
 * The first spot that is inside the frame and free.
 * @param {Labelled} mark
 * @param {string} words
 * @param {Spot[]} spots
 * @param {Box} frame
 * @param {Box[]} taken
 */
function free(mark, words, spots, frame, taken) {
  return spots.find((spot) => {
    const box = boxOf(mark, words, spot);
    const isAcross = box.left >= frame.left && box.right <= frame.right;
    const isInside = isAcross && box.top >= frame.top && box.bottom <= frame.bottom;
    return isInside && !taken.some((other) => overlap(box, other));
  });
}

/** @param {Box} a @param {Box} b */
const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/**
 * Small boxes along a line through points, for `placeWords`.
 * @param {number[][]} points (x, y), px
 * @returns {Box[]}
 */
export function boxesAlong(points) {
  return points.slice(1).flatMap(([x, y], i) => {
    const [fromX, fromY] = points[i];
    const count = Math.ceil(Math.hypot(x - fromX, y - fromY) / 5);
    return Array.from({ length: count }, (_, step) => {
      const [left, top] = [fromX + ((x - fromX) * step) / count, fromY + ((y - fromY) * step) / count];
      return { left: left - 1, right: left + 1, top: top - 1, bottom: top + 1 };
    });
  });
}
