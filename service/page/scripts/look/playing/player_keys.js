/** Keys of the player. */

import { bind } from "../../parts/keys.js";
import { askForTime } from "./go_to.js";

/**
 * @param {import("../player.js").Player} player
 * @returns {() => void} ends them
 */
export function bindPlayerKeys(player) {
  const { session } = player;
  const plays = () => player.isPlayable;
  const isSelected = () => session.selected !== null;
  const play = (key, text, does, when, show) => ({ key, text, does, when, show, group: "Play" });
  const move = (key, text, does, when, show) => ({ key, text, does, when, show, group: "Move" });
  const by = (seconds) => () => session.seek(session.timeS + seconds);
  return bind(
    play("Space", "Play, pause", () => player.toggle(), plays),
    play("Enter", "Play the segment, stop at its end",
      () => session.playSegment(session.selectedId), isSelected, ["Enter", "Click"]),
    play("R", "Loop the segment", () => player.toggleLoop()),
    play("-", "Slower, faster (0.1 to 16)", () => session.changeSpeed(-1)),
    play("=", "Slower, faster (0.1 to 16)", () => session.changeSpeed(1)),
    play("+", "Slower, faster (0.1 to 16)", () => session.changeSpeed(1), undefined, []),
    play("0", "Normal speed", () => session.setSpeed(1)),
    play("Shift+M", "Sound on, off", () => player.toggleSound(), () => player.hasSound),
    play("F", "Full screen", () => player.toggleFull(), () => document.fullscreenEnabled),
    move("ArrowLeft", "One second", by(-1)),
    move("ArrowRight", "One second", by(1)),
    move("Shift+ArrowLeft", "Ten seconds", by(-10), undefined, ["Shift", "←", "→"]),
    move("Shift+ArrowRight", "Ten seconds", by(10), undefined, []),
    move(",", "One frame", () => player.step(-1)),
    move(".", "One frame", () => player.step(1)),
    move("Home", "Start, end of the video", () => session.seek(0)),
    move("End", "Start, end of the video", () => session.seek(session.durationS)),
    move("G", "Go to a time", () => askForTime(session)),
  );
}
