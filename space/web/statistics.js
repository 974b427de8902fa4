/** What the latents of a stop do on some test images. */

import { tensors } from "./files.js";

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
  const found = await tensors(address);
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
