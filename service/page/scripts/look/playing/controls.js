/** The controls under the picture. */

import { button, el, fill } from "../../parts/elements.js";
import { clock } from "../../parts/format.js";
import { icon } from "../../parts/icons.js";
import { titled } from "../../parts/keys.js";
import { SPEEDS } from "../../result/playhead.js";
import { STEPS_S } from "./stills.js";

const KEYS = {
  "Previous segment": "P", "One frame back": ",", Play: "Space", Pause: "Space", "One frame on": ".",
  "Next segment": "N", "Loop this segment": "R", Sound: "Shift+M", "Full screen": "F",
  "One still back": ",", "One still on": ".",
};

export class Controls {
  /**
   * @param {import("../../result/session.js").Session} session
   * @param {import("../player.js").Player} player what the buttons do beyond the session
   */
  constructor(session, player) {
    Object.assign(this, { session, player });
    const only = (text, name, does) =>
      button(text, does, { icon: name, only: true, class: "plain",
        title: titled(text, KEYS[text]), dataset: { icon: name } });
    this.back = only("One frame back", "back", () => player.step(-1));
    this.on = only("One frame on", "forward", () => player.step(1));
    this.play = only("Play", "play", () => player.toggle());
    this.play.className = "button primary only play";
    this.loop = only("Loop this segment", "loop", () => player.toggleLoop());
    this.sound = only("Sound", "sound", () => player.toggleSound());
    this.full = only("Full screen", "expand", () => player.toggleFull());
    this.full.disabled = !document.fullscreenEnabled;
    if (this.full.disabled) this.full.title = "This browser shows no full screen";
    this.speed = this.#choice("Speed", SPEEDS, (one) => `${one}×`, (one) => session.setSpeed(one));
    this.every = this.#choice("A still every", STEPS_S, (one) => `${one} s`, (one) => player.setStep(one));
    this.time = el("span", { class: "time", title: titled("Go to a time", "G") });
    this.note = el("span", { class: "quiet note ends" });
    this.node = el("div", { class: "controls", role: "group", ariaLabel: "Controls" },
      only("Previous segment", "previous", () => session.nextSegment(-1)),
      this.back, this.play, this.on,
      only("Next segment", "next", () => session.nextSegment(1)),
      this.time, el("span", { class: "quiet duration" }, `/ ${clock(session.durationS)}`), this.note,
      this.loop, this.speed, el("span", { class: "quiet every" }, "A still every"), this.every,
      this.sound, this.full);
  }

  #choice(name, values, text, does) {
    const options = values.map((value) => el("option", { value: String(value) }, text(value)));
    const list = el("select", { ariaLabel: name, title: name,
      onchange: () => does(Number(list.value)) }, options);
    const box = el("span", { class: `choice ${name === "Speed" ? "speed" : "every"}` },
      list, icon("chevron"));
    box.list = list;
    return box;
  }

  /** Shows the time on screen; called for each frame. */
  showTime() {
    const { timeS, correcting, stepKind } = this.session;
    const text = clock(timeS, { milliseconds: correcting && stepKind === "frame" });
    if (this.time.textContent !== text) this.time.textContent = text;
  }

  /** Shows how the video plays. */
  update() {
    const { session, player } = this;
    const text = session.playing ? "Pause" : "Play";
    rename(this.play, text, session.playing ? "pause" : "play");
    this.play.disabled = !player.isPlayable;
    this.play.title = player.isPlayable ? titled(text, "Space") : player.reason;
    this.#updateMedia();
    this.loop.setAttribute("aria-pressed", String(session.looping));
    this.loop.disabled = session.selected === null && !session.looping;
    this.loop.title = this.loop.disabled ? "Select a segment to loop it"
      : titled("Loop this segment", "R");
    if (![...this.speed.list.options].some(({ value }) => Number(value) === session.speed)) return;
    this.speed.list.value = String(session.speed);
  }

  #updateMedia() {
    const { player } = this;
    const unit = player.showsStills ? "still" : "frame";
    rename(this.back, `One ${unit} back`, "back");
    rename(this.on, `One ${unit} on`, "forward");
    for (const one of [this.loop, this.speed, this.sound, this.full]) one.hidden = player.showsStills;
    this.node.classList.toggle("with-stills", player.showsStills);
    this.every.list.value = String(player.stepS);
    for (const one of [this.back, this.on]) one.disabled = !player.isPlayable && !player.showsStills;
    this.sound.disabled = !player.hasSound;
    rename(this.sound, "Sound", player.isMuted || !player.hasSound ? "mute" : "sound");
    this.sound.setAttribute("aria-pressed", String(!player.isMuted && player.hasSound));
    if (!player.hasSound) this.sound.title = "This video has no sound";
  }

  /** Shows what playing will do next. */
  showNote() {
    const { playing, playUntilS, looping, selected, timeS } = this.session;
    const until = playing && playUntilS !== null;
    const isAtStart = selected && Math.abs(selected.startS - timeS) < 0.0005;
    const text = this.player.showsStills ? ""
      : until && looping ? "Loops the segment"
        : until ? `Stops at the end of the segment, ${clock(playUntilS)}`
          : !playing && isAtStart ? "At the start of the selected segment" : "";
    if (this.note.textContent !== text) this.note.textContent = text;
    this.note.title = text;
  }
}

function rename(node, text, name) {
  if (node.getAttribute("aria-label") === text && node.dataset.icon === name) return;
  node.dataset.icon = name;
  node.setAttribute("aria-label", text);
  node.title = titled(text, KEYS[text]);
  fill(node, icon(name));
}
