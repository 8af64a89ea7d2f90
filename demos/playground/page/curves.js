// Small charts on canvas: curves over steps, dots of ten seeds, accuracy by learning rate.

import { palette, ramp } from "./colors.js";

const MOST = 1200; // rows that are kept of a curve; more are thinned by half

function prepare(canvas) {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.font = "11px system-ui, sans-serif";
  return { context, width, height, colors: palette() };
}

export const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;

function axes(context, colors, box, ticks, text, y) {
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.lineWidth = 1;
  for (const tick of ticks) {
    context.strokeStyle = colors.line;
    context.beginPath();
    context.moveTo(box.left, y(tick));
    context.lineTo(box.right, y(tick));
    context.stroke();
    context.fillStyle = colors.soft;
    context.fillText(text(tick), box.left - 5, y(tick));
  }
}

/** About four round numbers from low to high. */
export function roundTicks(low, high) {
  const raw = (high - low) / 3 || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].find((s) => s * power >= raw) * power;
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) ticks.push(tick);
  return ticks;
}

export class Curves {
  constructor(lossCanvas, accuracyCanvas) {
    Object.assign(this, { lossCanvas, accuracyCanvas });
    this.clear();
    new ResizeObserver(() => this.draw()).observe(lossCanvas);
  }

  clear() {
    this.rows = [];
    this.stride = 1;
    this.seen = 0;
  }

  /** Rows of step, train loss, test loss, train accuracy, test accuracy. */
  add({ data, shape }) {
    const columns = shape[1];
    for (let i = 0; i < shape[0]; i++) {
      this.last = Array.from(data.subarray(i * columns, (i + 1) * columns));
      if (this.seen++ % this.stride === 0) this.rows.push(this.last);
    }
    while (this.rows.length > MOST) {
      this.rows = this.rows.filter((_, i) => i % 2 === 0);
      this.stride *= 2;
    }
  }

  draw() {
    const rows = this.rows.length && this.last !== this.rows.at(-1) ? [...this.rows, this.last] : this.rows;
    this.chart(this.lossCanvas, rows, 1, false);
    this.chart(this.accuracyCanvas, rows, 3, true);
  }

  chart(canvas, rows, column, share) {
    if (!canvas.clientWidth) return;
    const { context, width, height, colors } = prepare(canvas);
    const box = { left: 40, right: width - 4, top: 8, bottom: height - 18 };
    const values = rows.flatMap((row) => [row[column], row[column + 1]]).filter(Number.isFinite);
    let high = share ? 1 : Math.max(...values.slice(0, 4), quantile(values, 0.98), 1e-6) * 1.05;
    let low = share ? Math.min(0.5, ...(values.length ? [quantile(values, 0)] : [])) : 0;
    if (!Number.isFinite(high)) high = 1;
    const lastStep = Math.max(rows.at(-1)?.[0] ?? 0, 1), firstStep = rows[0]?.[0] ?? 0;
    const x = (step) => box.left + ((step - firstStep) / Math.max(1, lastStep - firstStep)) * (box.right - box.left);
    const y = (value) => box.bottom - ((value - low) / (high - low)) * (box.bottom - box.top);
    axes(context, colors, box, roundTicks(low, high), (tick) => (share ? percent(tick) : Number(tick.toPrecision(3))), y);
    context.fillStyle = colors.soft;
    context.textBaseline = "alphabetic";
    context.textAlign = "left";
    context.fillText(`step ${firstStep.toLocaleString("en")}`, box.left, height - 4);
    context.textAlign = "right";
    if (rows.length > 1) context.fillText((rows.at(-1)?.[0] ?? 0).toLocaleString("en"), box.right, height - 4);
    context.save();
    context.beginPath();
    context.rect(box.left, box.top - 3, box.right - box.left + 1, box.bottom - box.top + 6);
    context.clip();
    [1, 0].forEach((series) => {
      context.beginPath();
      let open = false;
      for (const row of rows) {
        const value = row[column + series];
        if (!Number.isFinite(value)) { open = false; continue; }
        context[open ? "lineTo" : "moveTo"](x(row[0]), y(Math.min(value, 2 * high)));
        open = true;
      }
      context.setLineDash(series ? [5, 3] : []);
      context.lineWidth = 1.8;
      context.strokeStyle = colors.series[series];
      context.stroke();
    });
    context.restore();
    if (rows.length === 1) this.dots(context, colors, box.left, [1, 0].map((series) => y(rows[0][column + series])));
    canvas.setAttribute("aria-label", this.describe(rows, column, share));
  }

  /** Before the first step there is no line yet. */
  dots(context, colors, x, [test, train]) {
    [[test, 1], [train, 0]].forEach(([y, series]) => {
      context.fillStyle = colors.series[series];
      context.beginPath();
      context.arc(x, y, 3, 0, 2 * Math.PI);
      if (Number.isFinite(y)) context.fill();
    });
  }

  describe(rows, column, share) {
    if (!rows.length) return share ? "Curve of the accuracies, still empty" : "Curve of the losses, still empty";
    const show = (value) => (share ? percent(value) : Number(value.toPrecision(3)));
    const [first, last] = [rows[0], rows.at(-1)];
    if (first === last) return `${share ? "Correct" : "Loss"} at step ${first[0]}: train ${show(first[column])}, test ${show(first[column + 1])}`;
    return `${share ? "Correct" : "Loss"} from step ${first[0]} to ${last[0]}: train ${show(first[column])} to ` +
      `${show(last[column])}, test ${show(first[column + 1])} to ${show(last[column + 1])}`;
  }
}

function quantile(values, q) {
  if (!values.length) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

/** Test accuracy over steps, a line for each seed with a dot at its end; steps are logarithmic. */
export function seedsChart(canvas, curves, seeds, diverged) {
  const { context, width, height, colors } = prepare(canvas);
  const [looks, columns] = curves.shape, { data } = curves;
  const accuracy = (look, seed) => data[look * columns + 1 + 3 * seeds + seed];
  let low = 0.5;
  for (let look = 0; look < looks; look++) for (let i = 0; i < seeds; i++) low = Math.min(low, accuracy(look, i));
  const box = { left: 44, right: width - 8, top: 8, bottom: height - 20 };
  const last = data[(looks - 1) * columns];
  const x = (step) => box.left + (Math.log1p(step) / Math.log1p(last || 1)) * (box.right - box.left);
  const y = (v) => box.bottom - ((v - low) / (1 - low)) * (box.bottom - box.top);
  axes(context, colors, box, roundTicks(low, 1), (tick) => percent(tick), y);
  context.fillStyle = colors.soft;
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
  context.fillText("step 0", box.left, height - 5);
  context.textAlign = "right";
  context.fillText(last.toLocaleString("en"), box.right, height - 5);
  for (let i = 0; i < seeds; i++) {
    context.strokeStyle = context.fillStyle = colors.series[diverged[i] ? 1 : 0];
    context.lineWidth = 1.2;
    context.setLineDash(diverged[i] ? [4, 3] : []);
    context.globalAlpha = 0.65;
    context.beginPath();
    for (let look = 0; look < looks; look++) {
      context[look ? "lineTo" : "moveTo"](x(data[look * columns]), y(accuracy(look, i)));
    }
    context.stroke();
    context.globalAlpha = 1;
    context.beginPath();
    context.arc(box.right, y(accuracy(looks - 1, i)), 3.2, 0, 2 * Math.PI);
    context.fill();
  }
}

/** What each seed predicts, side by side in two rows. */
export function seedsStrip(canvas, { data, shape }, classes) {
  const { context, width, height, colors } = prepare(canvas);
  const [seeds, rows, columns] = shape, across = Math.ceil(seeds / 2);
  const size = Math.min((width + 4) / across, (height + 4) / 2) - 4;
  const table = classes === 2 ? ramp(colors.plane) : colors.tints.map((tint) => ramp([tint, tint, tint])[0]);
  const small = document.createElement("canvas");
  small.width = columns;
  small.height = rows;
  for (let i = 0; i < seeds; i++) {
    const image = new ImageData(columns, rows), words = new Uint32Array(image.data.buffer);
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < columns; k++) words[(rows - 1 - row) * columns + k] = table[data[(i * rows + row) * columns + k]];
    }
    small.getContext("2d").putImageData(image, 0, 0);
    context.drawImage(small, (i % across) * (size + 4), Math.floor(i / across) * (size + 4), size, size);
  }
}

export function quantileMiddle(values) {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Test accuracy by learning rate on a logarithmic axis; a cross where training diverged. */
export function sweepChart(canvas, rates, accuracies, current) {
  const { context, width, height, colors } = prepare(canvas);
  const known = accuracies.filter(Number.isFinite);
  const box = { left: 44, right: width - 10, top: 8, bottom: height - 20 };
  const low = Math.min(0.5, ...known), y = (v) => box.bottom - ((v - low) / (1 - low)) * (box.bottom - box.top);
  const [first, last] = [Math.log10(rates[0]), Math.log10(rates.at(-1))];
  const x = (rate) => box.left + 6 + ((Math.log10(rate) - first) / (last - first || 1)) * (box.right - box.left - 12);
  axes(context, colors, box, roundTicks(low, 1), (tick) => percent(tick), y);
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.fillStyle = colors.soft;
  for (let power = Math.ceil(first); power <= Math.floor(last + 1e-9); power++) {
    context.fillText(String(Number((10 ** power).toPrecision(1))), x(10 ** power), height - 5);
  }
  if (current >= rates[0] && current <= rates.at(-1)) {
    context.strokeStyle = colors.soft;
    context.setLineDash([2, 3]);
    context.beginPath();
    context.moveTo(x(current), box.top);
    context.lineTo(x(current), box.bottom);
    context.stroke();
    context.setLineDash([]);
  }
  context.strokeStyle = context.fillStyle = colors.series[0];
  context.lineWidth = 1.8;
  context.beginPath();
  let open = false;
  rates.forEach((rate, i) => {
    if (!Number.isFinite(accuracies[i])) { open = false; return; }
    context[open ? "lineTo" : "moveTo"](x(rate), y(accuracies[i]));
    open = true;
  });
  context.stroke();
  rates.forEach((rate, i) => {
    context.beginPath();
    if (Number.isFinite(accuracies[i])) {
      context.arc(x(rate), y(accuracies[i]), 3.5, 0, 2 * Math.PI);
      context.fill();
    } else if (accuracies[i] === null) {
      context.strokeStyle = colors.series[1];
      context.moveTo(x(rate) - 4, box.bottom - 8); context.lineTo(x(rate) + 4, box.bottom);
      context.moveTo(x(rate) - 4, box.bottom); context.lineTo(x(rate) + 4, box.bottom - 8);
      context.stroke();
      context.strokeStyle = colors.series[0];
    }
  });
}
