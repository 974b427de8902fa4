/** The images that models are shown: those of the test split, and a visitor's drawings. */

import { fromText } from "./digit.js";
import { Fetched, numbers } from "./files.js";
import { resized } from "./resample.js";

const MOST_DRAWINGS = 50; // that are kept as images

export class Images {
  /**
   * @param {any} index lab.json
   * @param {() => void} onArrival called when something was fetched
   */
  constructor(index, onArrival) {
    this.index = index;
    this.pixels = index.shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b);
    this.files = new Fetched((name) => numbers(index[name]), onArrival);
    this.files.only = "labels"; // which are small, and needed to choose an image of a class
    /** @type {{digit: number, image: Float64Array} | null} what the page itself carries */
    this.carried = null;
    /** @type {Map<string, Float64Array>} text of a drawing -> its image, 28 x 28 */
    this.drawings = new Map();
  }

  /** All test images, row by row; null while they are under way. */
  get images() {
    return this.files.get("images");
  }

  /** The class of each of them. */
  get labels() {
    return this.files.get("labels");
  }

  /** The class of a test image; null while labels are under way. @param {number} i @returns {number | null} */
  label(i) {
    return this.labels?.[i] ?? null;
  }

  /** A test image; null while images are under way. @param {number} i @returns {Float64Array | null} */
  image(i) {
    const { images, pixels } = this;
    if (!images) return this.carried?.digit === i ? this.carried.image : null;
    const scale = images instanceof Uint8Array ? 255 : 1;
    return Float64Array.from(images.subarray(i * pixels, (i + 1) * pixels), (value) => value / scale);
  }

  /**
   * A random test image of a class, if possible not the given one; null where the class has no images.
   * @param {number} label
   * @param {number} other
   */
  random(label, other) {
    const found = [...(this.labels ?? [])].flatMap((own, i) => (own === label && i !== other ? [i] : []));
    if (!found.length) return this.label(other) === label ? other : null;
    return found[Math.floor(Math.random() * found.length)];
  }

  /** Reads a drawing of a link, so that it can be looked at. @param {string} text @throws what `fromText` throws */
  async readDrawing(text) {
    if (!this.drawings.has(text)) this.drawings.set(text, await fromText(text));
    for (const oldest of [...this.drawings.keys()].slice(0, -MOST_DRAWINGS)) this.drawings.delete(oldest);
  }

  /** Whether an image is here. @param {{digit: number, draw: string}} specimen */
  has({ digit, draw }) {
    return draw ? this.drawings.has(draw) : this.images !== null || this.carried?.digit === digit;
  }

  /** The clean image of a specimen; null while it is under way. @param {{digit: number, draw: string}} specimen */
  clean({ digit, draw }) {
    if (!draw) return this.image(digit);
    const drawn = this.drawings.get(draw);
    if (!drawn) return null;
    const [channels, height, width] = this.index.shape;
    return resized(drawn, height, width, channels);
  }
}
