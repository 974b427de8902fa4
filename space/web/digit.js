/** A drawing made to look as MNIST's digits do, and as text that is short enough for a link. Images are grey, row by
 * row, ink bright on dark. */

import { fromBase64, toBase64, unpacked } from "./bytes.js";
import { clamp } from "./dom.js";
import { levelAt } from "./paper.js";
import { box, scaled } from "./resample.js";
import { Problem } from "./words.js";

/** Pixels of a side of an MNIST image. */
const SIDE = 28;
/** A drawing has about 250 characters, and never more than 540. So many as here unpack to 0.8 MB at most. */
const TEXT = /^[A-Za-z0-9_-]{1,1000}$/;
const BOX = 20; // LeCun et al. (1998) scaled each digit into a square of this many pixels a side
const LEVELS = 16;
const LEAST_CONTRAST = 0.05; // an image whose ink is not brighter than its border by this shows nothing
const LEAST_INK = 0.05; // a pixel with less than this share of the brightest one's ink is dust, outside the digit's box

/**
 * An image scaled and centred as those of MNIST are (LeCun et al. 1998): the box around the ink is scaled to fit 20 x
 * 20 pixels, its aspect kept, and put where the ink's centre of mass is that of the image, to the pixel; but no ink is
 * pushed out of the image.
 * @param {Float32Array | Float64Array} ink height x width, in [0, 1]; a grey background counts as none
 * @param {number} width
 * @param {number} height
 * @returns {Float64Array} 28 x 28, the brightest pixel 1, as in MNIST
 * @throws {Problem} the image is of one shade
 */
export function asMnist(ink, width, height) {
  const bright = withoutBackground(ink, width, height);
  const least = LEAST_INK * largest(bright);
  let [left, right, top, bottom] = [width, -1, height, -1];
  bright.forEach((level, i) => {
    if (level <= least) return;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  });
  const [w, h] = [right - left + 1, bottom - top + 1];
  const cut = new Float64Array(w * h);
  cut.forEach((_, i) => (cut[i] = bright[(top + Math.floor(i / w)) * width + left + (i % w)]));
  const [newWidth, newHeight] = [w, h].map((side) => Math.max(1, Math.round((side * BOX) / Math.max(w, h))));
  const digit = scaled(cut, w, h, newWidth, newHeight, box);
  const most = largest(digit); // a thin line becomes thin, not faint
  const rows = new Float64Array(newHeight);
  const columns = new Float64Array(newWidth);
  digit.forEach((level, i) => {
    rows[Math.floor(i / newWidth)] += level;
    columns[i % newWidth] += level;
  });
  const [down, across] = [start(rows), start(columns)];
  const image = new Float64Array(SIDE * SIDE);
  const place = (/** @type {number} */ i) => (down + Math.floor(i / newWidth)) * SIDE + across + (i % newWidth);
  digit.forEach((level, i) => (image[place(i)] = level / most));
  return image;
}

/**
 * An image as text for a link, in 16 levels: about 250 letters, digits, "-" and "_".
 * @param {Float64Array} image 28 x 28, in [0, 1]
 * @returns {Promise<string>}
 */
export async function toText(image) {
  const level = (/** @type {number} */ i) => Math.round(image[i] * (LEVELS - 1));
  const pairs = Uint8Array.from({ length: image.length / 2 }, (_, i) => level(2 * i) * LEVELS + level(2 * i + 1));
  const packed = new Blob([pairs]).stream().pipeThrough(new CompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/**
 * The image of a text that `toText` made, in 16 levels.
 * @param {string} text
 * @returns {Promise<Float64Array>} 28 x 28, in [0, 1]
 * @throws {Problem} any other text
 */
export async function fromText(text) {
  try {
    if (!TEXT.test(text)) throw new Error("no text of a drawing");
    const pairs = await unpacked(fromBase64(text.replaceAll("-", "+").replaceAll("_", "/")), "deflate");
    if (pairs.length !== (SIDE * SIDE) / 2) throw new Error("another number of pixels");
    const levels = [...pairs].flatMap((pair) => [Math.floor(pair / LEVELS), pair % LEVELS]);
    return Float64Array.from(levels, (level) => level / (LEVELS - 1));
  } catch {
    throw new Problem("draw.broken");
  }
}

/**
 * Ink above the level of the border, which is its lower quartile: a stroke may run along much of the border.
 * @param {Float32Array | Float64Array} ink
 * @param {number} width
 * @param {number} height
 */
function withoutBackground(ink, width, height) {
  const row = (/** @type {number} */ y) => ink.subarray(y * width, (y + 1) * width);
  const sides = Array.from({ length: height }, (_, y) => [ink[y * width], ink[(y + 1) * width - 1]]).flat();
  const level = levelAt(Float32Array.from([...row(0), ...row(height - 1), ...sides]), 0.25);
  const bright = Float64Array.from(ink, (value) => Math.max(0, value - level));
  if (!(largest(bright) >= LEAST_CONTRAST)) throw new Problem("draw.empty");
  return bright;
}

/** @param {Float64Array} values */
const largest = (values) => values.reduce((most, value) => Math.max(most, value), 0);

/** Where a digit with so much ink in each row (or column) starts in the image. @param {Float64Array} profile */
function start(profile) {
  // In MNIST the centre of mass of every digit is at pixel 14 of 0 to 27, when rounded.
  const sum = profile.reduce((total, ink) => total + ink, 0);
  const centre = profile.reduce((total, ink, i) => total + ink * i, 0) / sum;
  return clamp(Math.round(SIDE / 2 - centre), 0, SIDE - profile.length);
}
