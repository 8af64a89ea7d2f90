// The drawn network: every neuron a small picture of what it computes, every edge as thick as its
// weight and coloured by its sign. Neurons are buttons, so that the keyboard reaches them.

import { palette, ramp } from "./colors.js";

const WIDTHS = 8; // edges are drawn in as many widths

export class Network {
  /** `on` has `hover(what)` and `leave()`: {layer, neuron} or {layer, from, to}; layer 0 is the input. */
  constructor(drawing, canvas, buttons, on) {
    Object.assign(this, { drawing, canvas, buttons, on });
    this.layers = [];
    this.inputs = [];
    this.atlas = document.createElement("canvas");
    this.edges = document.createElement("canvas"); // the edges alone, drawn anew layer by layer
    this.turn = 0;
    this.focus = null; // {layer, neuron} or {layer, from, to}
    this.overlay = null; // backprop's numbers instead of weights
    new ResizeObserver(() => this.layout()).observe(drawing);
    drawing.addEventListener("pointermove", (event) => this.point(event));
    drawing.addEventListener("pointerleave", () => this.choose(null));
    drawing.addEventListener("click", (event) => this.point(event));
    buttons.addEventListener("keydown", (event) => this.key(event));
  }

  /** The network's shape: neurons of each layer with the inputs first and the outputs last. */
  shape(layers, inputs, classes) {
    const same = JSON.stringify([layers, inputs]) === JSON.stringify([this.layers, this.inputs]);
    this.classes = classes;
    if (same) return;
    this.layers = layers;
    this.inputs = inputs;
    this.neurons = this.weights = null;
    this.focus = null;
    this.layout();
    this.makeButtons();
  }

  take({ arrays, silent: dead }) {
    this.dead = dead ?? 0;
    for (const name of ["neurons", "weights"]) if (arrays[name]) this[name] = arrays[name];
    if (arrays.neurons) this.painted = this.silentOf = null;
  }

  /** The neuron's number among all hidden neurons and outputs. */
  index(layer, neuron) {
    let index = neuron;
    for (let l = 1; l < layer; l++) index += this.layers[l];
    return index;
  }

  /** For each neuron's picture, whether it is zero all over. */
  get silent() {
    if (!this.neurons) return [];
    const { data, shape } = this.neurons, size = shape[1] * shape[2];
    return (this.silentOf ??= Array.from({ length: shape[0] }, (_, i) =>
      data.subarray(i * size, (i + 1) * size).every((value) => value === 128)));
  }

  /** A sentence about what is drawn. */
  note(isBackprop, parameters) {
    const count = `${parameters.toLocaleString("en")} parameters. `;
    if (isBackprop) return "Edges are as thick as what they hand on in this step: orange adds, blue subtracts.";
    const silent = this.silent.slice(0, -this.layers.at(-1)).filter(Boolean).length;
    if (!silent) return count + "Orange edges are positive weights, blue ones negative; a neuron's picture shows its value over the plane.";
    const dead = this.dead ? ` ${this.dead} ${this.dead === 1 ? "is" : "are"} zero on every training point.` : "";
    return `${count}${silent} hidden neuron${silent === 1 ? " is" : "s are"} zero all over the picture (struck through).${dead}`;
  }

  name(layer, neuron) {
    if (layer === 0) return `input ${this.inputs[neuron] ?? neuron + 1}`;
    if (layer === this.layers.length - 1) {
      return this.layers[layer] === 1 ? "output" : `output ${this.classes?.[neuron] ?? neuron}`;
    }
    return `hidden layer ${layer}, neuron ${neuron + 1}`;
  }

  /** Where neurons stand. */
  layout() {
    const width = this.drawing.clientWidth, count = this.layers.length;
    if (!width || !count) return;
    const most = Math.max(...this.layers);
    const column = width / count;
    this.height = Math.round(Math.max(200, Math.min(680, most * Math.min(most > 12 ? 30 : 46, column))));
    this.width = width;
    this.columns = this.layers.map((_, layer) => column * (layer + 0.5));
    this.sizes = this.layers.map((neurons) =>
      Math.max(6, Math.min(44, column * 0.62, (this.height - 6) / neurons - (neurons > 24 ? 2 : 6))));
    this.places = this.layers.map((neurons, layer) => {
      const pitch = Math.min((this.height - 6) / neurons, this.sizes[layer] * 1.55);
      return Array.from({ length: neurons }, (_, i) => [
        this.columns[layer],
        this.height / 2 + (i - (neurons - 1) / 2) * pitch,
      ]);
    });
    this.drawing.style.height = `${this.height}px`;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    for (const canvas of [this.canvas, this.edges]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(this.height * ratio);
    }
    this.canvas.style.height = `${this.height}px`;
    this.ratio = ratio;
    this.placeButtons();
    this.draw();
    this.on.placed?.(this.columns);
  }

  makeButtons() {
    this.buttons.replaceChildren();
    this.nodes = this.layers.map((neurons, layer) =>
      Array.from({ length: neurons }, (_, neuron) => {
        const button = document.createElement("button");
        button.type = "button";
        button.tabIndex = -1;
        button.setAttribute("aria-label", this.name(layer, neuron));
        button.addEventListener("focus", () => this.choose({ layer, neuron }));
        button.addEventListener("blur", () => this.choose(null));
        button.dataset.layer = layer;
        button.dataset.neuron = neuron;
        this.buttons.append(button);
        return button;
      }));
    this.nodes[Math.min(1, this.nodes.length - 1)][0].tabIndex = 0;
    this.placeButtons();
  }

  placeButtons() {
    if (!this.nodes || this.nodes.length !== this.places.length) return;
    this.nodes.forEach((column, layer) => column.forEach((button, neuron) => {
      const place = this.places[layer][neuron];
      if (!place) return;
      const size = this.sizes[layer];
      Object.assign(button.style, {
        left: `${place[0] - size / 2}px`, top: `${place[1] - size / 2}px`,
        width: `${size}px`, height: `${size}px`,
      });
    }));
  }

  key(event) {
    const { layer, neuron } = event.target.dataset;
    let l = Number(layer), n = Number(neuron);
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in moves) {
      l = Math.max(0, Math.min(this.layers.length - 1, l + moves[event.key][0]));
      n = Math.max(0, Math.min(this.layers[l] - 1, n + moves[event.key][1]));
      event.target.tabIndex = -1;
      this.nodes[l][n].tabIndex = 0;
      this.nodes[l][n].focus();
    } else if ((event.key === "PageDown" || event.key === "PageUp") && l > 0) {
      const from = this.focus?.from ?? (event.key === "PageDown" ? -1 : this.layers[l - 1]);
      const next = from + (event.key === "PageDown" ? 1 : -1);
      this.choose(next < 0 || next >= this.layers[l - 1] ? { layer: l, neuron: n } : { layer: l, from: next, to: n });
    } else return;
    event.preventDefault();
  }

  /** What lies under the pointer: a neuron, else the nearest edge within 5 pixels, 12 of a finger. */
  point(event) {
    const box = this.drawing.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    for (let layer = 0; layer < this.places.length; layer++) {
      const half = this.sizes[layer] / 2;
      for (let neuron = 0; neuron < this.places[layer].length; neuron++) {
        const [px, py] = this.places[layer][neuron];
        if (Math.abs(px - x) <= Math.max(half, 5) && Math.abs(py - y) <= half) return this.choose({ layer, neuron });
      }
    }
    let best = null, least = event.pointerType === "touch" ? 12 : 5;
    for (let layer = 1; layer < this.places.length; layer++) {
      const x0 = this.columns[layer - 1] + this.sizes[layer - 1] / 2;
      const x1 = this.columns[layer] - this.sizes[layer] / 2;
      if (x < x0 || x > x1) continue;
      const t = (x - x0) / (x1 - x0), bend = this.curved(layer) ? t * t * (3 - 2 * t) : t;
      for (let from = 0; from < this.layers[layer - 1]; from++) {
        const y0 = this.places[layer - 1][from][1];
        for (let to = 0; to < this.layers[layer]; to++) {
          const distance = Math.abs(y0 + (this.places[layer][to][1] - y0) * bend - y);
          if (distance < least) [best, least] = [{ layer, from, to }, distance];
        }
      }
    }
    this.choose(best);
  }

  choose(what) {
    if (JSON.stringify(what) === JSON.stringify(this.focus)) return;
    this.focus = what;
    if (what) this.on.hover(what);
    else this.on.leave();
    this.draw();
  }

  curved(layer) {
    return this.layers[layer - 1] * this.layers[layer] <= 1024;
  }

  edge(path, layer, from, to) {
    const [x0, y0] = this.places[layer - 1][from], [x1, y1] = this.places[layer][to];
    const a = x0 + this.sizes[layer - 1] / 2, b = x1 - this.sizes[layer] / 2;
    path.moveTo(a, y0);
    if (this.curved(layer)) path.bezierCurveTo((a + b) / 2, y0, (a + b) / 2, y1, b, y1);
    else path.lineTo(b, y1);
  }

  /** Where the weights of the edges into `layer` begin. */
  start(layer) {
    let at = 0;
    for (let l = 1; l < layer; l++) at += (this.layers[l - 1] + 1) * this.layers[l];
    return at;
  }

  /** The number that an edge shows: its weight, or what backprop's step gives it. */
  values(layer) {
    if (this.overlay) return this.overlay.edges[layer] ?? null;
    if (!this.weights) return null;
    const at = this.start(layer);
    return this.weights.data.subarray(at, at + this.layers[layer - 1] * this.layers[layer]);
  }

  draw() {
    this.drawLayers(1, this.layers.length);
  }

  /** While it trains: all neurons, and the edges into one layer after another. */
  drawNext() {
    this.turn = (this.turn + 1) % (this.layers.length - 1);
    if (this.focus) this.draw();
    else this.drawLayers(1 + this.turn, 2 + this.turn);
  }

  /** The neurons, over the edges, of which those into the layers `from` up to `to` are drawn anew. */
  drawLayers(from, to) {
    if (!this.places) return;
    const context = this.canvas.getContext("2d"), edges = this.edges.getContext("2d"), colors = palette();
    const { ratio, width, height } = this;
    edges.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (let layer = from; layer < to; layer++) {
      // From the middle of one column to that of the next: the cut is below the neurons.
      const [left, right] = [layer - 1, layer].map((each) => Math.round(this.columns[each]));
      edges.clearRect(left, 0, right - left, height);
      this.drawEdges(edges, colors, layer);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.drawImage(this.edges, 0, 0, this.edges.width / ratio, this.edges.height / ratio);
    this.drawFocusedEdges(context, colors);
    this.paint(colors);
    this.places.forEach((column, layer) => column.forEach((place, neuron) =>
      this.drawNeuron(context, colors, layer, neuron, place)));
  }

  drawEdges(context, colors, layer) {
    const values = this.values(layer), n = this.layers[layer];
    const quiet = this.overlay && !values;
    const count = this.layers[layer - 1] * n;
    const gap = this.columns[1] - this.columns[0] - this.sizes[layer];
    const thickest = Math.min(gap / 14, 4.2, Math.max(1.3, 38 / Math.sqrt(count)));
    context.globalAlpha = quiet ? 0.25 : count > 1024 ? 0.4 : 0.8;
    if (!values) {
      const path = new Path2D();
      for (let i = 0; i < count; i++) this.edge(path, layer, Math.floor(i / n), i % n);
      context.strokeStyle = colors.line;
      context.lineWidth = 0.7;
      context.stroke(path);
      context.globalAlpha = 1;
      return;
    }
    let most = 1e-12;
    for (const value of values) if (Math.abs(value) > most) most = Math.abs(value);
    const groups = Array.from({ length: 2 * WIDTHS }, () => []);
    for (let i = 0; i < values.length; i++) {
      const share = Math.min(1, Math.abs(values[i]) / most);
      // Of thousands of edges those that are large enough to be told apart.
      if (!(share > (count > 1024 ? 0.3 : 0.015))) continue;
      groups[2 * Math.min(WIDTHS - 1, Math.floor(share * WIDTHS)) + (values[i] > 0 ? 1 : 0)].push(i);
    }
    groups.forEach((edges, key) => {
      context.lineWidth = 0.35 + (thickest * ((key >> 1) + 0.5)) / WIDTHS;
      context.strokeStyle = key % 2 ? colors.positive : colors.negative;
      // One by one: a path of many curves that cross takes the browser several times as long.
      for (const i of edges) {
        context.beginPath();
        this.edge(context, layer, Math.floor(i / n), i % n);
        context.stroke();
      }
    });
    context.globalAlpha = 1;
  }

  drawFocusedEdges(context, colors) {
    const focus = this.focus;
    if (!focus || focus.layer === 0) return;
    const pairs = "neuron" in focus
      ? Array.from({ length: this.layers[focus.layer - 1] }, (_, from) => [from, focus.neuron])
      : [[focus.from, focus.to]];
    const path = new Path2D();
    for (const [from, to] of pairs) this.edge(path, focus.layer, from, to);
    context.strokeStyle = colors.ink;
    context.lineWidth = "neuron" in focus ? 1 : 3;
    context.stroke(path);
  }

  /** Every neuron's picture, one below the other, on one canvas. */
  paint(colors) {
    if (!this.neurons || this.painted === colors) return;
    this.painted = colors;
    const { data, shape } = this.neurons, [n, rows, columns] = shape;
    if (!n) return;
    const image = new ImageData(columns, rows * n), table = ramp(colors.sign);
    const words = new Uint32Array(image.data.buffer);
    for (let neuron = 0; neuron < n; neuron++) {
      for (let row = 0; row < rows; row++) {
        const from = (neuron * rows + row) * columns, to = (neuron * rows + rows - 1 - row) * columns;
        for (let i = 0; i < columns; i++) words[to + i] = table[data[from + i]];
      }
    }
    this.atlas.width = columns;
    this.atlas.height = rows * n;
    this.atlas.getContext("2d").putImageData(image, 0, 0);
  }

  drawNeuron(context, colors, layer, neuron, [x, y]) {
    const s = this.sizes[layer], left = x - s / 2, top = y - s / 2;
    context.fillStyle = colors.sign[1];
    context.fillRect(left, top, s, s);
    if (layer === 0) this.drawInput(context, colors, neuron, left, top, s);
    else if (this.neurons) {
      const index = this.index(layer, neuron);
      const [, rows, columns] = this.neurons.shape;
      if (index < this.neurons.shape[0]) {
        context.drawImage(this.atlas, 0, index * rows, columns, rows, left, top, s, s);
      }
    }
    if (layer > 0 && this.silent[this.index(layer, neuron)]) this.strike(context, colors, left, top, s);
    const chosen = this.focus?.layer === layer && this.focus.neuron === neuron;
    const active = this.overlay?.active?.(layer);
    context.strokeStyle = chosen || active ? colors.ink : colors.soft;
    context.lineWidth = chosen ? 2.5 : active ? 2 : s > 12 ? 1 : 0.5;
    context.strokeRect(left, top, s, s);
    const value = this.overlay?.nodes[layer]?.[neuron];
    if (value !== undefined && s >= 20) this.label(context, colors, x, y, s, short(value));
    else if (layer === 0 && s >= 22) this.label(context, colors, x, y, s, this.inputs[neuron] ?? "");
  }

  strike(context, colors, left, top, s) {
    context.strokeStyle = colors.soft;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(left, top);
    context.lineTo(left + s, top + s);
    context.stroke();
  }

  label(context, colors, x, y, size, text) {
    context.font = `600 ${Math.min(11, size * 0.4)}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const shown = text.length > 7 ? `${text.slice(0, 6)}…` : text;
    const width = context.measureText(shown).width + 6;
    context.fillStyle = colors.ground;
    context.globalAlpha = 0.86;
    context.fillRect(x - width / 2, y - 7, width, 14);
    context.globalAlpha = 1;
    context.fillStyle = colors.ink;
    context.fillText(shown, x, y + 0.5);
  }

  drawInput(context, colors, neuron, left, top, s) {
    if (this.layers[0] !== 2) return;
    const shade = neuron === 0
      ? context.createLinearGradient(left, 0, left + s, 0)
      : context.createLinearGradient(0, top + s, 0, top);
    colors.sign.forEach((color, i) => shade.addColorStop(i / 2, color));
    context.fillStyle = shade;
    context.fillRect(left, top, s, s);
  }
}

export function short(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1000 || (size < 0.005 && size > 0)) return value.toExponential(0).replaceAll("-", "−");
  return value.toFixed(size < 10 ? 2 : 0).replace("-", "−");
}
