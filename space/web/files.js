/** What the page fetches: the index of the lab, words, weights, statistics and images. All addresses are relative to the
 * page's own, so that the page works behind a proxy and as a folder of files. */

import { unpacked } from "./bytes.js";
import { Model } from "./model.js";
import { readSafetensors } from "./safetensors.js";

const MOST_MODELS = 12; // that are ready for use, 6 MB each; the others are made again from their weights, half as large
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

/** @param {string} url @returns {Promise<Map<string, {shape: number[], data: any}>>} tensors by name */
export const tensors = async (url) => readSafetensors(await content(url));

/** The models whose weights are here or under way. */
export class Models {
  /** @param {(name: string) => {url: string, bytes: number, config: any, betas: number[] | null}} entry of lab.json */
  constructor(entry) {
    this.entry = entry;
    /** @type {Map<string, ArrayBuffer>} */
    this.weights = new Map();
    /** @type {Map<string, Model>} the ones used last come last */
    this.ready = new Map();
    /** @type {Map<string, {promise: Promise<void>, part: number}>} */
    this.underWay = new Map();
    this.onProgress = (/** @type {string} */ _name) => {};
  }

  /**
   * The model, or null while its weights are not here.
   * @param {string} name
   */
  get(name) {
    const weights = this.weights.get(name);
    if (!weights) return null;
    const { config, betas } = this.entry(name);
    const model = this.ready.get(name) ?? new Model(config, readSafetensors(weights), betas);
    this.ready.delete(name);
    this.ready.set(name, model);
    for (const least of [...this.ready.keys()].slice(0, -MOST_MODELS)) this.ready.delete(least);
    return model;
  }

  /** How much of a model's weights is here, from 0 to 1. @param {string} name */
  part(name) {
    return this.weights.has(name) ? 1 : (this.underWay.get(name)?.part ?? 0);
  }

  /** Fetches a model that is neither here nor under way. @param {string} name */
  want(name) {
    const promise = this.fetch(name).finally(() => this.underWay.delete(name));
    this.underWay.set(name, { promise, part: 0 });
    return promise;
  }

  /** @param {string} name */
  async fetch(name) {
    const { url, bytes } = this.entry(name);
    const response = await get(url);
    const weights = new Uint8Array(bytes);
    let filled = 0;
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      if (filled + chunk.value.length > bytes) throw new Error(`${url} is larger than it should be.`);
      weights.set(chunk.value, filled);
      filled += chunk.value.length;
      const job = this.underWay.get(name);
      if (job) job.part = filled / bytes;
      this.onProgress(name);
    }
    if (filled < bytes) throw new Error(`${url} is shorter than it should be.`);
    this.weights.set(name, weights.buffer);
  }

  /** Forgets a model, whose name now belongs to another one. @param {string} name */
  forget(name) {
    this.weights.delete(name);
    this.ready.delete(name);
  }
}
