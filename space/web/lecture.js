// The lecture's own network, as in sae_model/architectures.py: strided convolutions with batch norm, for images of
// 28 x 28 pixels. Its latents have any sign, and its decoder is not linear.
//
// A map is a Float64Array (place, channel), so that the channels of a place are contiguous. A linear layer is a
// convolution whose kernel covers the map.

import { matrix } from "./matrix.js";
import { all } from "./products.js";

const LEAK = 0.01; // slope of the leaky ReLU below 0
const EPSILON = 1e-5; // of batch norm

/** Where a layer stands in the weights' names, side of the map that it is given, kernel, stride and padding.
 * @typedef {[number: number, side: number, kernel: number, stride: number, padding: number]} Place */

/** Convolutions, from the image to the latents. @type {Place[]} */
const DOWN = [[0, 28, 3, 2, 1], [3, 14, 3, 2, 1], [6, 7, 3, 2, 1], [9, 4, 3, 2, 1], [12, 2, 1, 1, 0], [16, 2, 2, 2, 0]];
/** A convolution, from the latents to the first map. @type {Place} */
const START = [0, 1, 1, 1, 0];
/** Transposed convolutions, from there to the image. @type {Place[]} */
const UP = [[2, 1, 3, 2, 1], [5, 2, 3, 2, 1], [8, 4, 3, 2, 1], [11, 8, 3, 2, 1], [14, 16, 3, 2, 1], [17, 32, 7, 1, 5]];
const SIDES = [2, 4, 8, 16, 32, 28]; // of the maps that those make

/** @typedef {object} Layer
 * @property {number} side of the map that it is given
 * @property {number} outSide of the map that it makes
 * @property {number} kernel @property {number} stride @property {number} padding
 * @property {import("./matrix.js").Matrix} weights a row for each channel, of the output; if transposed, of the input
 * @property {Float64Array} gain by which each channel of the output is multiplied
 * @property {Float64Array} shift what is added to it then: bias and batch norm in one
 * @property {boolean} leaky whether a leaky ReLU follows */

export class Lecture {
  /** @param {unknown} _config
   * @param {Map<string, Tensor>} tensors */
  constructor(_config, tensors) {
    const sideOf = (/** @type {Place} */ [, side, kernel, stride, padding]) =>
      Math.floor((side + 2 * padding - kernel) / stride) + 1;
    this.down = DOWN.map((place) => layerOf(tensors, "encoder", place, sideOf(place)));
    this.start = layerOf(tensors, "decoder", START, 1);
    this.up = UP.map((place, i) => layerOf(tensors, "decoder", place, SIDES[i]));
  }

  /** Image -> latents, any sign.
   * @param {Float64Array} x (784)
   * @returns {Float64Array} */
  encode(x) {
    return this.down.reduce(convolved, x);
  }

  /** Latents -> the image before the sigmoid.
   * @param {Float64Array} latents
   * @returns {Float64Array} (784) */
  logits(latents) {
    return this.up.reduce(spread, convolved(latents, this.start));
  }
}

/** @param {Map<string, Tensor>} tensors
 * @param {string} part "encoder" or "decoder"
 * @param {Place} place
 * @param {number} outSide
 * @returns {Layer} */
function layerOf(tensors, part, place, outSide) {
  const [number, side, kernel, stride, padding] = place;
  const get = (/** @type {string} */ name, i = number) =>
    /** @type {Tensor} */ (tensors.get(`network.${part}.${i}.${name}`)).data;
  const bias = get("bias");
  const leaky = tensors.has(`network.${part}.${number + 1}.running_mean`);
  const gain = new Float64Array(bias.length).fill(1);
  const shift = Float64Array.from(bias);
  if (leaky) {
    const [mean, variance] = [get("running_mean", number + 1), get("running_var", number + 1)];
    const [scale, offset] = [get("weight", number + 1), get("bias", number + 1)];
    for (let i = 0; i < bias.length; i++) {
      gain[i] = scale[i] / Math.sqrt(variance[i] + EPSILON);
      shift[i] = (bias[i] - mean[i]) * gain[i] + offset[i];
    }
  }
  const [weight, taps] = [get("weight"), kernel ** 2];
  // The last layer is a convolution with padding 1: with its kernel turned round, a transposed one with padding 5.
  const turned = place === UP.at(-1) ? weight.map((_, i) => weight[i + taps - 1 - 2 * (i % taps)]) : weight;
  const weights = matrix(turned, UP.includes(place) ? bias.length * taps : weight.length / bias.length);
  return { side, outSide, kernel, stride, padding, weights, gain, shift, leaky };
}

/** A convolution: each place of the output is the product of the weights (out x in x kernel x kernel) and a patch.
 * @param {Float64Array} map (places x in)
 * @param {Layer} layer
 * @returns {Float64Array} (places x out) */
function convolved(map, layer) {
  const { side, outSide, kernel, stride, padding, weights, gain } = layer;
  const inputs = map.length / side ** 2;
  const taps = kernel ** 2;
  const out = new Float64Array(outSide ** 2 * gain.length);
  const patch = new Float64Array(inputs * taps);
  for (let place = 0; place < outSide ** 2; place++) {
    for (let tap = 0; tap < taps; tap++) {
      const y = Math.floor(place / outSide) * stride - padding + Math.floor(tap / kernel);
      const x = (place % outSide) * stride - padding + (tap % kernel);
      const inside = y >= 0 && y < side && x >= 0 && x < side;
      const from = (y * side + x) * inputs;
      for (let c = 0; c < inputs; c++) patch[c * taps + tap] = inside ? map[from + c] : 0;
    }
    out.set(weights.correlate(patch), place * gain.length);
  }
  return finished(out, layer);
}

/** A transposed convolution: each place of the map adds a patch to the output, the weights (in x out x kernel x kernel)
 * times the place's channels.
 * @param {Float64Array} map (places x in)
 * @param {Layer} layer
 * @returns {Float64Array} (places x out) */
function spread(map, layer) {
  const { side, outSide, kernel, stride, padding, weights, gain } = layer;
  const channels = all(map.length / side ** 2);
  const outputs = gain.length;
  const taps = kernel ** 2;
  const out = new Float64Array(outSide ** 2 * outputs);
  const patch = new Float64Array(outputs * taps);
  for (let place = 0; place < side ** 2; place++) {
    const values = map.subarray(place * channels.length, (place + 1) * channels.length);
    weights.accumulate(channels, values, patch.fill(0));
    for (let tap = 0; tap < taps; tap++) {
      const y = Math.floor(place / side) * stride - padding + Math.floor(tap / kernel);
      const x = (place % side) * stride - padding + (tap % kernel);
      if (y < 0 || y >= outSide || x < 0 || x >= outSide) continue;
      const to = (y * outSide + x) * outputs;
      for (let c = 0; c < outputs; c++) out[to + c] += patch[c * taps + tap];
    }
  }
  return finished(out, layer);
}

/** Bias, batch norm and leaky ReLU.
 * @param {Float64Array} out (places x channels), is changed
 * @param {Layer} layer
 * @returns {Float64Array} the same */
function finished(out, { gain, shift, leaky }) {
  for (let i = 0; i < out.length; i++) {
    const value = out[i] * gain[i % gain.length] + shift[i % gain.length];
    out[i] = leaky && value < 0 ? LEAK * value : value;
  }
  return out;
}
