/** The brush of the canvas on which a visitor draws. */

const RADIUS = 4.5; // to where the ink is half as bright: the brush is 8% of the canvas wide
const SOFT = 1; // so far inside and outside of that the ink fades out

/** @typedef {{x: number, y: number}} Point in pixels of the canvas */

/**
 * Ink along the line from one point to another, each pixel by its distance from the line.
 * @param {Uint8ClampedArray} ink side x side, 0 where there is none
 * @param {number} side
 * @param {Point} from
 * @param {Point} to
 */
export function line(ink, side, from, to) {
  const reach = RADIUS + SOFT;
  const [x1, y1] = [to.x - from.x, to.y - from.y];
  const square = x1 * x1 + y1 * y1;
  const start = (/** @type {number} */ a, /** @type {number} */ b) => Math.max(0, Math.floor(Math.min(a, b) - reach));
  const end = (/** @type {number} */ a, /** @type {number} */ b) => Math.min(side, Math.ceil(Math.max(a, b) + reach));
  for (let row = start(from.y, to.y); row < end(from.y, to.y); row++)
    for (let column = start(from.x, to.x); column < end(from.x, to.x); column++) {
      const [x, y] = [column + 0.5 - from.x, row + 0.5 - from.y];
      const along = square ? Math.min(1, Math.max(0, (x * x1 + y * y1) / square)) : 0;
      const distance = Math.hypot(x - along * x1, y - along * y1);
      const i = row * side + column;
      ink[i] = Math.max(ink[i], (255 * (reach - distance)) / (2 * SOFT));
    }
}
