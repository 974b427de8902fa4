// A linear dictionary, and an encoder that infers the code of an image with that same dictionary, as
// sae_model/architectures.py has them:
//
//     logits(z) = b + z D
//     z_0 = relu(W x + c)
//     y_i = the k largest of z_(i-1), or z_(i-1) itself where k is null
//     z_i = relu(y_i + eta_i D (x - p_i) - t_i)        p_i = sigmoid(b + y_i D)        i = 1 ... steps

import { matrix } from "./matrix.js";
import { OUTPUTS } from "./outputs.js";
import { all, keepTopK } from "./products.js";

const USUAL_PIXELS = 28 * 28;

export class Dictionary {
  /** @param {{output: string, step_loss: string}} config
   * @param {Map<string, Tensor>} tensors
   * @param {number[] | null} betas settings of an encoder for every beta, in increasing order and equal ratios */
  constructor(config, tensors, betas) {
    const get = (/** @type {string} */ name) => /** @type {Tensor} */ (tensors.get(`network.${name}`)).data;
    this.output = OUTPUTS[config.output];
    this.squaresError = config.step_loss === "mse";
    this.betas = betas;
    this.bias = Float64Array.from(get("bias"));
    const pixels = this.bias.length;
    this.relativeSize = config.output === "sigmoid" ? pixels / USUAL_PIXELS : 1;
    this.atomLength = config.output === "sigmoid" ? 10 * Math.sqrt(this.relativeSize) : 1;
    this.first = matrix(get("first.weight"), pixels);
    this.firstBias = get("first.bias");
    this.firstBiases = betas && get("first_bias");
    this.logSteps = get("log_step");
    this.thresholds = get("threshold");
    this.latents = all(this.firstBias.length);
    const atoms = get("atoms");
    this.atoms = matrix(atoms, pixels);
    /** The factor that turns each row of the atoms into one of D. The rows themselves stay as they are stored. */
    this.factors = Float64Array.from(this.latents, (i) => {
      const squares = atoms.subarray(i * pixels, (i + 1) * pixels).reduce((sum, value) => sum + value * value, 0);
      return this.atomLength / Math.sqrt(squares + 1e-12);
    });
  }

  /** b + z D.
   * @param {Int32Array} on the latents that are not 0
   * @param {Float64Array} values of those
   * @returns {Float64Array} logits (pixels) */
  draw(on, values) {
    return this.atoms.accumulate(on, values.map((z, i) => z * this.factors[on[i]]), this.bias.slice());
  }

  /** D times a vector (pixels), for some latents.
   * @param {Float64Array} vector
   * @param {Int32Array} [latents]
   * @returns {Float64Array} one number for each of those */
  correlate(vector, latents = this.latents) {
    return this.atoms.correlate(vector, latents).map((product, i) => product * this.factors[latents[i]]);
  }

  /** Latents -> the image before the sigmoid, if there is one.
   * @param {Float64Array} z
   * @returns {Float64Array} (pixels) */
  logits(z) {
    return this.draw(this.latents.filter((i) => z[i] !== 0), z.filter((value) => value !== 0));
  }

  /** Image -> latents, at least 0.
   * @param {Float64Array} x (pixels)
   * @param {number | null} k how many latents the steps work with
   * @param {number} beta of an encoder for every beta
   * @returns {Float64Array} */
  encode(x, k, beta) {
    const latentDim = this.latents.length;
    const mix = this.betas ? mixOf(beta, this.betas) : [1];
    const more = this.firstBiases ? mixed(mix, this.firstBiases, 0, latentDim) : new Float64Array(latentDim);
    /** @type {Float64Array} */
    let z = this.first.correlate(x).map((y, i) => Math.max(0, y + this.firstBias[i] + more[i]));
    for (let i = 0; i < this.logSteps.length / mix.length; i++) {
      const eta = Math.exp(mixed(mix, this.logSteps, i, 1)[0]) / this.relativeSize;
      const threshold = mixed(mix, this.thresholds, i, latentDim);
      if (k !== null) z = keepTopK(z, k);
      const p = this.output.reconstruction(this.logits(z));
      const residual = this.squaresError
        ? p.map((q, j) => 4 * (x[j] - q) * this.output.slope(q))
        : p.map((q, j) => x[j] - q);
      const up = this.correlate(residual);
      z = z.map((y, j) => Math.max(0, y + eta * up[j] - threshold[j]));
    }
    return z;
  }
}

/** How much of each setting an image of a beta gets: linear in log beta between the two settings beside it.
 * @param {number} beta between the first and the last setting
 * @param {number[]} betas
 * @returns {number[]} with the sum 1 */
function mixOf(beta, betas) {
  const last = betas.length - 1;
  const position = (last * Math.log(beta / betas[0])) / Math.log(betas[last] / betas[0]);
  const within = Math.min(Math.max(position, 0), last);
  return betas.map((_, setting) => Math.max(0, 1 - Math.abs(within - setting)));
}

/** The settings of one step, mixed.
 * @param {number[]} mix
 * @param {Float32Array} table (steps x settings x count)
 * @param {number} step
 * @param {number} count
 * @returns {Float64Array} */
function mixed(mix, table, step, count) {
  const sum = new Float64Array(count);
  mix.forEach((part, setting) => {
    const from = (step * mix.length + setting) * count;
    if (part) for (let j = 0; j < count; j++) sum[j] += part * table[from + j];
  });
  return sum;
}
