/** The images that models are shown: those of the test split, and a visitor's drawings. */

import { fromText } from "./digit.js";
import { numbers } from "./files.js";
import { resized } from "./resample.js";

const MOST_DRAWINGS = 50; // that are kept as images
const AGAIN = 3000; // ms

export class Images {
  /**
   * @param {any} index lab.json
   * @param {() => void} onArrival called when something was fetched
   */
  constructor(index, onArrival) {
    this.index = index;
    this.pixels = index.shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b);
    this.onArrival = onArrival;
    /** @type {Uint8Array | Uint16Array | Float32Array | null} */
    this.images = null;
    /** @type {Uint8Array | Uint16Array | Float32Array | null} */
    this.labels = null;
    /** @type {{digit: number, image: Float64Array} | null} what the page itself carries */
    this.carried = null;
    /** @type {Map<string, Float64Array>} text of a drawing -> its image, 28 x 28 */
    this.drawings = new Map();
  }

  /** Fetches the labels, which are small. */
  async fetchLabels() {
    if (this.labels) return;
    this.labels = await numbers(this.index.labels);
    this.onArrival();
  }

  /** Fetches labels and images; again after a while where the server does not answer. */
  async fetch() {
    while (!this.images) {
      try {
        await this.fetchLabels();
        this.images = await numbers(this.index.images);
        this.onArrival();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, AGAIN));
      }
    }
  }

  /** The class of a test image; null while labels are under way. @param {number} i @returns {number | null} */
  label(i) {
    return this.labels ? this.labels[i] : null;
  }

  /** A test image; null while images are under way. @param {number} i @returns {Float64Array | null} */
  image(i) {
    if (!this.images) return this.carried?.digit === i ? this.carried.image : null;
    const own = this.images.subarray(i * this.pixels, (i + 1) * this.pixels);
    const scale = this.images instanceof Uint8Array ? 255 : 1;
    return Float64Array.from(own, (value) => value / scale);
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
