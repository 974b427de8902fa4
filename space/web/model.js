// A sparse autoencoder in the browser, one image at a time: what sae_model/model.py does in eval mode.

import { Dictionary } from "./dictionary.js";
import { Lecture } from "./lecture.js";
import { OUTPUTS } from "./outputs.js";
import { keepTopK } from "./products.js";
import { refine } from "./refine.js";

/** @typedef {object} Config What config.json says.
 * @property {string} architecture a name in `ARCHITECTURES`
 * @property {number[]} image_shape (channels, height, width)
 * @property {number} latent_dim
 * @property {string} output "sigmoid" | "linear"
 * @property {string} step_loss "bce" | "mse"
 * @property {number} [steps] of the encoder; 3 where it is left out */

/** @typedef {object} Stop How a model is used.
 * @property {number | null} k how many latents a top-k model keeps; null where all are kept, or those above a threshold
 * @property {number} steps how far codes are refined; with no rounds either: not at all
 * @property {number} rounds
 * @property {number} beta weight of the mean activation in the objective of the refinement; of a model for every beta:
 *     the beta that it is asked for */

/** What config.json calls the architectures, as sae_model/architectures.py does: one that is added there is added here.
 * @type {Record<string, new (config: Config, tensors: Map<string, any>, betas: number[] | null) => Dictionary | Lecture>} */
export const ARCHITECTURES = { dictionary: Dictionary, lecture: Lecture };

export class Model {
  /** @param {Config} config
   * @param {Map<string, Tensor>} tensors
   * @param {number[] | null} [betas] settings of a model for every beta, `sparsity.betas` in Python */
  constructor(config, tensors, betas = null) {
    this.latentDim = config.latent_dim;
    this.shape = config.image_shape;
    this.pixels = this.shape.reduce((a, b) => a * b, 1);
    this.output = config.output;
    // Before images enter the network, the offset is subtracted from them and they are divided by the scale.
    this.offset = tensors.get("offset")?.data ?? new Float32Array(this.pixels);
    this.scale = tensors.get("scale")?.data[0] ?? 1;
    this.threshold = tensors.get("threshold")?.data ?? null;
    this.isClassical = config.steps === 0; // its codes are not refined
    const Network = ARCHITECTURES[config.architecture];
    if (!Network) throw new Error(`The page does not know the architecture ${config.architecture}.`);
    this.network = new Network(config, tensors, betas);
  }

  /** Whether the decoder is one linear dictionary, and so has atoms. */
  get isLinear() {
    return this.network instanceof Dictionary;
  }

  /** Image -> latents.
   * @param {Float64Array} image (pixels), clean or noisy
   * @param {Stop} stop
   * @returns {Float64Array} (latentDim), at least 0; of the lecture's network: any sign */
  encode(image, { k, steps, rounds, beta }) {
    const { network, threshold } = this;
    const x = image.map((value, j) => (value - this.offset[j]) / this.scale);
    let latents = network.encode(x, k, beta);
    if (k !== null) latents = keepTopK(latents, k);
    if (threshold) latents = latents.map((z, i) => (z > threshold[i] ? z : 0));
    if (steps + rounds === 0 || this.isClassical || !(network instanceof Dictionary)) return latents;
    return refine(x, latents, network, { steps, rounds, beta });
  }

  /** Latents -> image before the sigmoid, if there is one.
   * @param {Float64Array} latents (latentDim), any values
   * @returns {Float64Array} (pixels) */
  logits(latents) {
    return this.network.logits(latents).map((value, j) => value * this.scale + this.offset[j]);
  }

  /** Latents -> reconstruction.
   * @param {Float64Array} latents (latentDim), any values
   * @returns {Float64Array} (pixels), in [0, 1] unless the output is linear */
  decode(latents) {
    return OUTPUTS[this.output].reconstruction(this.logits(latents));
  }

  /** What the image is before the sigmoid where all latents are off.
   * @returns {Float64Array} (pixels) */
  bias() {
    return this.logits(new Float64Array(this.latentDim));
  }

  /** What one latent adds to the logits where all others are off: its value times its atom, if the decoder is linear.
   * @param {number} latent
   * @param {number} value 1 gives the atom
   * @returns {Float64Array} (pixels) */
  alone(latent, value) {
    const bias = this.bias();
    const only = new Float64Array(this.latentDim).fill(value, latent, latent + 1);
    return this.logits(only).map((logit, j) => logit - bias[j]);
  }
}
