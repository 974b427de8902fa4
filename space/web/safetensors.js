// Reads a file of weights: eight bytes say how long the header is, then it follows as JSON, then the numbers.

import { fromBase64 } from "./bytes.js";

/** @typedef {{shape: number[], data: Float32Array}} Tensor One tensor of floats, row-major. */

/** The values of all numbers in half precision, made when one is first needed.
 * @type {Float32Array | null} */
let known = null;

/** @param {Uint16Array} bits of numbers in half precision */
function singles(bits) {
  const table = (known ??= Float32Array.from({ length: 65536 }, (_, half) => {
    const exponent = (half >> 10) & 31;
    const size = exponent ? 2 ** (exponent - 25) * (1024 + (half & 1023)) : 2 ** -24 * (half & 1023);
    return half & 0x8000 ? -size : size;
  }));
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = table[bits[i]];
  return values;
}

/** Numbers in half precision, little-endian. @param {string} text as base64 */
export const halves = (text) => singles(new Uint16Array(fromBase64(text).buffer));

/** Type in the file -> what makes an array of it. (Weights are finite, so infinity and NaN have no value of their own.)
 * @type {Record<string, (buffer: ArrayBuffer) => ArrayLike<number>>} */
const DECODED = {
  U8: (buffer) => new Uint8Array(buffer),
  U16: (buffer) => new Uint16Array(buffer),
  I64: (buffer) => Float64Array.from(new BigInt64Array(buffer), Number),
  F32: (buffer) => new Float32Array(buffer),
  F16: (buffer) => singles(new Uint16Array(buffer)),
  BF16: (buffer) => new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer),
};

/** The tensors in a safetensors file: floats of any precision as Float32Array, whole numbers as arrays of their type.
 * The server has checked the files that it names.
 * @param {ArrayBuffer} file
 * @returns {Map<string, {shape: number[], data: any}>} */
export function readSafetensors(file) {
  const start = 8 + Number(new DataView(file).getBigUint64(0, true));
  const { __metadata__: _, ...header } = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, start - 8)));
  const tensors = Object.entries(header).map(([name, { dtype, shape, data_offsets: [from, to] }]) => {
    const own = file.slice(start + from, start + to); // a copy starts where views of any type may start
    return /** @type {const} */ ([name, { shape, data: DECODED[dtype](own) }]);
  });
  return new Map(tensors);
}
