/** How bright unevenly lit paper is below ink. Levels are turned so that ink is bright. */

const DISC = 0.13; // radius of a disc that is wider than a stroke, as a share of the image's side
const REACH = 0.06; // half as wide may ink be where it crosses the border, as a share of the whole border

/** @typedef {{levels: Float32Array, width: number, height: number}} Sheet an image, row by row */

/**
 * The value below which this share of the values lies.
 * @param {Float32Array} levels
 * @param {number} share
 */
export const levelAt = (levels, share) => levels.slice().sort()[Math.floor(share * (levels.length - 1))];

/**
 * The level of the paper at each pixel: the lower one of two estimates, since neither takes a shadow for ink where the
 * other is right. Discs are too high inside of ink that is wider than they are, the flood where a shadow meets ink.
 * @param {Sheet} sheet
 * @returns {Float32Array}
 */
export function paperBelow(sheet) {
  const near = neighbours(sheet);
  const sum = (/** @type {number[]} */ pixels) => pixels.reduce((total, i) => total + sheet.levels[i], 0);
  // Each pixel the mean of itself and those around it, since grain has a lowest level too.
  const levels = sheet.levels.map((_, i) => sum([i, ...near[i]]) / (1 + near[i].length));
  const flood = flooded({ ...sheet, levels }, near);
  return opened({ ...sheet, levels }).map((level, i) => Math.min(level, flood[i]));
}

/** The pixels around each pixel. @param {Sheet} sheet @returns {number[][]} */
export function neighbours({ levels, width }) {
  const steps = [-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1];
  const isBeside = (/** @type {number} */ i, /** @type {number} */ j) =>
    j >= 0 && j < levels.length && Math.abs((j % width) - (i % width)) <= 1;
  return Array.from(levels, (_, i) => steps.map((step) => i + step).filter((j) => isBeside(i, j)));
}

/**
 * The highest level of a disc over each pixel that covers nothing lower. No stroke is wide enough for one; a shadow is,
 * also one that the image cuts off, since discs may lie half outside.
 * @param {Sheet} sheet
 */
function opened({ levels, width, height }) {
  const radius = Math.max(1, Math.round(DISC * Math.sqrt(width * height)));
  const negative = highest({ levels: levels.map((level) => -level), width, height }, radius, radius);
  const discs = negative.map((level) => (level === -Infinity ? level : -level)); // in a corner one may lie all outside
  return highest({ levels: discs, width: width + 2 * radius, height: height + 2 * radius }, radius, -radius);
}

/**
 * The highest level in the disc around each pixel, in an image that is wider by a margin on each side.
 * @param {Sheet} sheet
 * @param {number} radius
 * @param {number} margin
 */
function highest({ levels, width, height }, radius, margin) {
  const newWidth = width + 2 * margin;
  return new Float32Array(newWidth * (height + 2 * margin)).map((_, i) => {
    const [x, y] = [(i % newWidth) - margin, Math.floor(i / newWidth) - margin];
    let found = -Infinity;
    for (let row = Math.max(0, y - radius); row <= Math.min(height - 1, y + radius); row++) {
      const half = Math.floor(Math.sqrt((radius + 0.5) ** 2 - (row - y) ** 2));
      const end = row * width + Math.min(width - 1, x + half);
      for (let at = row * width + Math.max(0, x - half); at <= end; at++) if (levels[at] > found) found = levels[at];
    }
    return found;
  });
}

/**
 * The highest level on which one comes to each pixel from the border without going lower. Ink stands alone; a shadow
 * reaches the border.
 * @param {Sheet} sheet
 * @param {number[][]} near the pixels around each pixel
 */
function flooded({ levels, width, height }, near) {
  const paper = new Float32Array(levels.length);
  const border = ring(width, height);
  const reach = Math.round(REACH * border.length);
  border.forEach((i, n) => {
    const beside = (/** @type {number} */ k) => levels[border.at((n + k - reach) % border.length) ?? 0];
    const around = Float32Array.from({ length: 2 * reach + 1 }, (_, k) => beside(k));
    paper[i] = Math.min(levels[i], levelAt(around, 0.5));
  });
  const order = [...levels.keys()];
  for (let risen = true; risen; order.reverse()) {
    risen = false;
    for (const i of order) {
      const level = Math.min(levels[i], near[i].reduce((most, j) => Math.max(most, paper[j]), 0));
      if (level > paper[i]) [paper[i], risen] = [level, true];
    }
  }
  return paper;
}

/**
 * The pixels of the border, one after another around the image.
 * @param {number} width
 * @param {number} height
 * @returns {number[]}
 */
function ring(width, height) {
  const pixels = [];
  for (let x = 0; x < width; x++) pixels.push(x);
  for (let y = 1; y < height; y++) pixels.push(y * width + width - 1);
  for (let x = width - 2; x >= 0 && height > 1; x--) pixels.push((height - 1) * width + x);
  for (let y = height - 2; y > 0 && width > 1; y--) pixels.push(y * width);
  return pixels;
}
