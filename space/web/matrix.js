// A matrix of weights with the products of products.js, several times as fast in WebAssembly. The code is matrix.wat.

import { fromBase64 } from "./bytes.js";
import { accumulate, all, correlate } from "./products.js";

/** @typedef {object} Matrix
 * @property {(vector: Float64Array, rows?: Int32Array) => Float64Array} correlate dot products of a vector with all rows,
 *     or with some
 * @property {(rows: Int32Array, weights: Float64Array, vector: Float64Array) => Float64Array} accumulate adds rows, each
 *     times its weight, to a vector, and returns it */

/** wat2wasm of matrix.wat, as base64; a test holds both equal. */
const CODE =
  "AGFzbQEAAAABCQFgBX9/f39/AAIOAQJqcwZtZW1vcnkCAAEDAwIAAAcaAgljb3JyZWxhdGUAAAphY2N1bXVsYXRlAAEK2wQC6QICBn8FeyADIAJB" +
  "AXRqIQoDQCACIAAoAgBsIQUgAiAAKAIEbCEGIAIgACgCCGwhByACIAAoAgxsIQj9DAAAAAAAAAAAAAAAAAAAAAAhDP0MAAAAAAAAAAAAAAAAAAAA" +
  "ACEN/QwAAAAAAAAAAAAAAAAAAAAAIQ79DAAAAAAAAAAAAAAAAAAAAAAhDyADIQkDQCAJ/QAEACELIAwgCyAF/V0DAP1f/fIB/fABIQwgDSALIAb9" +
  "XQMA/V/98gH98AEhDSAOIAsgB/1dAwD9X/3yAf3wASEOIA8gCyAI/V0DAP1f/fIB/fABIQ8gBUEIaiEFIAZBCGohBiAHQQhqIQcgCEEIaiEIIAlB" +
  "EGohCSAJIApJDQALIAQgDP0hACAM/SEBoDkDACAEIA39IQAgDf0hAaA5AwggBCAO/SEAIA79IQGgOQMQIAQgD/0hACAP/SEBoDkDGCAEQSBqIQQg" +
  "AEEQaiEAIAAgAUkNAAsL7QECBn8EeyADIAJBAXRqIQoDQCACIAAoAgBsIQUgAiAAKAIEbCEGIAIgACgCCGwhByACIAAoAgxsIQggBP0KAwAhCyAE" +
  "/QoDCCEMIAT9CgMQIQ0gBP0KAxghDiADIQkDQCAJIAn9AAQAIAsgBf1dAwD9X/3yASAMIAb9XQMA/V/98gH98AEgDSAH/V0DAP1f/fIBIA4gCP1d" +
  "AwD9X/3yAf3wAf3wAf3wAf0LBAAgBUEIaiEFIAZBCGohBiAHQQhqIQcgCEEIaiEIIAlBEGohCSAJIApJDQALIARBIGohBCAAQRBqIQAgACABSQ0A" +
  "CwsAvQEEbmFtZQKYAQIAEAAEcm93cwEIcm93c19lbmQCBnN0cmlkZQMGdmVjdG9yBANvdXQFAWEGAWIHAWMIAWQJAmF0CgNlbmQLAXgMAXANAXEO" +
  "AXIPAXMBDwAEcm93cwEIcm93c19lbmQCBnN0cmlkZQMGdmVjdG9yBAd3ZWlnaHRzBQFhBgFiBwFjCAFkCQJhdAoDZW5kCwFwDAFxDQFyDgFzAxsC" +
  "AAIABGZvdXIBA3R3bwECAARmb3VyAQN0d28=";
const PAGE = 65536; // bytes in which memory is counted

/** @param {Float32Array} data row-major
 * @param {number} width length of each row
 * @returns {Matrix} */
export function matrix(data, width) {
  const every = all(data.length / width);
  try {
    return inWebAssembly(data, width, every);
  } catch {
    // None here, or no memory for it.
    return {
      correlate: (vector, rows = every) => correlate(data, rows, vector),
      accumulate: (rows, weights, vector) => accumulate(data, rows, weights, vector),
    };
  }
}

/** @type {WebAssembly.Module | null} */
let module = null;

/** A matrix in a memory of its own: the rows, each of an even length, and a row of zeros; then what goes in and out.
 * @param {Float32Array} data
 * @param {number} width
 * @param {Int32Array} every number of a row
 * @returns {Matrix} */
function inWebAssembly(data, width, every) {
  const count = every.length;
  const even = width + (width % 2);
  const most = count + 3 - ((count + 3) % 4); // rows come in fours
  const vectorAt = 4 * even * (count + 1);
  const numbersAt = vectorAt + 8 * even; // weights, or products
  const rowsAt = numbersAt + 8 * most;
  const memory = new WebAssembly.Memory({ initial: Math.ceil((rowsAt + 4 * most) / PAGE) });
  const { buffer } = memory;
  const [weights, vector] = [new Float32Array(buffer, 0, even * count), new Float64Array(buffer, vectorAt, even)];
  const [numbers, rows] = [new Float64Array(buffer, numbersAt, most), new Int32Array(buffer, rowsAt, most)];
  for (let i = 0; i < count; i++) weights.set(data.subarray(i * width, (i + 1) * width), i * even);
  module ??= new WebAssembly.Module(fromBase64(CODE));
  const code = /** @type {any} */ (new WebAssembly.Instance(module, { js: { memory } }).exports);
  /** Puts in what both products take; returns where the rows end. @param {Float64Array} x @param {Int32Array} some */
  const put = (x, some) => {
    vector.set(x);
    rows.set(some);
    const end = some.length + 3 - ((some.length + 3) % 4);
    rows.fill(count, some.length, end);
    return rowsAt + 4 * end;
  };
  return {
    correlate(x, some = every) {
      if (some.length) code.correlate(rowsAt, put(x, some), 4 * even, vectorAt, numbersAt);
      return numbers.slice(0, some.length);
    },
    accumulate(some, factors, sum) {
      if (!some.length) return sum;
      numbers.set(factors);
      numbers.fill(0, factors.length);
      code.accumulate(rowsAt, put(sum, some), 4 * even, vectorAt, numbersAt);
      sum.set(vector.subarray(0, width));
      return sum;
    },
  };
}
