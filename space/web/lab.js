/** The lab: images, stops of the sliders, and what a model makes of an image. */

import { clamp } from "./dom.js";
import { layOut } from "./families.js";
import { Fetched, fetchStatistics, modelsOf } from "./files.js";
import { Images } from "./images.js";
import { noise } from "./noise.js";

/**
 * One stop of a slider, as in lab.json: a model, and which k or beta it is asked for.
 * @typedef {{key: string, model: string, label: string, short: string, argument: "k" | "beta" | null, value: number | null,
 *   k: number | null, steps: number, rounds: number, beta: number, apart: boolean, evaluation: any, measured: string,
 *   statistics: string, target: number | null, hyperparameter: string | null, method: string, users?: boolean,
 *   penalty: {of: "mean" | "divergence", weight: number, target: number | null} | null}} Stop
 */
/**
 * A method with its slider, or a user's model: `stops` are keys, `list` the stops from left to right.
 * @typedef {{key: string, stops: string[], list: Stop[], labels?: string[], of?: string, title?: string,
 *   range?: {model: string, argument: "k" | "beta", values: number[], steps: number[]}}} Family
 */
/**
 * What lab.json holds; space/index.py says what its parts are.
 * @typedef {{noun: string, classes: string[], shape: number[], families: Family[], stops: Record<string, Stop>,
 *   methods: {kind: string, hyperparameter: string | null, values: string[]}[], [part: string]: any}} Index
 */
/**
 * One image and what one model makes of it; all images are values of pixels.
 * @typedef {{stop: Stop, clean: Float64Array, noisy: Float64Array, seen: Float64Array, latents: Float64Array,
 *   reconstruction: Float64Array, unedited: Look | null, atoms?: Map<number, ArrayLike<number>>, bias?: ArrayLike<number>}} Look
 */
/** @typedef {{digit: number, draw: string, sigma: number, seed: number}} Specimen */

/** @param {Specimen} specimen */
const nameOf = ({ digit, draw, sigma, seed }) => JSON.stringify([digit, draw, sigma, seed]);

export class Lab {
  /** @param {Index} index */
  constructor(index) {
    this.index = index;
    this.onArrival = () => {};
    const arrive = () => this.onArrival();
    this.pictures = new Images(index, arrive);
    /** Highest less lowest value that an image can have. @type {number} */
    this.span = index.range[1] - index.range[0];
    this.statisticsOf = new Fetched((key) => {
      const { statistics, model } = this.stop(key);
      return fetchStatistics(statistics, index.models[model].config.latent_dim);
    }, arrive);
    const withStatistics = (/** @type {string} */ name) => {
      for (const stop of this.measuredStops()) if (stop.model === name) this.statistics(stop.key);
      arrive();
    };
    this.models = modelsOf((name) => index.models[name], withStatistics, arrive);
    /** @type {Map<string, Look>} the looks at the current image */
    this.looks = new Map();
    this.specimen = "";
    /** @type {Map<string, Stop>} places of a slider that no model was measured at */
    this.places = new Map();
    for (const family of index.families) layOut(family, this);
  }

  /** @param {string} key @returns {Stop} */
  stop(key) {
    return this.index.stops[key] ?? this.places.get(key);
  }

  /** @param {string} key */
  family(key) {
    return /** @type {Family} */ (this.index.families.find((family) => family.key === key));
  }

  /** The stops along a family's slider: no user's and none that stands apart, unless all do. @param {string} key */
  axis(key) {
    const { list } = this.family(key);
    const own = list.filter((stop) => !stop.users);
    return [own.filter((stop) => !stop.apart), own].find(({ length }) => length) ?? list;
  }

  /** Those of them that were measured. @param {string} key */
  compared(key) {
    return this.axis(key).filter((stop) => stop.label);
  }

  /** The compared stop with the lowest error on noisy test images. @param {string} key */
  leastNoise(key) {
    const error = (/** @type {Stop} */ stop) => this.evaluation(stop.key).denoise_mse;
    return this.compared(key).reduce((best, stop) => (error(stop) < error(best) ? stop : best));
  }

  /** The metrics of a stop on the test split, or of the nearest one that was measured. @param {string} key */
  evaluation(key) {
    return this.stop(this.stop(key).measured).evaluation;
  }

  /** The first family that has a stop. @param {string} key @returns {string | undefined} */
  familyOf(key) {
    return this.index.families.find(({ list }) => list.some((stop) => stop.key === key))?.key;
  }

  /** The stop of a user's model. @param {string} family */
  usersStop(family) {
    return /** @type {Stop} */ (this.family(family).list.find((stop) => stop.users));
  }

  /** Every stop that has an evaluation, once. @returns {Stop[]} */
  measuredStops() {
    return Object.values(this.index.stops);
  }

  /** Takes in looks at a specimen that need no weights. @param {Specimen} specimen @param {Look[]} looks */
  carry(specimen, looks) {
    this.specimen = nameOf(specimen);
    for (const look of looks) this.looks.set(look.stop.key, look);
    if (looks.length) this.pictures.carried = { digit: specimen.digit, image: looks[0].clean };
  }

  /**
   * What the model of a stop makes of an image; or null: then its weights or the image are asked for.
   * @param {Specimen} specimen
   * @param {string} key
   * @returns {Look | null}
   */
  look(specimen, key) {
    const name = nameOf(specimen);
    if (name !== this.specimen) this.looks.clear();
    this.specimen = name;
    const known = this.looks.get(key);
    if (known && !known.atoms) return known; // one with atoms came with the page, until its model is here
    const stop = this.stop(key);
    const model = this.model(key);
    const clean = model && this.pictures.clean(specimen);
    if (!model || !clean) return known ?? null;
    const { noisy, seen } = this.withNoise(clean, specimen);
    const latents = model.encode(noisy, stop);
    const look = { stop, clean, noisy, seen, latents, reconstruction: model.decode(latents), unedited: null };
    this.looks.set(key, look);
    return look;
  }

  /** An image with noise, and the same as it is seen. @param {Float64Array} clean @param {Specimen} specimen */
  withNoise(clean, { seed, sigma }) {
    const random = noise(seed, clean.length);
    const noisy = clean.map((value, i) => value + sigma * random[i]);
    const seen = this.index.output === "sigmoid" ? noisy.map((value) => clamp(value, 0, 1)) : noisy;
    return { noisy, seen };
  }

  /** Whether what a look needs is here. @param {Specimen} specimen @param {string} key */
  canLook(specimen, key) {
    return this.isKept(specimen, key) || (this.model(key) !== null && this.pictures.has(specimen));
  }

  /** Whether a look was made already. @param {Specimen} specimen @param {string} key */
  isKept(specimen, key) {
    return nameOf(specimen) === this.specimen && this.looks.has(key);
  }

  /**
   * The same with some latents set to other values.
   * @param {Look} look
   * @param {Record<string, number>} edits latent -> value
   * @returns {Look}
   */
  edited(look, edits) {
    const model = this.model(look.stop.key);
    if (!model || !Object.keys(edits).length) return look;
    const latents = look.latents.slice();
    for (const [latent, value] of Object.entries(edits)) latents[Number(latent)] = value;
    return { ...look, latents, reconstruction: model.decode(latents), unedited: look };
  }

  /** The model of a stop; or null: then its weights are asked for. @param {string} key */
  model(key) {
    const stop = this.stop(key); // a user's model may have been removed
    return stop ? this.models.get(stop.model) : null;
  }

  /** What the latents of a stop do; or null: then that is asked for. @param {string} key */
  statistics(key) {
    const stop = this.stop(key);
    return stop ? this.statisticsOf.get(stop.measured) : null;
  }

  /** Forgets a user's model. @param {string} family */
  remove(family) {
    const { key, model } = this.usersStop(family);
    this.index.families = this.index.families.filter((other) => other.key !== family);
    delete this.index.stops[key];
    delete this.index.models[model];
    this.models.forget(model);
  }

  /** Takes in what the server says of a user's model. @param {{models: any, stops: any, family: Family}} news */
  add(news) {
    for (const name of Object.keys(news.models)) this.models.forget(name);
    Object.assign(this.index.models, news.models);
    Object.assign(this.index.stops, news.stops);
    const others = this.index.families.filter((family) => family.key !== news.family.key);
    layOut(news.family, this);
    this.index.families = [...others, news.family];
    for (const key of Object.keys(news.stops)) {
      this.looks.delete(key);
      this.statisticsOf.here.delete(key);
    }
  }
}
