// From logits to a reconstruction: the two kinds of output, as sae_model/outputs.py has them and says why.

/** @typedef {object} OutputKind
 * @property {(logits: Float64Array) => Float64Array} reconstruction in place of the logits, the same array
 * @property {(p: number) => number} slope derivative of a pixel p of the reconstruction in its logit
 * @property {(pixels: number) => number} squaredErrorPerLoss how much half the squared error of an image falls
 *     where the loss falls by 1
 * @property {number} step length of a first gradient step on half the squared error, for atoms of length 1
 * @property {number} choiceStep the same of a step towards another choice of latents */

/** @type {Record<string, OutputKind>} What config.json calls them. */
export const OUTPUTS = {
  sigmoid: {
    reconstruction(logits) {
      for (let j = 0; j < logits.length; j++) logits[j] = 1 / (1 + Math.exp(-logits[j]));
      return logits;
    },
    slope: (p) => p * (1 - p),
    squaredErrorPerLoss: (pixels) => 0.12 * pixels,
    step: 50,
    choiceStep: 200,
  },
  linear: {
    reconstruction: (logits) => logits,
    slope: () => 1,
    squaredErrorPerLoss: () => 0.5,
    step: 1,
    choiceStep: 1,
  },
};
