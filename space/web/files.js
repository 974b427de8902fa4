/** What the page fetches: the index of the lab, words, weights, statistics and images. All addresses are relative to the
 * page's own, so that the page works behind a proxy and as a folder of files. */

import { unpacked } from "./bytes.js";
import { Model } from "./model.js";
import { readSafetensors } from "./safetensors.js";

const MOST_MODELS = 12; // that are ready for use, 6 MB each; the others are made again from their weights, half as large
const AGAIN = 3000; // ms
const base = () => new URL("files/", document.baseURI);

/** The address of a file that lab.json names. @param {string} path */
export const fileAddress = (path) => new URL(path, base()).href;

/**
 * @param {string} path
 * @returns {Promise<Response>}
 */
async function get(path) {
  const response = await fetch(new URL(path, base()));
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response;
}

/** @type {Map<string, Promise<any>>} path -> what was read; it is there when the server is gone */
const read = new Map();

/** @param {string} path @returns {Promise<any>} */
export function json(path) {
  const known = read.get(path);
  if (known) return known;
  const reading = get(path).then((response) => response.json());
  read.set(path, reading);
  reading.catch(() => read.delete(path));
  return reading;
}

/** The content of a file packed with gzip; the browser may have unpacked it already. @param {string} path */
async function content(path) {
  const bytes = new Uint8Array(await (await get(path)).arrayBuffer());
  return (bytes[0] === 0x1f && bytes[1] === 0x8b ? await unpacked(bytes, "gzip") : bytes).buffer;
}

/**
 * @param {{url: string, type: string, skip: number}} file
 * @returns {Promise<Uint8Array | Uint16Array | Float32Array>} numbers after the header
 */
export async function numbers({ url, type, skip }) {
  const bytes = (await content(url)).slice(skip);
  if (type === "uint8") return new Uint8Array(bytes);
  return type === "uint16" ? new Uint16Array(bytes) : new Float32Array(bytes);
}

/**
 * As in training/measure/latent_statistics.py.
 * @typedef {{means: Float32Array[], peak: Float32Array, frequency: Float32Array, alive: Uint8Array,
 *   top: ArrayLike<number>, topCount: number}} Statistics
 */

/**
 * Fetches class means, peaks and top images of the latents of a model.
 * @param {string} address of the file that holds them
 * @param {number} latents how many there are
 * @returns {Promise<Statistics>}
 */
export async function fetchStatistics(address, latents) {
  const found = readSafetensors(await content(address));
  const tensor = (/** @type {string} */ name) => /** @type {{shape: number[], data: any}} */ (found.get(name));
  const means = tensor("class_means");
  return {
    means: Array.from({ length: means.shape[0] }, (_, i) => means.data.subarray(i * latents, (i + 1) * latents)),
    peak: tensor("peak").data,
    frequency: tensor("frequency").data,
    alive: tensor("alive").data,
    top: tensor("top_images").data,
    topCount: tensor("top_images").shape[1],
  };
}

/**
 * What is fetched when it is first asked for. Where that fails, it is fetched again after a while, if it is still needed.
 * @template T
 */
export class Fetched {
  /** @param {(key: string) => Promise<T>} fetch @param {(key: string) => void} onArrival called also where it failed */
  constructor(fetch, onArrival) {
    this.fetch = fetch;
    this.onArrival = onArrival;
    /** @type {Map<string, T>} */
    this.here = new Map();
    /** @type {Map<string, Promise<void>>} */
    this.underWay = new Map();
    /** @type {Set<string>} what could not be fetched just now */
    this.failed = new Set();
    this.only = ""; // the one that may be fetched while the page opens: it gets the whole bandwidth
  }

  /** What is here; or null: then it is asked for. @param {string} key */
  get(key) {
    this.want(key);
    return this.here.get(key) ?? null;
  }

  /** Fetches what is not here; resolved when it is, or could not be. @param {string} key */
  want(key) {
    if (this.here.has(key) || this.failed.has(key) || (this.only && key !== this.only)) return;
    const promise = this.underWay.get(key) ?? this.bring(key);
    this.underWay.set(key, promise);
    return promise;
  }

  /** @param {string} key */
  async bring(key) {
    try {
      this.here.set(key, await this.fetch(key));
    } catch {
      this.failed.add(key);
      setTimeout(() => {
        this.failed.delete(key);
        this.onArrival(key); // who still needs it asks for it again
      }, AGAIN);
    }
    this.underWay.delete(key);
    this.onArrival(key);
  }
}

/**
 * The models whose weights are here or under way.
 * @param {(name: string) => {url: string, bytes: number, config: any, betas: number[] | null}} entry of lab.json
 * @param {(name: string) => void} onArrival
 * @param {() => void} onProgress
 */
export function modelsOf(entry, onArrival, onProgress) {
  /** @type {Map<string, number>} how much is here of the weights that are under way, from 0 to 1 */
  const parts = new Map();
  /** @type {Map<string, Model>} the ones used last come last */
  const ready = new Map();

  const weights = new Fetched(async (name) => {
    const { url, bytes } = entry(name);
    const response = await get(url);
    const content = new Uint8Array(bytes);
    let filled = 0;
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      content.set(chunk.value, filled); // throws an error where the file is larger than it should be
      filled += chunk.value.length;
      parts.set(name, filled / bytes);
      onProgress();
    }
    if (filled < bytes) throw new Error(`${url} is shorter than it should be.`);
    return content.buffer;
  }, onArrival);

  return {
    weights,
    parts,
    /** A model; or null: then its weights are asked for. @param {string} name */
    get(name) {
      const here = weights.get(name);
      if (!here) return null;
      const { config, betas } = entry(name);
      const model = ready.get(name) ?? new Model(config, readSafetensors(here), betas);
      ready.delete(name);
      ready.set(name, model);
      for (const least of [...ready.keys()].slice(0, -MOST_MODELS)) ready.delete(least);
      return model;
    },
    /** Forgets a model, whose name now belongs to another one. @param {string} name */
    forget(name) {
      weights.here.delete(name);
      ready.delete(name);
    },
  };
}
