// Formulas for images, latents and activations, and how numbers are written. numbers.js shows the results.

/** How far a latent is switched on, tanh(|z| / 2).
 * @param {number} z any sign
 * @returns {number} in [0, 1] */
export const activation = (z) => Math.tanh(Math.abs(z) / 2);

/** @param {Float64Array} values @returns {number} */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** @param {Float64Array} latents @returns {number} in [0, 1] */
export const meanActivation = (latents) => mean(latents.map(activation));

/** How many latents carry an image, without a threshold: (sum |z|)^2 / sum z^2.
 * @param {Float64Array} latents
 * @returns {number} from 1 to the number of latents; 0 where all are 0 */
export function effectiveL0(latents) {
  const largest = latents.reduce((most, z) => Math.max(most, Math.abs(z)), 0);
  if (largest === 0) return 0;
  const shares = latents.map((z) => Math.abs(z) / largest); // squares of latents may be too large or too small
  return shares.reduce((sum, s) => sum + s, 0) ** 2 / shares.reduce((sum, s) => sum + s * s, 0);
}

/** How many latents are not 0. @param {Float64Array} latents @returns {number} */
export const l0 = (latents) => latents.reduce((count, z) => count + Number(z !== 0), 0);

/** Squared error per pixel. @param {Float64Array} a @param {Float64Array} b @returns {number} */
export const mse = (a, b) => mean(a.map((value, j) => (value - b[j]) ** 2));

/** Peak signal-to-noise ratio in dB of a squared error per pixel.
 * @param {number} error
 * @param {number} span highest less lowest value that an image can have
 * @returns {number} */
export const psnr = (error, span) => 10 * Math.log10(span ** 2 / Math.max(error, 1e-10));

/** All metrics of one image and one model.
 * @param {Look} look
 * @param {number} span highest less lowest value that an image can have */
export function metrics({ clean, seen, reconstruction, latents }, span) {
  const [error, noiseError] = [mse(reconstruction, clean), mse(seen, clean)];
  return {
    mse: error,
    psnr: psnr(error, span),
    noiseMse: noiseError,
    noisePsnr: psnr(noiseError, span),
    l0: l0(latents),
    meanActivation: meanActivation(latents),
    effectiveL0: effectiveL0(latents),
  };
}

/** KL(Bernoulli(p) || Bernoulli(q)) in nats.
 * @param {number} p rate that one asks for, in [0, 1]
 * @param {number} q rate that one has, in [0, 1]; 1e-6 from both ends at least
 * @returns {number} */
export function bernoulliKl(p, q) {
  const rate = Math.min(Math.max(q, 1e-6), 1 - 1e-6);
  const part = (/** @type {number} */ a, /** @type {number} */ b) => (a === 0 ? 0 : a * Math.log(a / b));
  return Math.max(0, part(p, rate) + part(1 - p, 1 - rate));
}

/** Edges between 12 logarithmic bins of [0.001, 1]. */
const EDGES = Array.from({ length: 11 }, (_, i) => Math.fround(10 ** (-3 + (i + 1) / 4)));

/** @typedef {object} Histogram How values in [0, 1] are spread, as counts.
 * @property {number} zero how many are exactly 0
 * @property {number[]} log how many of those above 0 lie in each of 12 logarithmic bins; the first takes all below
 * @property {number[]} linear how many of all lie in each of ten equal bins
 * @property {number} mean */

/** Count values in [0, 1]. They are compared in single precision, as in training/measure/histogram.py.
 * @param {Float64Array} values
 * @returns {Histogram} */
export function histogramOf(values) {
  const singles = values.map(Math.fround);
  const log = new Array(12).fill(0);
  const linear = new Array(10).fill(0);
  let zero = 0;
  for (const value of singles) {
    if (value === 0) zero++;
    else log[EDGES.filter((edge) => edge <= value).length]++;
    linear[Math.min(9, Math.floor(Math.fround(value * 10)))]++;
  }
  return { zero, log, linear, mean: mean(singles) };
}

/** A share as a short percentage, never rounded to all or nothing: "97%" (exact: "97.2%"), "2.4%", "<.1%", "0".
 * @param {number} share in [0, 1]
 * @param {boolean} [exact]
 * @returns {string} */
export function percent(share, exact = false) {
  if (share === 0) return "0";
  if (share < 0.0005) return "<.1%";
  if (share >= 0.9995 && share < 1) return ">99.9%";
  const whole = share === 1 || (share >= 0.0995 && share < 0.9895 && !exact);
  return `${(share * 100).toFixed(whole ? 0 : 1)}%`;
}
