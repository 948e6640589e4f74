/** Painting once a frame, however many events ask for it. */

/**
 * Returns a function that runs `paint` before the next frame, once for all calls until then.
 *
 * @param {() => void} paint
 * @param {AbortSignal} signal Ends it.
 */
export function onceAFrame(paint, signal) {
  let isDue = false;
  return () => {
    if (isDue || signal.aborted) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      if (!signal.aborted) paint();
    });
  };
}

/** Calls `does` on any of some events of a session. */
export function on(session, types, does, signal) {
  for (const type of types.split(" ")) session.addEventListener(type, does, { signal });
}
