/** Dragging with a pointer, on every kind of screen. */

/**
 * @param {HTMLElement} element
 * @param {{start?: (event: PointerEvent) => unknown, move: (event: PointerEvent) => void,
 *   end?: (event: PointerEvent) => void}} acts `start` returns false to refuse
 */
export function onDrag(element, { start, move, end }) {
  let pointer = null;
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pointer !== null || start?.(event) === false) return;
    pointer = event.pointerId;
    element.setPointerCapture(pointer);
  });
  element.addEventListener("pointermove", (event) => {
    if (event.pointerId === pointer) move(event);
  });
  const finish = (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    end?.(event);
  };
  element.addEventListener("pointerup", finish);
  element.addEventListener("pointercancel", finish);
}
