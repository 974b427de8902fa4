// The two products that all models here need, on a matrix of weights whose rows are contiguous.
//
// Weights have single precision and sums have double: so each answer is the one that Python has in double precision.

/** The positions 0 ... count - 1.
 * @param {number} count
 * @returns {Int32Array} */
export const all = (count) => new Int32Array(count).map((_, i) => i);

/** The dot products of some rows of a matrix with a vector. Four rows at a time share each number of the vector.
 * @param {Float32Array} matrix row-major, each row as long as the vector
 * @param {Int32Array} rows which ones
 * @param {Float64Array} vector
 * @param {Float64Array} [products] where to put them, one for each of those rows
 * @returns {Float64Array} */
export function correlate(matrix, rows, vector, products = new Float64Array(rows.length)) {
  const n = vector.length;
  let i = 0;
  for (; i + 4 <= rows.length; i += 4) {
    const [a, b, c, d] = [rows[i] * n, rows[i + 1] * n, rows[i + 2] * n, rows[i + 3] * n];
    let [p, q, r, s] = [0, 0, 0, 0];
    for (let j = 0; j < n; j++) {
      const x = vector[j];
      p += matrix[a + j] * x;
      q += matrix[b + j] * x;
      r += matrix[c + j] * x;
      s += matrix[d + j] * x;
    }
    [products[i], products[i + 1], products[i + 2], products[i + 3]] = [p, q, r, s];
  }
  for (; i < rows.length; i++) {
    const a = rows[i] * n;
    let p = 0;
    for (let j = 0; j < n; j++) p += matrix[a + j] * vector[j];
    products[i] = p;
  }
  return products;
}

/** Add some rows of a matrix to a vector, each times its weight.
 * @param {Float32Array} matrix row-major, each row as long as the vector
 * @param {Int32Array} rows which ones
 * @param {Float64Array} weights one for each of those rows
 * @param {Float64Array} vector is changed
 * @returns {Float64Array} the same vector */
export function accumulate(matrix, rows, weights, vector) {
  const n = vector.length;
  let i = 0;
  for (; i + 4 <= rows.length; i += 4) {
    const [a, b, c, d] = [rows[i] * n, rows[i + 1] * n, rows[i + 2] * n, rows[i + 3] * n];
    const [p, q, r, s] = [weights[i], weights[i + 1], weights[i + 2], weights[i + 3]];
    for (let j = 0; j < n; j++) {
      vector[j] += p * matrix[a + j] + q * matrix[b + j] + r * matrix[c + j] + s * matrix[d + j];
    }
  }
  for (; i < rows.length; i++) {
    const a = rows[i] * n;
    for (let j = 0; j < n; j++) vector[j] += weights[i] * matrix[a + j];
  }
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
