// Backprop mode: one sample forward and backward through the drawn network, step by step.

import { element } from "./controls.js";
import { short } from "./network.js";

const MS_PER_STEP = 1400;
const MOST_TERMS = 6;
const number = (value) => {
  if (!Number.isFinite(value)) return "–";
  return (value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)))).replaceAll("-", "−");
};
export { number };

export class Backprop {
  /** `on` has `ask(sample)`, `name(layer, neuron)` and `className(label)`. */
  constructor(panel, network, on) {
    Object.assign(this, { panel, network, on });
    this.active = false;
    this.sample = 0;
    this.at = 0;
  }

  use(active) {
    this.active = active;
    this.panel.hidden = !active;
    this.stop();
    if (active) {
      this.build();
      this.at = 0;
      this.on.ask(this.sample);
    } else {
      this.network.overlay = null;
      this.network.draw();
    }
  }

  /** Another network has begun: the numbers are not its own. */
  anew() {
    this.numbers = this.steps = this.network.overlay = null;
  }

  /** Another picture is drawn: ask for its numbers. There are so many training samples. */
  again(samples) {
    this.sample = Math.min(this.sample, samples - 1);
    if (this.active) this.on.ask(this.sample);
  }

  build() {
    this.slider = element("input", { type: "range", min: 0, max: 1, value: 0, id: "backprop-slider", "aria-label": "Step of backprop" });
    this.slider.addEventListener("input", () => {
      this.stop();
      this.go(Number(this.slider.value));
    });
    this.player = element("button", { type: "button", id: "backprop-play", textContent: "▶ Play" });
    this.player.addEventListener("click", () => (this.timer ? this.stop() : this.play()));
    const move = (by, text, label) => {
      const button = element("button", { type: "button", textContent: text, "aria-label": label });
      button.addEventListener("click", () => {
        this.stop();
        this.go(this.at + by);
      });
      return button;
    };
    this.number = element("input", { type: "number", id: "backprop-sample", min: 0, step: 1, value: this.sample });
    this.number.addEventListener("change", () => this.choose(Number(this.number.value)));
    this.text = element("div", { id: "backprop-text", "aria-live": "polite" });
    this.panel.replaceChildren(
      element("div", { className: "row" },
        element("label", { htmlFor: "backprop-sample", textContent: "training sample" }), this.number,
        element("span", { className: "hint", textContent: "or click a point in the picture" })),
      element("div", { className: "row" }, this.player, move(-1, "◀", "One step back"), this.slider, move(1, "▶", "One step on")),
      this.text);
  }

  choose(sample) {
    this.sample = Math.max(0, Math.floor(sample) || 0);
    this.number.value = this.sample;
    this.on.ask(this.sample);
  }

  /** The server's numbers of one sample: see `backprop.py`. */
  take(message) {
    if (!this.active || message.sample !== this.sample) return; // another one was chosen meanwhile
    this.numbers = message;
    if (document.activeElement !== this.number) this.number.value = message.sample;
    const n = message.layers.length;
    this.steps = [{ kind: "input" }, ...message.layers.map((_, l) => ({ kind: "forward", layer: l + 1 })),
      { kind: "loss" }, ...message.layers.map((_, i) => ({ kind: "backward", layer: n - i }))];
    this.slider.max = this.steps.length - 1;
    this.go(Math.min(this.at, this.steps.length - 1));
  }

  play() {
    if (!this.steps) return;
    if (this.at >= this.steps.length - 1) this.go(0);
    this.player.textContent = "⏸ Pause";
    this.timer = setInterval(() => {
      if (this.at >= this.steps?.length - 1) return this.stop();
      this.go(this.at + 1);
    }, MS_PER_STEP);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    if (this.player) this.player.textContent = "▶ Play";
  }

  go(at) {
    if (!this.steps) return;
    this.at = Math.max(0, Math.min(this.steps.length - 1, at));
    this.slider.value = this.at;
    const step = this.steps[this.at];
    this.network.overlay = this.overlay(step);
    this.network.draw();
    this.describe(step);
    this.slider.setAttribute("aria-valuetext", this.title(step));
  }

  title(step) {
    const total = `${this.at + 1} of ${this.steps.length}: `;
    if (step.kind === "input") return `${total}the inputs of sample ${this.sample}`;
    if (step.kind === "loss") return `${total}the loss and its derivative`;
    const name = step.layer === this.numbers.layers.length ? "the output" : `hidden layer ${step.layer}`;
    return `${total}${step.kind} through ${name}`;
  }

  /** Numbers of the nodes that have been computed, and of the edges that this step goes through. */
  overlay(step) {
    const { layers } = this.numbers, nodes = [], edges = [], count = layers.length;
    if (step.kind === "input" || step.kind === "forward") {
      nodes[0] = layers[0].inputs;
      for (let l = 1; l <= (step.layer ?? 0); l++) nodes[l] = layers[l - 1].outputs;
      if (step.kind === "forward") edges[step.layer] = layers[step.layer - 1].contributions.flat();
    } else {
      nodes[count] = layers[count - 1].output_gradients;
      for (let l = count; l >= (step.layer ?? count + 1); l--) nodes[l - 1] = layers[l - 1].input_gradients;
      if (step.kind === "backward") edges[step.layer] = layers[step.layer - 1].sent_back.flat();
    }
    const at = { input: 0, forward: step.layer, loss: count, backward: step.layer - 1 }[step.kind];
    return { nodes, edges, active: (layer) => layer === at };
  }

  describe(step) {
    const { layers, loss, sample } = this.numbers, parts = [element("b", { textContent: this.title(step) })];
    const list = (values) => `${values.slice(0, 12).map(number).join(", ")}${values.length > 12 ? ", …" : ""}`;
    if (step.kind === "input") {
      parts.push(element("p", { textContent: `x = (${list(layers[0].inputs)}); it belongs to ${this.on.className(loss.label)}.` }));
    } else if (step.kind === "loss") {
      const scores = loss.scores.length === 1 ? `P(${this.on.className(1)}) = ${number(loss.scores[0])}` : `probabilities (${list(loss.scores)})`;
      parts.push(element("p", { textContent: `${scores}; ${loss.name.replaceAll("_", " ")} L = ${number(loss.value)}.` }),
        element("p", { textContent: `dL/d(output) = (${list(layers.at(-1).output_gradients)}): here the way back begins.` }));
    } else parts.push(this.table(step));
    this.text.replaceChildren(...parts);
    this.text.dataset.sample = sample;
  }

  table(step) {
    const layer = this.numbers.layers[step.layer - 1], head = element("tr"), body = element("tbody");
    const forward = step.kind === "forward";
    const after = layer.after.map(({ name }) => name.replace(/\(.*/, "")).join(", ");
    const of = forward ? step.layer : step.layer - 1;
    const name = (i) => this.on.name(of, i).replace(/^hidden layer \d+, neuron |^input /, "");
    const heads = forward
      ? ["neuron", "Σ weight × input + bias", "sum z", `${after || "output"}${layer.shortcut === null ? "" : ", shortcut"}`]
      : [of ? "neuron" : "input", `Σ weight × dL/dz${layer.shortcut === null ? "" : ", and the shortcut"}`, of ? "dL/d(neuron)" : "dL/d(input)"];
    head.append(...heads.map((text) => element("th", { textContent: text, scope: "col" })));
    const sum = (terms, bias) => {
      const shown = terms.slice(0, MOST_TERMS).map(short).join(" + ");
      const rest = terms.length > MOST_TERMS ? ` + ${terms.length - MOST_TERMS} more` : "";
      return `${shown}${rest}${bias === undefined ? "" : ` + ${short(bias)}`}`.replaceAll("+ −", "− ");
    };
    if (forward) {
      layer.sums.forEach((z, j) => body.append(this.row([name(j), sum(layer.contributions.map((row) => row[j]), layer.bias[j]),
        number(z), number(layer.outputs[j])])));
    } else {
      layer.sent_back.forEach((terms, i) =>
        body.append(this.row([name(i), sum(terms), number(layer.input_gradients[i])])));
    }
    const table = element("table", {}, element("thead", {}, head), body);
    return element("div", { className: "sums", tabIndex: 0, role: "region", "aria-label": "Sums of this step" }, table);
  }

  row(cells) {
    return element("tr", {}, ...cells.map((text) => element("td", { textContent: text })));
  }
}
