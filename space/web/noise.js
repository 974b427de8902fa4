// Noise in which number i depends on the seed and i alone, the same as in space/noise.py: a seed means one picture.

export const LARGEST_SEED = 2 ** 32 - 1;

/** Mix the bits of a whole number below 2^32; the constants are from github.com/skeeto/hash-prospector.
 * @param {number} x
 * @returns {number} the bits as a signed 32-bit number */
function mixed(x) {
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}

/** Random bits by seed and position.
 * @param {number} seed 0 ... 2^32 - 1
 * @param {number} counter 0 ... 2^32 - 1
 * @returns {number} 0 ... 2^32 - 1 */
export function bits(seed, counter) {
  // The sums keep 0 from being mixed to 0.
  return mixed(mixed(seed + 0x9e3779b9) ^ mixed(counter + 0x85ebca6b)) >>> 0;
}

/** Standard normal numbers (Box and Muller 1958).
 * @param {number} seed 0 ... 2^32 - 1
 * @param {number} count how many
 * @returns {Float64Array} */
export function noise(seed, count) {
  return Float64Array.from({ length: count }, (_, i) => {
    const [u, v] = [bits(seed, 2 * i), bits(seed, 2 * i + 1)].map((b) => (b + 0.5) / 2 ** 32); // in (0, 1)
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  });
}
