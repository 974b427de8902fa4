/** What the page itself carries of its opening: looks that are drawn before any weights are here. */

import { fromBase64 } from "./bytes.js";
import { singles } from "./safetensors.js";

/** Numbers in half precision, little-endian, as base64. @param {string} text */
function numbers(text) {
  return Float64Array.from(singles(new Uint16Array(fromBase64(text).buffer)));
}

/**
 * The looks that the page carries.
 * @param {{clean: string, looks: Record<string, any>} | null} opening base64 of the clean image, and by key of a stop
 *   latents, reconstruction, bias and the largest atoms
 * @param {Lab} lab
 * @param {Specimen} specimen what the page opens with
 * @returns {Look[]}
 */
export function carried(opening, lab, specimen) {
  if (!opening) return [];
  const isBytes = lab.index.images.type === "uint8";
  const clean = numbers(opening.clean).map((value) => (isBytes ? Math.round(255 * value) / 255 : value));
  const given = lab.withNoise(clean, specimen);
  return Object.entries(opening.looks).map(([key, { latents, reconstruction, bias, atoms }]) => ({
    ...{ stop: lab.stop(key), clean, ...given, unedited: null },
    latents: numbers(latents),
    reconstruction: numbers(reconstruction),
    bias: bias && numbers(bias),
    atoms: new Map(Object.entries(atoms ?? {}).map(([latent, values]) => [Number(latent), numbers(values)])),
  }));
}
