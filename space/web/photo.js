/** The ink of an image: a drawing on a screen, or a photo of paper, evenly lit or not. It is found in levels of grey,
 * from 0 to 255, row by row. */

import { clamp } from "./dom.js";
import { levelAt, neighbours, paperBelow } from "./paper.js";
import { Problem } from "./words.js";

const FADE = 0.15; // what stands out by less than this share of the most is not ink
const SOME = 0.5; // a stroke is what stands out by this share of the most ...
const STRONG = 0.75; // ... and somewhere by this one: what is left of a shadow does not
const FAR = 0.2; // the distance from a stroke, as a share of the longer side, within which there is paper
const LEAST = 12; // levels: what stands out by less shows nothing

/** @typedef {import("./paper.js").Sheet} Sheet */
/**
 * @typedef {{ink: Uint8ClampedArray, uneven: boolean}} Ink from 0 to 255 for the most, and whether the light is so
 *   uneven that some of it may be shadow, or some may be missing
 */

/**
 * The ink of an image file, in the middle of a square canvas, its aspect kept.
 * @param {Blob} file
 * @param {number} side pixels of the canvas
 * @returns {Promise<Ink>}
 * @throws {Problem} the file is no image, or one of one shade
 */
export async function inkOfFile(file, side) {
  const sheet = new OffscreenCanvas(side, side);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (sheet.getContext("2d"));
  let [width, height] = [0, 0];
  try {
    const image = await createImageBitmap(file);
    const scale = side / Math.max(image.width, image.height);
    [width, height] = [image.width, image.height].map((length) => Math.max(1, Math.round(length * scale)));
    const size = /** @type {const} */ ({ resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
    context.drawImage(await createImageBitmap(image, size), 0, 0);
  } catch {
    throw new Problem("draw.unreadable");
  }
  const found = inkOf(context.getImageData(0, 0, width, height));
  const ink = new Uint8ClampedArray(side * side);
  const [top, left] = [Math.floor((side - height) / 2), Math.floor((side - width) / 2)];
  found.ink.forEach((level, i) => (ink[(top + Math.floor(i / width)) * side + left + (i % width)] = level));
  return { ink, uneven: found.uneven };
}

/** The ink of an image. @param {ImageData} image @returns {Ink} */
function inkOf({ data, width, height }) {
  const grey = new Float32Array(width * height);
  let [sum, weight] = [0, 0];
  for (let i = 0; i < grey.length; i++) {
    grey[i] = (data[4 * i] + data[4 * i + 1] + data[4 * i + 2]) / 3;
    sum += grey[i] * data[4 * i + 3];
    weight += data[4 * i + 3];
  }
  // Where an image is transparent it gets what its ink stands out from: white below dark ink, black below bright.
  const below = sum < 127.5 * weight ? 255 : 0;
  const levels = grey.map((level, i) => below + ((level - below) * data[4 * i + 3]) / 255);
  return standsOut({ levels, width, height });
}

/**
 * How far each pixel stands out from the paper.
 * @param {Sheet} sheet
 * @returns {Ink}
 * @throws {Problem} none does
 */
export function standsOut(sheet) {
  const steps = edges(sheet);
  const step = steps.reduce((sum, one) => sum + one, 0);
  const levels = step < 0 ? sheet.levels.map((level) => 255 - level) : sheet.levels; // ink is brighter than paper
  const paper = paperBelow({ ...sheet, levels });
  const highest = levelAt(levels.map((level, i) => level - paper[i]), 0.998); // the brightest pixels but a few
  if (highest < LEAST) throw new Problem("draw.one_shade");
  // In half the light, ink is half as far from paper.
  const light = paper.map((level) => Math.max(24, step < 0 ? 255 - level : level));
  const above = levels.map((level, i) => (100 * (level - paper[i])) / light[i]);
  const most = levelAt(above, 0.998);
  const ink = Uint8ClampedArray.from(above, (level) => (255 * (level - FADE * most)) / ((1 - FADE) * most));
  const found = strokes({ ...sheet, levels: above }, most);
  const isDoubtful = Math.abs(step) < 0.15 * steps.reduce((sum, one) => sum + Math.abs(one), 0); // dark ink or bright?
  return { ink: ink.map((level, i) => (found.near[i] ? level : 0)), uneven: isDoubtful || found.weak > 0.1 };
}

/**
 * How far each pixel is above those around it, further away than a stroke is wide, to the third power.
 * @param {Sheet} sheet
 */
function edges({ levels, width, height }) {
  const far = Math.ceil(FAR * Math.max(width, height));
  const at = (/** @type {number} */ x, /** @type {number} */ y) =>
    levels[clamp(y, 0, height - 1) * width + clamp(x, 0, width - 1)];
  return levels.map((level, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return (level - (at(x - far, y) + at(x + far, y) + at(x, y - far) + at(x, y + far)) / 4) ** 3;
  });
}

/**
 * Which pixels are strokes, or next to one, and which share of the strokes, without their edges, stands out weakly.
 * @param {Sheet} above how far each pixel stands out
 * @param {number} most
 */
function strokes(above, most) {
  const around = neighbours(above);
  const near = new Uint8Array(above.levels.length);
  const seen = new Uint8Array(above.levels.length);
  let [inner, weak] = [0, 0];
  const isSome = (/** @type {number} */ i) => above.levels[i] > SOME * most;
  const isStrong = (/** @type {number} */ i) => above.levels[i] >= STRONG * most;
  around.forEach((_, first) => {
    if (seen[first] || !isSome(first)) return;
    const stroke = [first];
    seen[first] = 1;
    for (const i of stroke)
      for (const j of around[i].filter((j) => !seen[j] && isSome(j))) {
        seen[j] = 1;
        stroke.push(j);
      }
    if (!stroke.some(isStrong)) return;
    for (const i of stroke) {
      for (const j of [i, ...around[i]]) near[j] = 1;
      if (!around[i].every(isSome)) continue;
      inner++;
      if (!isStrong(i)) weak++;
    }
  });
  return { near, weak: weak / Math.max(1, inner) };
}
