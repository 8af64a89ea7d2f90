// Ten seeds and the learning-rate sweep: a button, its progress, a small chart.

import { percent, quantileMiddle, seedsChart, seedsStrip, sweepChart } from "./curves.js";

const $ = (id) => document.getElementById(id);
const NAMES = {
  ten_seeds: { button: "ten-seeds", text: "seeds-text", chart: "seeds-chart", word: "Ten seeds" },
  sweep: { button: "sweep", text: "sweep-text", chart: "sweep-chart", word: "Learning-rate sweep" },
};

export class Experiments {
  /** `send` takes a message, `wanted()` is the state on the page, `classes()` their number;
   * `on` has `started(what)`, and `tell(text, isBusy)` for the progress. */
  constructor(send, wanted, classes, on) {
    Object.assign(this, { send, wanted, classes, on });
    this.running = null;
    this.id = 0; // of what was started last
    this.words = Object.fromEntries(Object.values(NAMES).map(({ text }) => [text, $(text).textContent]));
    for (const [what, { button }] of Object.entries(NAMES)) {
      $(button).addEventListener("click", () => (this.running === what ? this.cancel() : this.start(what)));
    }
    new ResizeObserver(() => this.draw()).observe($("experiments"));
  }

  start(what, steps) {
    if (this.running) this.cancel();
    this.running = what;
    this.isHeardOf = false;
    this.on.started(what);
    this.send({ do: what, id: ++this.id, ...(steps && { steps }) });
    $(NAMES[what].button).textContent = "Cancel";
    this.say(what, "training…");
  }

  /** Take results away that another state than this one gave, or another ticket. */
  forget(state, isTicket) {
    const now = isTicket ? "a ticket" : JSON.stringify(state);
    if (this.of !== undefined && (isTicket || this.of !== now)) {
      this.seedsShown = this.sweepShown = null;
      for (const id of ["seeds-chart", "seeds-strip", "sweep-chart"]) $(id).hidden = true;
      for (const { text } of Object.values(NAMES)) if (this.running === null) $(text).textContent = this.words[text];
    }
    this.of = now;
  }

  /** The server gives up what runs when it trains or begins anew. */
  drop() {
    if (this.running) this.cancel();
  }

  say(what, text) {
    $(NAMES[what].text).textContent = text;
    this.on.tell(text, true);
  }

  cancel() {
    this.send({ do: "cancel" });
    this.say(this.running, "Cancelled.");
    this.ended(this.running);
  }

  /** The server has given up what ran, by itself or because it was cancelled before. */
  givenUp(message) {
    if (!this.awaits(message)) return;
    this.say(this.running, "Cancelled.");
    this.ended(this.running);
  }

  ended(what) {
    $(NAMES[what].button).textContent = NAMES[what].word;
    if (this.running === what) this.running = null;
  }

  /** Whether a message is about what runs, not about something that was cancelled before it. */
  awaits({ say, of = say, id }) {
    return of === this.running && (id ?? this.id) === this.id;
  }

  /** An error: of what runs, or of a message that was left out, which may be the one that starts it. */
  failed({ sentence, of, id }) {
    if (!this.running || !(of ? this.awaits({ of, id }) : !this.isHeardOf)) return;
    this.say(this.running, sentence);
    this.ended(this.running);
  }

  progress({ of, id, done, steps }) {
    if (!this.awaits({ of, id })) return;
    this.isHeardOf = true;
    this.say(of, `training: ${done.toLocaleString("en")} of ${steps.toLocaleString("en")} steps`);
  }

  /** Results, see `ensembles.py`; what came out in a sentence. */
  seeds(message) {
    this.ended("ten_seeds");
    this.seedsShown = message;
    const known = message.accuracies.test.filter((value) => value !== null);
    const solved = known.filter((value) => value >= 0.95).length;
    const sentence =
      `${message.steps.toLocaleString("en")} steps, test points: median ${percent(quantileMiddle(known), 1)}, from ` +
      `${percent(Math.min(...known), 1)} to ${percent(Math.max(...known), 1)}; ${solved} of ${message.seeds.length} reach 95 %.` +
      `${message.diverged.some(Boolean) ? ` ${message.diverged.filter(Boolean).length} diverged.` : ""}` +
      (message.ticket ? " Each keeps the weights at the ticket's places, with the initial values of its own seed; the first is the ticket." : "");
    $("seeds-text").textContent = sentence;
    this.draw();
    return sentence;
  }

  sweep(message) {
    this.ended("sweep");
    this.sweepShown = message;
    const sentence = `${message.steps.toLocaleString("en")} steps, one seed. ${capital(message.sentence)}.`;
    $("sweep-text").textContent = `${sentence} Dotted: your rate. A cross: diverged.`;
    this.draw();
    return sentence;
  }

  draw() {
    const word = (value, gone) => (gone || value === null ? "diverged" : percent(value));
    if (this.seedsShown) {
      const { seeds, accuracies, diverged, curves, arrays } = { ...this.seedsShown, curves: this.seedsShown.arrays.curves };
      $("seeds-chart").hidden = $("seeds-strip").hidden = false;
      seedsChart($("seeds-chart"), curves, seeds.length, diverged);
      seedsStrip($("seeds-strip"), arrays.predictions, this.classes());
      $("seeds-chart").setAttribute("aria-label", `Test accuracy of each seed: ${accuracies.test.map((value, i) => `${seeds[i]}: ${word(value, diverged[i])}`).join(", ")}`);
    }
    if (this.sweepShown) {
      const { rates, accuracies, diverged } = this.sweepShown;
      const shown = accuracies.test.map((value, i) => (diverged[i] ? null : value));
      $("sweep-chart").hidden = false;
      sweepChart($("sweep-chart"), rates, shown, this.wanted().training.learning_rate);
      $("sweep-chart").setAttribute("aria-label", `Test accuracy by learning rate: ${rates.map((rate, i) => `${rate}: ${word(shown[i])}`).join(", ")}`);
    }
  }
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
