// What a neuron or an edge says of itself: formula, value, gradient, and where it is computed.

import { number } from "./backprop.js";

const MS_BETWEEN = 150;
const withMinus = (text) => text.replace(/(?<== )- (?=\d)/g, "−").replace(/(?<![\w.])-(?=\s?[\d.])/g, "−").replace(/(?<=\de)-0?(?=\d)/g, "−");

export class Hover {
  /** `send` takes a message, `sample()` is the training sample whose numbers are shown. */
  constructor(detail, network, send, sample) {
    Object.assign(this, { detail, network, send, sample });
    this.asked = 0;
    this.hint = [...detail.childNodes];
  }

  /** Another network has begun: what the last one's neuron said holds no more. */
  anew() {
    clearTimeout(this.timer);
    if (this.network.focus) this.ask(this.network.focus);
    else this.detail.replaceChildren(...this.hint);
  }

  ask(what) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.asked = performance.now();
      const node = "neuron" in what
        ? { layer: what.layer, neuron: what.neuron }
        : { layer: what.layer, neuron: what.to, from: what.from };
      this.send({ do: "hover", ...node, sample: this.sample() });
    }, Math.max(0, MS_BETWEEN - (performance.now() - this.asked)));
  }

  show(message) {
    const edge = message.from !== undefined;
    const { layer, neuron } = message, { focus } = this.network;
    const same = (focus) => focus.layer === layer && (focus.neuron ?? focus.to) === neuron && focus.from === message.from;
    if (focus && !same(focus)) return; // moved on
    const name = this.network.name(layer, neuron), title = document.createElement("h3");
    title.textContent = edge ? `edge from ${this.network.name(layer - 1, message.from)} to ${name}` : name;
    const rows = [
      ["formula", withMinus(message.formula)],
      [edge ? "weight" : "value", number(message.value)],
      ["gradient", `dL/d(${edge ? "weight" : "value"}) = ${number(message.gradient)}`],
      ["derivative", withMinus(message.derivative)],
      ["source", message.places.map(({ what, file, line }) => `${file}:${line} (${what})`).join(", ")],
      ["for", `training sample ${message.sample}`],
    ];
    const list = document.createElement("dl");
    for (const [term, text] of rows) {
      const dt = document.createElement("dt"), dd = document.createElement("dd");
      dt.textContent = term;
      dd.textContent = text;
      list.append(dt, dd);
    }
    this.detail.replaceChildren(title, list);
  }
}
