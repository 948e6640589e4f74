/** Names that nothing else has. */

const ID_BYTES = 16;

/**
 * Returns a random name of 32 hexadecimal digits.
 *
 * `crypto.randomUUID` is absent where the page comes over http from another computer.
 */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
