/** All metrics of one look, that is of one image and one model, by the formulas of measures.js. */

import { activation, effectiveL0, mse, psnr } from "./measures.js";

/** @typedef {import("./lab.js").Look} Look */

/**
 * @param {Look} look
 * @param {number} span highest less lowest value of an image
 */
export function metrics(look, span = 1) {
  const error = mse(look.reconstruction, look.clean);
  const noiseError = mse(look.seen, look.clean);
  let on = 0;
  let sum = 0;
  for (const z of look.latents) {
    if (z !== 0) on++;
    sum += activation(z);
  }
  return {
    mse: error,
    psnr: psnr(error, span),
    noiseMse: noiseError,
    noisePsnr: psnr(noiseError, span),
    l0: on,
    meanActivation: sum / look.latents.length,
    effectiveL0: effectiveL0(look.latents),
  };
}
