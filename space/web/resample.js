/** Images in another size, as Pillow's BOX filter and torch's antialiased bilinear interpolation make them. */

const SIDE = 28;

/**
 * An image in another size, the same in all channels: bilinear, each pixel the mean of what it covers.
 * @param {Float64Array} image 28 x 28
 * @param {number} height
 * @param {number} width
 * @param {number} [channels]
 * @returns {Float64Array} channels x height x width
 */
export function resized(image, height, width, channels = 1) {
  const one = height === SIDE && width === SIDE ? image : scaled(image, SIDE, SIDE, width, height, triangle);
  const all = new Float64Array(channels * one.length);
  for (let channel = 0; channel < channels; channel++) all.set(one, channel * one.length);
  return all;
}

/** @typedef {{reach: number, at: (x: number) => number}} Filter `at`: the weight of an old pixel that is x new ones away */

/** Each new pixel is the mean of the old ones whose centres it covers, or the nearest one. @type {Filter} */
export const box = { reach: 0.5, at: (x) => Number(x > -0.5 && x <= 0.5) };

/** @type {Filter} */
const triangle = { reach: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) };

/**
 * @param {Float64Array} image
 * @param {number} width
 * @param {number} height
 * @param {number} newWidth
 * @param {number} newHeight
 * @param {Filter} filter
 */
export function scaled(image, width, height, newWidth, newHeight, filter) {
  const [across, down] = [weights(width, newWidth, filter), weights(height, newHeight, filter)];
  const result = new Float64Array(newWidth * newHeight);
  down.forEach((rows, y) =>
    across.forEach((columns, x) => {
      for (const [row, share] of rows)
        for (const [column, part] of columns) result[y * newWidth + x] += share * part * image[row * width + column];
    }),
  );
  return result;
}

/**
 * For each new pixel, the old pixels that contribute, and their weights, whose sum is 1.
 * @param {number} size
 * @param {number} newSize
 * @param {Filter} filter
 * @returns {[number, number][][]}
 */
function weights(size, newSize, filter) {
  const scale = size / newSize;
  const wide = Math.max(scale, 1);
  return Array.from({ length: newSize }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - filter.reach * wide + 0.5));
    const end = Math.min(size, Math.trunc(centre + filter.reach * wide + 0.5));
    const found = Array.from({ length: end - first }, (_, j) => filter.at((j + first - centre + 0.5) * (1 / wide)));
    const sum = found.reduce((total, weight) => total + weight, 0);
    return found.map((weight, j) => [first + j, weight / sum]);
  });
}
