// Reads a file of weights: eight bytes say how long the header is, then it follows as JSON, then the numbers.

/** @typedef {{shape: number[], data: Float32Array}} Tensor One tensor of floats, row-major. */

/** The values of all numbers in half precision, made when one is first needed.
 * @type {Float32Array | null} */
let halves = null;

/** @param {Uint16Array} bits of numbers in half precision */
export function singles(bits) {
  const table = (halves ??= Float32Array.from({ length: 65536 }, (_, half) => {
    const exponent = (half >> 10) & 31;
    const size = exponent ? 2 ** (exponent - 25) * (1024 + (half & 1023)) : 2 ** -24 * (half & 1023);
    return half & 0x8000 ? -size : size;
  }));
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = table[bits[i]];
  return values;
}

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
 * @param {ArrayBuffer} file
 * @returns {Map<string, {shape: number[], data: any}>}
 * @throws {Error} it is not a complete safetensors file; the message is one line */
export function readSafetensors(file) {
  try {
    const start = 8 + Number(new DataView(file).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, start - 8)));
    delete header.__metadata__;
    return new Map(Object.entries(header).map(([name, tensor]) => [name, read(file, start, name, tensor)]));
  } catch (error) {
    throw new Error(`These weights cannot be read: ${error instanceof Error ? error.message : error}.`);
  }
}

/** @param {ArrayBuffer} file
 * @param {number} start of the numbers
 * @param {string} name
 * @param {{dtype: string, shape: number[], data_offsets: [number, number]}} tensor as in the header */
function read(file, start, name, { dtype, shape, data_offsets: [from, to] }) {
  if (!(dtype in DECODED)) throw new Error(`${name} is stored as ${dtype}`);
  if (start + to > file.byteLength) throw new Error("the file ends too early");
  const data = DECODED[dtype](file.slice(start + from, start + to)); // a copy starts where views of any type may start
  if (data.length !== shape.reduce((a, b) => a * b, 1)) throw new Error(`${name} has another shape than is stated`);
  return { shape, data };
}
