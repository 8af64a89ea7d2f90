// Backprop mode: one sample forward and backward through the drawn network, step by step.

import { element } from "./controls.js";
import { short } from "./network.js";

const MS_PER_STEP = 1400;
const number = (value) => {
  if (!Number.isFinite(value)) return "–";
  return (value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)))).replace("-", "−");
};
export { number };

export class Backprop {
  /** `on` has `ask(sample)`, `redraw()` and `name(layer, neuron)`. */
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

  /** The server's numbers of one sample. */
  take(message) {
    if (!this.active) return;
    this.numbers = message;
    this.sample = message.sample;
    this.number.value = message.sample;
    const n = message.layers.length;
    // The input, each layer forward, the loss, each layer backward, the gradient of the input.
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
      if (this.at >= this.steps.length - 1) return this.stop();
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
    const { layers, x } = this.numbers, nodes = [], edges = [], count = layers.length;
    const forward = step.kind === "input" ? 0 : step.kind === "forward" ? step.layer : count;
    if (step.kind === "input" || step.kind === "forward") {
      nodes[0] = x;
      for (let l = 1; l <= forward; l++) nodes[l] = layers[l - 1].a;
      if (step.kind === "forward") edges[step.layer] = this.forward(step.layer).flat();
    } else {
      const from = step.kind === "loss" ? count + 1 : step.layer;
      if (step.kind === "loss") nodes[count] = layers[count - 1].gradient_z;
      for (let l = count; l >= from; l--) nodes[l] = layers[l - 1].gradient_z;
      if (step.kind === "backward") {
        nodes[step.layer - 1] = layers[step.layer - 1].gradient_inputs;
        edges[step.layer] = this.backward(step.layer).flat();
      }
    }
    const active = (layer) => layer === (step.kind === "backward" ? step.layer - 1 : forward);
    return { nodes, edges, active };
  }

  /** What each edge hands on: weight × input, rows are inputs. */
  forward(layer) {
    const { weights, inputs } = this.numbers.layers[layer - 1];
    return weights.map((row, i) => row.map((weight) => weight * inputs[i]));
  }

  /** What each edge hands back: weight × derivative of the sum it leads to. */
  backward(layer) {
    const { weights, gradient_z } = this.numbers.layers[layer - 1];
    return weights.map((row) => row.map((weight, j) => weight * gradient_z[j]));
  }

  describe(step) {
    const { numbers } = this, parts = [element("b", { textContent: this.title(step) })];
    if (step.kind === "input") {
      parts.push(element("p", { textContent: `x = (${numbers.x.slice(0, 12).map(number).join(", ")}${numbers.x.length > 12 ? ", …" : ""}), target ${numbers.target_name ?? numbers.target}` }));
    } else if (step.kind === "loss") {
      const last = numbers.layers.at(-1);
      parts.push(element("p", { textContent: `${numbers.loss_name ?? "loss"} = ${number(numbers.loss)}; dL/dz = (${last.gradient_z.map(number).join(", ")})` }));
    } else parts.push(this.table(step));
    this.text.replaceChildren(...parts);
  }

  table(step) {
    const layer = this.numbers.layers[step.layer - 1], head = element("tr"), body = element("tbody");
    const forward = step.kind === "forward";
    const heads = forward
      ? ["neuron", "Σ weight × input + bias", "z", layer.activation && layer.activation !== "none" ? layer.activation.replaceAll("_", " ") : "output"]
      : ["node", "Σ weight × dL/dz of the neurons it feeds", "dL/d value"];
    head.append(...heads.map((text) => element("th", { textContent: text, scope: "col" })));
    const most = 6;
    const sum = (terms, bias) => {
      const shown = terms.slice(0, most).map((term) => short(term)).join(" + ");
      return `${shown}${terms.length > most ? " + …" : ""}${bias === undefined ? "" : ` + (${short(bias)})`}`.replaceAll("+ −", "− ");
    };
    if (forward) {
      const contributions = this.forward(step.layer);
      layer.z.forEach((z, j) => {
        const terms = contributions.map((row) => row[j]);
        body.append(this.row([this.on.name(step.layer, j), sum(terms, layer.biases[j]), number(z), number(layer.a[j])]));
      });
    } else {
      this.backward(step.layer).forEach((terms, i) =>
        body.append(this.row([this.on.name(step.layer - 1, i), sum(terms), number(layer.gradient_inputs[i])])));
    }
    const table = element("table", {}, element("thead", {}, head), body);
    const place = layer.place ? element("p", { className: "hint", textContent: `computed in ${layer.place}` }) : "";
    return element("div", { className: "sums", tabIndex: 0, role: "region", "aria-label": "Sums of this step" }, table, place);
  }

  row(cells) {
    return element("tr", {}, ...cells.map((text) => element("td", { textContent: text })));
  }

  /** What an edge says in this step, for the detail below the drawing. */
  edge(layer, from, to) {
    const step = this.steps?.[this.at];
    const held = this.numbers?.layers[layer - 1];
    if (!step || !held) return null;
    return [
      ["weight", number(held.weights[from][to])],
      ["forward: weight × input", `${number(held.weights[from][to])} × ${number(held.inputs[from])} = ${number(held.weights[from][to] * held.inputs[from])}`],
      ["backward: weight × dL/dz", `${number(held.weights[from][to])} × ${number(held.gradient_z[to])} = ${number(held.weights[from][to] * held.gradient_z[to])}`],
      ["dL/dweight = input × dL/dz", number(held.inputs[from] * held.gradient_z[to])],
    ];
  }
}

