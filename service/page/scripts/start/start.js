/** The start view. */

import { showHeader } from "../header.js";

/** Shows the start view. */
export async function showStart() {
  showHeader();
}
