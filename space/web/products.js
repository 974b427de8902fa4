// The two products that all models here need, on a matrix of weights whose rows are contiguous; matrix.js has them in
// WebAssembly.
//
// Weights have single precision and sums have double: so each answer is the one that Python has in double precision.

/** The positions 0 ... count - 1.
 * @param {number} count
 * @returns {Int32Array} */
export const all = (count) => new Int32Array(count).map((_, i) => i);

/** The dot products of some rows of a matrix with a vector.
 * @param {Float32Array} matrix row-major, each row as long as the vector
 * @param {Int32Array} rows which ones
 * @param {Float64Array} vector
 * @returns {Float64Array} one for each of those rows */
export function correlate(matrix, rows, vector) {
  return Float64Array.from(rows, (row) => {
    const start = row * vector.length;
    let sum = 0;
    for (let j = 0; j < vector.length; j++) sum += matrix[start + j] * vector[j];
    return sum;
  });
}

/** Add some rows of a matrix to a vector, each times its weight.
 * @param {Float32Array} matrix row-major, each row as long as the vector
 * @param {Int32Array} rows which ones
 * @param {Float64Array} weights one for each of those rows
 * @param {Float64Array} vector is changed
 * @returns {Float64Array} the same vector */
export function accumulate(matrix, rows, weights, vector) {
  rows.forEach((row, i) => {
    const start = row * vector.length;
    for (let j = 0; j < vector.length; j++) vector[j] += weights[i] * matrix[start + j];
  });
  return vector;
}

/** Zero all but the k latents of largest magnitude.
 * @param {Float64Array} latents any sign
 * @param {number} k from 1 on
 * @returns {Float64Array} a copy */
export function keepTopK(latents, k) {
  const sizes = latents.filter((z) => z !== 0).map(Math.abs).sort();
  if (sizes.length <= k) return latents.slice();
  const least = sizes[sizes.length - k];
  let equal = k - sizes.filter((size) => size > least).length; // of those that are as large as the smallest kept
  return latents.map((z) => (Math.abs(z) > least || (Math.abs(z) === least && equal-- > 0) ? z : 0));
}
