/** Arrays of float32 from .npy files. */

/**
 * Returns the shape and values of an .npy file of little-endian float32 in row-major order.
 *
 * @param {ArrayBuffer} content
 * @returns {{shape: number[], values: Float32Array}}
 */
export function readNpy(content) {
  const view = new DataView(content);
  const isLong = view.getUint8(6) >= 2;
  const start = isLong ? 12 : 10;
  const length = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder("latin1").decode(new Uint8Array(content, start, length));
  if (!header.includes("'<f4'") || header.includes("'fortran_order': True")) {
    throw new Error(`expected an .npy file of float32 in row-major order, not ${header.trim()}`);
  }
  const shape = header.match(/'shape': \(([^)]*)\)/)[1].split(",").filter((part) => part.trim());
  const values = new Float32Array(content.slice(start + length));
  return { shape: shape.map(Number), values };
}
