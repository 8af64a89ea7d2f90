// Ten seeds and the learning-rate sweep: a button, its progress, a small chart.

import { percent, quantileMiddle, seedsChart, sweepChart } from "./curves.js";

const $ = (id) => document.getElementById(id);
const NAMES = {
  ten_seeds: { button: "ten-seeds", text: "seeds-text", chart: "seeds-chart", word: "Ten seeds" },
  sweep: { button: "sweep", text: "sweep-text", chart: "sweep-chart", word: "Learning-rate sweep" },
};

export class Experiments {
  /** `send` takes a message, `wanted()` is the state on the page. */
  constructor(send, wanted) {
    Object.assign(this, { send, wanted });
    this.running = null;
    for (const [what, { button }] of Object.entries(NAMES)) {
      $(button).addEventListener("click", () => (this.running === what ? this.cancel() : this.start(what)));
    }
    new ResizeObserver(() => this.draw()).observe($("experiments"));
  }

  start(what, steps) {
    if (this.running) this.cancel();
    this.running = what;
    this.send(steps ? { do: what, steps } : { do: what });
    $(NAMES[what].button).textContent = "Cancel";
    $(NAMES[what].text).textContent = "training…";
  }

  cancel() {
    this.send({ do: "cancel" });
    $(NAMES[this.running].text).textContent = "Cancelled.";
    this.ended(this.running);
  }

  ended(what) {
    $(NAMES[what].button).textContent = NAMES[what].word;
    if (this.running === what) this.running = null;
  }

  failed(sentence) {
    if (!this.running) return;
    $(NAMES[this.running].text).textContent = sentence;
    this.ended(this.running);
  }

  progress({ of, done, steps }) {
    $(NAMES[of].text).textContent = `training: ${done.toLocaleString("en")} of ${steps.toLocaleString("en")} steps`;
  }

  seeds(message) {
    this.ended("ten_seeds");
    this.seedsShown = message;
    const known = message.accuracies.filter((value) => value !== null);
    const solved = known.filter((value) => value >= 0.95).length;
    $("seeds-text").textContent = known.length
      ? `${message.steps.toLocaleString("en")} steps, test accuracy: median ${percent(quantileMiddle(known), 1)}, from ` +
        `${percent(Math.min(...known), 1)} to ${percent(Math.max(...known), 1)}; ${solved} of ${message.accuracies.length} reach 95 %.`
      : "All ten diverged.";
    this.draw();
  }

  sweep(message) {
    this.ended("sweep");
    this.sweepShown = message;
    const { rates, accuracies } = message;
    let best = -1;
    accuracies.forEach((value, i) => {
      if (value !== null && (best < 0 || value > accuracies[best])) best = i;
    });
    $("sweep-text").textContent = best < 0
      ? "Every rate diverged."
      : `${message.steps.toLocaleString("en")} steps, one seed: best at ${Number(rates[best].toPrecision(3))}, ` +
        `${percent(accuracies[best], 1)} of the test points. Dotted: your rate. A cross: diverged.`;
    this.draw();
  }

  draw() {
    if (this.seedsShown) {
      $("seeds-chart").hidden = false;
      seedsChart($("seeds-chart"), this.seedsShown.accuracies);
      $("seeds-chart").setAttribute("aria-label", `Test accuracy of each seed: ${this.seedsShown.accuracies.map((value) => (value === null ? "diverged" : percent(value))).join(", ")}`);
    }
    if (this.sweepShown) {
      const { rates, accuracies } = this.sweepShown;
      $("sweep-chart").hidden = false;
      sweepChart($("sweep-chart"), rates, accuracies, this.wanted().training.learning_rate);
      $("sweep-chart").setAttribute("aria-label", `Test accuracy by learning rate: ${rates.map((rate, i) => `${Number(rate.toPrecision(3))}: ${accuracies[i] === null ? "diverged" : percent(accuracies[i])}`).join(", ")}`);
    }
  }
}
