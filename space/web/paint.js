/** Images on canvases: grey or in colour, signed values, and maps of latents. A canvas has a pixel for each pixel of the
 * image; the style sheet enlarges it. */

import { clamp, h } from "./dom.js";

/**
 * 256 colours between equidistant ones.
 * @param {string} anchors in hexadecimal
 */
function table(anchors) {
  const colours = anchors.split(" ").map((anchor) => [0, 2, 4].map((i) => parseInt(anchor.slice(i, i + 2), 16)));
  const shades = new Uint8ClampedArray(3 * 256);
  for (let level = 0; level < 256; level++) {
    const place = (level / 255) * (colours.length - 1);
    const below = Math.min(Math.floor(place), colours.length - 2);
    for (let c = 0; c < 3; c++)
      shades[3 * level + c] = Math.round(
        colours[below][c] + (place - below) * (colours[below + 1][c] - colours[below][c]),
      );
  }
  return shades;
}

// To be told apart with every kind of colour vision: from black (off) to pale yellow (on), which is matplotlib's inferno
// within 6 of 255 levels; and from blue (negative) by white to orange (positive).
export const ACTIVATION = table(
  "000004 0c0826 240c4f 420a68 5d126e 781c6d 932667 ae305c c73e4c dd513a ed6925 f8850f fca50a fac62d f2e661 fcffa4",
);
export const SIGNED = table("1d4ed8 ffffff b45309");
export const GREY = table("000000 ffffff");

/** How many cells a map of latents has in a row. @param {number} latents */
export const mapSide = (latents) => Math.ceil(Math.sqrt(latents));

/**
 * How an image of a shape is drawn: vectors as squares, other numbers of channels than 1 or 3 as their mean.
 * @param {number[]} shape (channels, height, width)
 * @returns {{width: number, height: number, channels: 1 | 3, at: (values: ArrayLike<number>, pixel: number, channel: number) => number}}
 */
function layout([channels, height, width]) {
  if (height === 1 && width === 1) {
    const side = mapSide(channels);
    return { width: side, height: side, channels: 1, at: (values, pixel) => values[pixel] ?? NaN };
  }
  const size = height * width;
  if (channels === 3)
    return { width, height, channels: 3, at: (values, pixel, channel) => values[channel * size + pixel] };
  const mean = (/** @type {ArrayLike<number>} */ values, /** @type {number} */ pixel) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += values[c * size + pixel];
    return sum / channels;
  };
  return { width, height, channels: 1, at: channels === 1 ? (values, pixel) => values[pixel] : mean };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} values
 * @param {number[]} shape
 * @param {number} low value that gets the first colour; NaN gets it too
 * @param {number} high
 * @param {Uint8ClampedArray} shades
 */
function paint(canvas, values, shape, low, high, shades) {
  const { width, height, channels, at } = layout(shape);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const picture = context.createImageData(width, height);
  const scale = 255 / Math.max(high - low, 1e-12);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let c = 0; c < 3; c++) {
      const level = Math.round(clamp((at(values, pixel, channels === 3 ? c : 0) - low) * scale, 0, 255)) || 0;
      picture.data[4 * pixel + c] = channels === 3 ? level : shades[3 * level + c];
    }
    picture.data[4 * pixel + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
  delete canvas.dataset.undrawn;
}

/**
 * Draws an image.
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} pixels
 * @param {number[]} shape (channels, height, width)
 * @param {number[]} [range] values that are drawn black and white
 */
export const grey = (canvas, pixels, shape, [low, high] = [0, 1]) => paint(canvas, pixels, shape, low, high, GREY);

/**
 * Draws signed values: blue below 0, white at 0, orange above; of three channels each is a colour, and 0 is grey.
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} values
 * @param {number[]} shape (channels, height, width)
 * @param {number} [largest] absolute value that gets the full colour; by default the largest there is
 */
export function signed(canvas, values, shape, largest = largestOf(values)) {
  paint(canvas, values, shape, -largest, largest, SIGNED);
}

/**
 * Draws activations as a square map, 900 of them as 30 x 30.
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} activations in [0, 1]
 */
export function map(canvas, activations) {
  paint(canvas, activations, [activations.length, 1, 1], 0, 1, ACTIVATION);
}

/** @param {ArrayLike<number>} values */
export function largestOf(values) {
  let largest = 1e-6;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]));
  return largest;
}

/**
 * A canvas that a screen reader calls by a name.
 * @param {string} [alt] "" where what stands beside it says the same
 */
export function canvas(alt = "") {
  const spoken = alt ? { role: "img", "aria-label": alt } : { "aria-hidden": "true" };
  return h("canvas", { width: 28, height: 28, data: { undrawn: "" }, ...spoken });
}

/**
 * What the colours of an image mean, with words below, from the lowest to the highest.
 * @param {Uint8ClampedArray} shades
 * @param {...(string | Node)} words
 */
export function colourBar(shades, ...words) {
  const bar = canvas();
  bar.className = "scale";
  paint(bar, [...Array(256).keys()], [1, 1, 256], 0, 255, shades);
  const ends = words.map((word) => h("span", {}, word));
  return h("div", { class: "colour-bar" }, bar, h("div", { class: "scale-ends" }, ends));
}
