// Learning: the middle column - what is learnt, the score, the curve, and the eyes to choose from.

const AUTO = "thaw learns by itself";
const EYE = "thaw eye";
const REPLAY_MS = 10000;

class Learning {
  // `acts` tells the server what to do and asks it again soon; `auto` is "on" where nothing is said here yet; `more` are
  // the eyes that have no card.
  constructor(column, auto, more, acts) {
    this.find = (name) => column.querySelector(name);
    this.acts = acts;
    const box = this.find(".auto");
    box.checked = (localStorage.getItem(AUTO) ?? auto) === "on";
    box.onchange = () => {
      localStorage.setItem(AUTO, box.checked ? "on" : "off");
      acts.soon();
    };
    this.find(".teach").onclick = () => acts.teach();
    this.find(".cancel").onclick = () => acts.stop(this.told.job);
    this.find(".measure").onclick = () => acts.measure();
    this.find(".onward").onclick = () => acts.onward();
    const others = more.map((eye) => new Option(`${eye.title}${eye.here ? "" : ", to be downloaded"}`, eye.name));
    this.find(".more-eyes").replaceChildren(new Option("More eyes…", ""), ...others);
    this.find(".more-eyes").onchange = ({ target }) => this.choose(target.value);
    this.find(".replay").onclick = () => (this.replaying ? this.endReplay() : this.replay());
  }

  get eye() {
    return localStorage.getItem(EYE) ?? "";
  }

  get bySelf() {
    return this.find(".auto").checked;
  }

  say(words) {
    this.find(".state").textContent = words;
  }

  // `photos` are the addresses of what passes by while it is looked at.
  draw(told, photos) {
    this.told = told;
    const learns = told.stage === "learning";
    const shares = told.epochs ?? [];
    if (learns) this.endReplay();
    this.find(".replay").hidden = learns || !told.exam || shares.length < 2;
    if (this.replaying) return;
    this.drawExam(told.exam);
    this.say(tell(told));
    this.drawFar(learns, told);
    this.find(".onward").hidden = told.stage !== "taught";
    this.drawPassing(learns && told.looking, told, photos);
    const curve = JSON.stringify(shares);
    // The old curve stays until there is something new to see.
    if (curve !== this.curve && (shares.length || !learns)) {
      this.curve = curve;
      drawCurve(this.find(".curve"), shares);
    }
    this.find(".cancel").hidden = !learns || told.stopping;
    const waits = told.stage === "ready" && !this.bySelf;
    this.find(".teach").hidden = !waits && !["stopped", "failed"].includes(told.stage);
    const unfair = told.unfair ?? [];
    this.find(".note").hidden = !told.exam || !unfair.length;
    this.find(".note").textContent =
      `A fair exam needs a second recording of ${unfair.join(", ")}: now it is asked about the recording that it learns from.`;
    if (told.stage === "taught" && told.exam && this.spoken !== told.run) {
      this.spoken = told.run;
      this.acts.speak(`${told.exam.right} of ${told.exam.total} exam photos right.`);
    }
  }

  drawExam(exam) {
    this.find(".score").hidden = !exam;
    if (exam) this.find(".exam").textContent = `${exam.right} of ${exam.total}`;
  }

  // Shows once more how the score grew, slowly enough for a room.
  async replay() {
    const { epochs, exam } = this.told;
    const turn = (this.replaying = {});
    this.find(".replay").textContent = "Stop";
    for (let number = 1; number <= epochs.length; number++) {
      drawCurve(this.find(".curve"), epochs.slice(0, number), epochs.length);
      this.drawExam({ right: Math.round(epochs[number - 1] * exam.total), total: exam.total });
      this.say(`Round ${number} of ${epochs.length}`);
      await pause(REPLAY_MS / epochs.length);
      if (this.replaying !== turn) return;
    }
    this.endReplay();
  }

  endReplay() {
    if (!this.replaying) return;
    this.replaying = null;
    this.curve = null;
    this.find(".replay").textContent = "Watch it learn again";
  }

  drawFar(learns, { done, total }) {
    const track = this.find(".stage-box .track");
    track.hidden = !learns || !total;
    if (track.hidden) return;
    const far = Math.round((100 * done) / total);
    this.find(".stage-box .bar").style.width = `${far}%`;
    track.setAttribute("aria-valuenow", String(far));
  }

  drawPassing(looking, { done, total }, photos) {
    const passing = this.find(".passing");
    passing.hidden = !looking || !photos?.length;
    if (passing.hidden) return;
    const place = total ? Math.floor((photos.length * done) / total) : 0;
    passing.setAttribute("src", photos[Math.min(place, photos.length - 1)]);
  }

  drawEyes(eyes, measuring) {
    const drawn = JSON.stringify([eyes, measuring]);
    if (drawn === this.eyes) return;
    this.eyes = drawn;
    this.find(".cards").replaceChildren(...eyes.map((eye) => this.makeCard(eye)));
    this.find(".measure").disabled = measuring;
    this.find(".measure").textContent = measuring ? "Measuring…" : "Measure how quick they are here";
  }

  makeCard(eye) {
    const card = element("button");
    card.setAttribute("role", "radio");
    card.setAttribute("aria-checked", String(eye.chosen));
    const facts = `${eye.backbone}: ${eye.right}${eye.here ? "" : ", to be downloaded"}`;
    card.append(element("b", "", eye.title), element("span", "", eye.speed || "speed not measured yet"));
    card.append(element("br"), element("small", "", facts));
    card.onclick = () => this.choose(eye.name);
    return card;
  }

  choose(eye) {
    if (!eye) return;
    localStorage.setItem(EYE, eye);
    this.find(".more-eyes").value = "";
    this.acts.soon();
  }
}

// On a phone the columns lie below one another.
function stacked() {
  return window.matchMedia("(max-width: 900px)").matches;
}

function tell(told) {
  const words = {
    empty: "It learns by itself as soon as there are two kinds of photos.",
    refused: told.refusal,
    failed: told.error,
    stopped: "Stopped. Press “Learn now” to begin again.",
    taught: told.adapted ? "Learnt, and the eye has adapted." : `Learnt. Try it ${stacked() ? "below" : "on the right"}.`,
    ready: told.to_look ? `Looking ahead: ${told.looked} of ${told.to_look} photos…` : "Ready to learn.",
  };
  if (told.stage !== "learning") return words[told.stage];
  const far = told.total ? ` ${told.done.toLocaleString()} of ${told.total.toLocaleString()}` : "";
  return `${told.words}${far}${told.left ? `, ${told.left} left` : ""}…`;
}
