// From the encoder's code of an image to a better code with the same dictionary, as in sae_model/refinement.py:
//
//     F(z) = |x - x-hat(z)|^2 / 2 + w sum_i tanh(z_i / 2)
//
//     values    gradient steps on the latents that are on, with momentum. One that does not lower F is taken back.
//     choice    z <- the n largest of relu(z - s dF/dz), then values again. Taken back if that does not lower F.

import { keepTopK } from "./products.js";

/** @typedef {object} Decoder What a code is refined with; D is the dictionary (latents x pixels) and b the bias.
 * @property {(on: Int32Array, values: Float64Array) => Float64Array} draw b + z D, of the latents that are on
 * @property {(vector: Float64Array, latents?: Int32Array) => Float64Array} correlate D times a vector, for some latents
 * @property {number} atomLength length of every row of D
 * @property {import("./outputs.js").OutputKind} output */

/** @typedef {object} Fit Latents whose values were fitted to an image.
 * @property {Float64Array} latents
 * @property {number} objective F
 * @property {Float64Array} pull gradient of half the squared error in the logits (pixels)
 * @property {number} step how long the next step would be */

const MOMENTUM = 0.8;
const LONGER = 1.2; // factor of the step after one that lowered F
const SHORTER = 0.5; // and after one that did not
const WORTH_A_STEP = 1e-6; // by which part of itself F has to fall
const WORTH_A_CHOICE = 1e-4;
const MOST_PRODUCTS = 5; // all gradient steps cost at most as much as this many products with the whole dictionary

/** Lower F from a code on.
 * @param {Float64Array} x image (pixels)
 * @param {Float64Array} latents its code, at least 0
 * @param {Decoder} decoder
 * @param {{steps: number, rounds: number, beta: number}} how how many gradient steps on the values, how often the
 *     choice of latents is revised, and the weight of the mean activation in the loss
 * @returns {Float64Array} latents, at least 0, no more of them on than before */
export function refine(x, latents, decoder, { steps, rounds, beta }) {
  const count = latents.filter((z) => z > 0).length;
  if (count === 0) return latents;
  const { output, atomLength } = decoder;
  const weight = (beta * output.squaredErrorPerLoss(x.length)) / latents.length;
  const affordable = Math.floor((MOST_PRODUCTS * latents.length) / (2 * (rounds + 1) * count)) - 1;
  const most = Math.min(steps, Math.max(affordable, 0));
  let fit = fitValues(x, latents, weight, most, output.step / atomLength ** 2, decoder);
  let stride = output.choiceStep / atomLength ** 2;
  for (let round = 0; round < rounds; round++) {
    const gradient = decoder.correlate(fit.pull);
    const moved = fit.latents.map((z, i) => Math.max(0, z - stride * (gradient[i] + slopeOfPenalty(z, weight))));
    const other = fitValues(x, keepTopK(moved, count), weight, most, fit.step, decoder);
    if (other.objective < (1 - WORTH_A_CHOICE) * fit.objective) {
      fit = other;
    } else {
      fit.step = other.step;
      stride *= SHORTER;
    }
  }
  return fit.latents;
}

/** Gradient steps on the latents that are on.
 * @param {Float64Array} x image (pixels)
 * @param {Float64Array} latents its code, at least 0
 * @param {number} weight w
 * @param {number} steps how many
 * @param {number} step length of the first one
 * @param {Decoder} decoder
 * @returns {Fit} */
function fitValues(x, latents, weight, steps, step, decoder) {
  const on = Int32Array.from(latents.keys()).filter((i) => latents[i] > 0);
  let z = latents.filter((value) => value > 0);
  let { objective, pull } = objectiveOf(x, on, z, weight, decoder);
  let gradient = decoder.correlate(pull, on);
  let velocity = new Float64Array(z.length);
  for (let i = 0; i < steps; i++) {
    const tried = z.map((value, j) =>
      Math.max(0, value + MOMENTUM * velocity[j] - step * (gradient[j] + slopeOfPenalty(value, weight))),
    );
    const after = objectiveOf(x, on, tried, weight, decoder);
    if (after.objective < (1 - WORTH_A_STEP) * objective) {
      velocity = tried.map((value, j) => value - z[j]);
      step *= LONGER;
      z = tried;
      ({ objective, pull } = after);
      if (i + 1 < steps) gradient = decoder.correlate(pull, on);
    } else {
      velocity.fill(0);
      step *= SHORTER;
    }
  }
  const fitted = new Float64Array(latents.length);
  on.forEach((latent, j) => (fitted[latent] = z[j]));
  return { latents: fitted, objective, pull, step };
}

/** F and the pull, as `Fit` has them.
 * @param {Float64Array} x image (pixels)
 * @param {Int32Array} on latents
 * @param {Float64Array} z their values
 * @param {number} weight w
 * @param {Decoder} decoder */
function objectiveOf(x, on, z, weight, decoder) {
  const { reconstruction, slope } = decoder.output;
  const p = reconstruction(decoder.draw(on, z));
  const pull = new Float64Array(p.length);
  let squares = 0;
  let activations = 0;
  for (let j = 0; j < p.length; j++) {
    const residual = p[j] - x[j];
    squares += residual * residual;
    pull[j] = residual * slope(p[j]);
  }
  for (const value of z) activations += Math.tanh(value / 2);
  return { objective: squares / 2 + weight * activations, pull };
}

/** Derivative of w tanh(z / 2).
 * @param {number} z
 * @param {number} weight w */
function slopeOfPenalty(z, weight) {
  return (weight / 2) * (1 - Math.tanh(z / 2) ** 2);
}
