/** How bright unevenly lit paper is below ink. `bright` are levels, row by row, turned so that ink is bright. */

const DISC = 0.13; // radius of a disc that is wider than a stroke, as a share of the image's side
const REACH = 0.06; // half as wide may ink be where it crosses the border, as a share of the whole border

/**
 * The value below which this share of the values lies.
 * @param {Float32Array} levels
 * @param {number} share
 */
export const levelAt = (levels, share) => levels.slice().sort()[Math.floor(share * (levels.length - 1))];


/**
 * The level of the paper at each pixel: the lower one of two estimates, since neither takes a shadow for ink where the
 * other is right. Discs are too high inside of ink that is wider than they are, the flood where a shadow meets ink.
 * @param {Float32Array} bright
 * @param {number} width
 * @param {number} height
 * @returns {Float32Array}
 */
export function paperBelow(bright, width, height) {
  const smooth = blurred(bright, width, height); // grain has a lowest level too
  const flood = flooded(smooth, width, height);
  return opened(smooth, width, height).map((level, i) => Math.min(level, flood[i]));
}

/**
 * The highest level of a disc over each pixel that covers nothing lower. No stroke is wide enough for one; a shadow is,
 * also one that the image cuts off, since discs may lie half outside.
 * @param {Float32Array} bright
 * @param {number} width
 * @param {number} height
 */
export function opened(bright, width, height) {
  const radius = Math.max(1, Math.round(DISC * Math.sqrt(width * height)));
  const negative = highest(bright.map((level) => -level), width, height, radius, radius);
  const discs = negative.map((level) => (level === -Infinity ? level : -level)); // in a corner one may lie all outside
  return highest(discs, width + 2 * radius, height + 2 * radius, radius, -radius);
}

/**
 * The highest level in the disc around each pixel, in an image that is wider by a margin on each side.
 * @param {Float32Array} levels
 * @param {number} width
 * @param {number} height
 * @param {number} radius
 * @param {number} margin
 */
function highest(levels, width, height, radius, margin) {
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
 * @param {Float32Array} bright
 * @param {number} width
 * @param {number} height
 */
function flooded(bright, width, height) {
  const paper = new Float32Array(bright.length);
  const border = ring(width, height);
  const reach = Math.round(REACH * border.length);
  border.forEach((i, n) => {
    const beside = (/** @type {number} */ k) => bright[border.at((n + k - reach) % border.length) ?? 0];
    const near = Float32Array.from({ length: 2 * reach + 1 }, (_, k) => beside(k));
    paper[i] = Math.min(bright[i], levelAt(near, 0.5));
  });
  const before = [-width - 1, -width, -width + 1, -1]; // the neighbours that a sweep has passed
  for (let risen = true; risen; ) {
    risen = false;
    for (const forward of [true, false])
      for (let n = 0; n < bright.length; n++) {
        const i = forward ? n : bright.length - 1 - n;
        for (const step of before) {
          const from = forward ? i + step : i - step;
          if (from < 0 || from >= bright.length || Math.abs((from % width) - (i % width)) > 1) continue;
          const level = Math.min(bright[i], paper[from]);
          if (level > paper[i]) [paper[i], risen] = [level, true];
        }
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
export function ring(width, height) {
  const pixels = [];
  for (let x = 0; x < width; x++) pixels.push(x);
  for (let y = 1; y < height; y++) pixels.push(y * width + width - 1);
  for (let x = width - 2; x >= 0 && height > 1; x--) pixels.push((height - 1) * width + x);
  for (let y = height - 2; y > 0 && width > 1; y--) pixels.push(y * width);
  return pixels;
}

/**
 * Each pixel the mean of itself and the eight around it.
 * @param {Float32Array} levels
 * @param {number} width
 * @param {number} height
 */
function blurred(levels, width, height) {
  return levels.map((_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    let [sum, count] = [0, 0];
    for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++)
      for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++, count++)
        sum += levels[row * width + column];
    return sum / count;
  });
}
