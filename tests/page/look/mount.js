/**
 * Shows player and time line of a session in place of the view.
 *
 * @param {object} facts
 * @param {[string, number, number, number][]} facts.segments label, start, end, score
 * @param {string[]} [facts.labels] classes of the model
 * @param {number} [facts.snippets] length of the activation; 0 for none
 */
async ({ segments, labels = ["jump", "run", "rest"], durationS = 20, snippets = 40, frameRate = 25,
  job = null, videoUrl = null, canPlay = false, height = 380 }) => {
  const [{ Session }, { mountPlayer }, { mountTimeline }, { el }] = await Promise.all(
    ["result/session.js", "look/player.js", "look/timeline.js", "parts/elements.js"]
      .map((name) => import(`/page/scripts/${name}`)));
  const classes = labels.map((label, i) => ({ label, score: i < labels.length - 1 || i === 0 ? 0.9 : 0.1 }));
  const results = segments.map(([label, start_s, end_s, score]) => ({ label, start_s, end_s, score }));
  const session = new Session({ job, name: "clip.mp4", model: { name: "moves", version: 1 },
    durationS, frameRate, labels,
    result: { duration_s: durationS, snippets: snippets || 1, segments: results, classes },
    defaults: { classThreshold: 0.25, nmsIou: 0.6, minScore: null, maxSegments: null },
    videoUrl, canPlay });
  if (snippets) {
    const values = new Float32Array(snippets * labels.length);
    for (const [label, startS, endS, score] of segments) {
      for (let i = 0; i < snippets; i += 1) {
        const timeS = ((i + 0.5) * durationS) / snippets;
        const place = i * labels.length + labels.indexOf(label);
        if (timeS >= startS && timeS < endS) values[place] = Math.max(values[place], score);
      }
    }
    session.setActivation({ snippets, classes: labels.length, values,
      snippetS: durationS / snippets, firstS: durationS / snippets / 2 });
  }
  const still = () => {
    const canvas = el("canvas", { width: 64, height: 36 });
    canvas.getContext("2d").fillRect(0, 0, 64, 36);
    return canvas.toDataURL("image/jpeg");
  };
  const asked = [];
  const api = {
    ticket: async () => "a ticket",
    videoUrl: () => videoUrl,
    stillUrl: (id, ticket, timeS, tall) => {
      asked.push({ timeS, tall });
      return timeS > 19 ? "data:image/jpeg;base64,AAAA" : still();
    },
  };
  const heading = el("h1", { class: "unseen" }, "clip.mp4");
  const player = el("section", { class: "card" });
  const timeline = el("section", { class: "card" });
  const isPhone = innerWidth < 760;
  Object.assign(player.style, { width: "min(744px, 100%)", height: isPhone ? "auto" : "420px" });
  Object.assign(timeline.style, { height: isPhone ? "auto" : `${height}px` });
  document.getElementById("main").replaceChildren(heading, player, timeline);
  Object.assign(window, { session, asked, player: mountPlayer(player, session, api),
    timeline: mountTimeline(timeline, session) });
}
