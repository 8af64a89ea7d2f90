// The large picture: prediction, linear regions, decision boundary, data, mistakes.

import { mark, palette, ramp, tintRamp } from "./colors.js";

const CROSS = 1.9; // half the side of a mistake's cross, in radii of a mark

export class Plane {
  constructor(canvas, note) {
    this.canvas = canvas;
    this.note = note;
    this.window = [-1, 1, -1, 1];
    this.classes = ["0", "1"];
    this.show = { regions: true, wrong: true, test: true };
    this.field = document.createElement("canvas");
    this.drawing = null; // points being drawn by hand: {points, label}
    this.sample = null; // index of the sample that backprop shows
    this.cursor = null; // the keyboard's place, in the plane's coordinates
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointermove", (event) => this.read(event));
    canvas.addEventListener("pointerleave", () => (note.textContent = ""));
  }

  /** Take what a picture holds; what it leaves out stays as it was. */
  take(picture) {
    const { arrays } = picture;
    for (const name of ["points", "labels", "test_points", "test_labels"]) {
      if (arrays[name]) this[name] = arrays[name];
    }
    for (const name of ["prediction", "boundary", "wrong", "test_wrong", "regions_vertices", "regions_polygons"]) {
      this[name] = arrays[name];
    }
    this.painted = null;
  }

  pixel(x, y) {
    const [left, right, bottom, top] = this.window;
    return [
      ((x - left) / (right - left)) * this.width,
      ((top - y) / (top - bottom)) * this.height,
    ];
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const [left, right, bottom, top] = this.window;
    return [
      left + ((event.clientX - box.left) / box.width) * (right - left),
      top - ((event.clientY - box.top) / box.height) * (top - bottom),
    ];
  }

  /** The prediction's pixels in the theme's colours. */
  paint(colors) {
    if (this.painted === colors) return;
    this.painted = colors;
    const { data, shape } = this.prediction;
    const [rows, columns] = shape.slice(-2);
    const image = new ImageData(columns, rows);
    const words = new Uint32Array(image.data.buffer);
    if (shape.length === 2) {
      const table = ramp(colors.plane);
      for (let row = 0; row < rows; row++) {
        const from = row * columns, to = (rows - 1 - row) * columns;
        for (let i = 0; i < columns; i++) words[to + i] = table[data[from + i]];
      }
    } else {
      const tables = colors.tints.map((tint) => tintRamp(tint, colors.plane[1]));
      const size = rows * columns, classes = shape[0];
      for (let row = 0; row < rows; row++) {
        for (let i = 0; i < columns; i++) {
          const at = row * columns + i;
          let best = 0, second = 0;
          for (let c = 1; c < classes; c++) if (data[c * size + at] > data[best * size + at]) best = c;
          for (let c = 0; c < classes; c++) if (c !== best) second = Math.max(second, data[c * size + at]);
          const lead = data[best * size + at] - second;
          words[(rows - 1 - row) * columns + i] = tables[best % tables.length][128 + (lead >> 1)];
        }
      }
    }
    this.field.width = columns;
    this.field.height = rows;
    this.field.getContext("2d").putImageData(image, 0, 0);
  }

  draw() {
    const canvas = this.canvas, colors = palette();
    const size = Math.round(canvas.clientWidth * Math.min(devicePixelRatio || 1, 2));
    if (!size) return;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    this.width = this.height = size;
    const context = canvas.getContext("2d", { alpha: false }); // opaque: nothing is to be blended
    if (this.prediction) {
      this.paint(colors);
      context.imageSmoothingEnabled = true;
      context.drawImage(this.field, 0, 0, size, size);
    } else {
      context.fillStyle = colors.plane[1];
      context.fillRect(0, 0, size, size);
    }
    const unit = size / 540;
    if (this.show.regions && this.regions_polygons) {
      context.strokeStyle = colors.region;
      context.lineWidth = Math.max(0.6, 0.8 * unit);
      context.stroke(this.regionPath());
    }
    if (this.boundary) {
      const path = this.boundaryPath();
      context.lineCap = "round";
      context.lineWidth = 4.6 * unit;
      context.strokeStyle = colors.halo;
      context.stroke(path);
      context.lineWidth = 2.2 * unit;
      context.strokeStyle = colors.boundary;
      context.stroke(path);
    }
    this.drawPoints(context, colors, unit);
  }

  /** The sides of all regions, [from, to] in pixels; one that two regions share comes once. */
  sides(visit) {
    const at = this.regions_vertices.data, { data, shape } = this.regions_polygons;
    const [left, right, bottom, top] = this.window, corners = shape[1];
    const sx = this.width / (right - left), sy = this.height / (top - bottom);
    for (let start = 0; start < data.length; start += corners) {
      const first = data[start];
      let from = first;
      for (let i = 1; i <= corners; i++) {
        const to = i < corners ? data[start + i] : first;
        // Corners run counter-clockwise, so a neighbour has this side the other way round.
        if (from < to) {
          visit((at[2 * from] - left) * sx, (top - at[2 * from + 1]) * sy,
            (at[2 * to] - left) * sx, (top - at[2 * to + 1]) * sy);
        }
        if (to === first) break;
        from = to;
      }
    }
  }

  regionPath() {
    const path = new Path2D();
    this.sides((x0, y0, x1, y1) => {
      path.moveTo(x0, y0);
      path.lineTo(x1, y1);
    });
    return path;
  }

  boundaryPath() {
    const path = new Path2D();
    const { data } = this.boundary;
    for (let i = 0; i + 3 < data.length; i += 4) {
      path.moveTo(...this.pixel(data[i], data[i + 1]));
      path.lineTo(...this.pixel(data[i + 2], data[i + 3]));
    }
    return path;
  }

  /** [x, y, class, is a test point, is wrong] of each point that is to be drawn. */
  *shownPoints() {
    if (this.drawing) {
      for (const [x, y, label] of this.drawing.points) yield [x, y, label, false, false];
      return;
    }
    if (this.show.test) yield* this.set(this.test_points, this.test_labels, this.test_wrong, true);
    yield* this.set(this.points, this.labels, this.wrong, false);
  }

  *set(points, labels, wrong, test) {
    const count = points?.shape[0] ?? 0;
    for (let i = 0; i < count; i++) {
      const mistake = this.show.wrong && !!wrong?.data[i];
      yield [points.data[2 * i], points.data[2 * i + 1], labels.data[i], test, mistake];
    }
  }

  radius(unit) {
    const count = this.drawing ? this.drawing.points.length : this.points?.shape[0] ?? 0;
    return unit * (count > 1500 ? 2 : count > 500 ? 3 : count > 20 ? 4 : 7);
  }

  drawPoints(context, colors, unit) {
    const r = this.radius(unit), crosses = new Path2D(), s = CROSS * r;
    for (const [x, y, , , wrong] of this.shownPoints()) {
      if (!wrong) continue;
      const [px, py] = this.pixel(x, y);
      crosses.moveTo(px - s, py - s); crosses.lineTo(px + s, py + s);
      crosses.moveTo(px - s, py + s); crosses.lineTo(px + s, py - s);
    }
    context.lineWidth = 3.6 * unit;
    context.strokeStyle = colors.edge;
    context.stroke(crosses);
    context.lineWidth = 1.7 * unit;
    context.strokeStyle = colors.mistake;
    context.stroke(crosses);
    // The marks hide the middle of the crosses, and no cross hides a mark.
    context.drawImage(this.pointLayer(colors, unit, r), 0, 0);
    if (this.sample !== null && this.points && this.sample < this.points.shape[0]) {
      const { data } = this.points, i = this.sample;
      this.ring(context, data[2 * i], data[2 * i + 1], 3 * r, colors, unit);
    }
    if (this.cursor) this.ring(context, ...this.cursor, 2 * r + 4 * unit, colors, unit);
  }

  /** The points without their crosses; drawn anew only when they, the theme or the size change. */
  pointLayer(colors, unit, r) {
    const held = [this.points, this.test_points, this.show.test, colors, this.width, this.drawing,
      this.drawing?.points, this.drawing?.points.length, ...this.window];
    if (this.layer && held.every((each, i) => each === this.layerOf[i])) return this.layer;
    this.layerOf = held;
    this.layer ??= document.createElement("canvas");
    this.layer.width = this.layer.height = this.width;
    const context = this.layer.getContext("2d"), paths = new Map();
    for (const [x, y, label, test] of this.shownPoints()) {
      const key = label * 2 + (test ? 1 : 0);
      if (!paths.has(key)) paths.set(key, new Path2D());
      mark(paths.get(key), label, ...this.pixel(x, y), test ? 0.72 * r : r);
    }
    context.lineJoin = "round";
    for (const [key, path] of [...paths].sort((a, b) => (b[0] % 2) - (a[0] % 2))) {
      context.lineWidth = (key % 2 ? 1.4 : 1.8) * unit;
      context.strokeStyle = colors.edge;
      context.stroke(path);
      context.fillStyle = colors.classes[(key >> 1) % 10];
      context.globalAlpha = key % 2 ? 0.75 : 1;
      context.fill(path);
      context.globalAlpha = 1;
    }
    return this.layer;
  }

  ring(context, x, y, r, colors, unit) {
    const path = new Path2D();
    path.arc(...this.pixel(x, y), r, 0, 2 * Math.PI);
    context.lineWidth = 5 * unit;
    context.strokeStyle = colors.edge;
    context.stroke(path);
    context.lineWidth = 2.5 * unit;
    context.strokeStyle = colors.mistake;
    context.stroke(path);
  }

  /** What the picture holds at a place, in words. */
  at(x, y) {
    if (!this.prediction) return `(${x.toFixed(2)}, ${y.toFixed(2)})`;
    const { data, shape } = this.prediction;
    const [rows, columns] = shape.slice(-2), [left, right, bottom, top] = this.window;
    const cell = (value, low, high, n) =>
      Math.max(0, Math.min(n - 1, Math.floor(((value - low) / (high - low)) * n)));
    const at = cell(y, bottom, top, rows) * columns + cell(x, left, right, columns);
    const chances = shape.length === 2
      ? [255 - data[at], data[at]]
      : Array.from({ length: shape[0] }, (_, c) => data[c * rows * columns + at]);
    const best = chances.indexOf(Math.max(...chances));
    const name = this.classes[best] ?? best;
    return `(${x.toFixed(2)}, ${y.toFixed(2)}): ${name}, ${Math.round((100 * chances[best]) / 255)} %`;
  }

  read(event) {
    this.note.textContent = this.at(...this.place(event));
  }

  /** The index of the training point nearest to a place. */
  nearest(x, y) {
    if (!this.points) return null;
    const { data, shape } = this.points;
    let best = null, least = Infinity;
    for (let i = 0; i < shape[0]; i++) {
      const distance = (data[2 * i] - x) ** 2 + (data[2 * i + 1] - y) ** 2;
      if (distance < least) [best, least] = [i, distance];
    }
    return best;
  }

  png() {
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
  }

  /** The picture as SVG: the prediction as an image, everything else as shapes. */
  svg() {
    this.draw();
    const colors = palette(), size = 540, saved = [this.width, this.height];
    this.width = this.height = size;
    const number = (value) => Number(value.toFixed(2));
    const lines = [];
    const recorder = () => ({
      d: "",
      moveTo(x, y) { this.d += `M${number(x)} ${number(y)}`; },
      lineTo(x, y) { this.d += `L${number(x)} ${number(y)}`; },
      rect(x, y, w, h) { this.d += `M${number(x)} ${number(y)}h${number(w)}v${number(h)}h${number(-w)}z`; },
      arc(x, y, r) {
        this.d = this.d.slice(0, this.d.lastIndexOf("M"));
        this.d += `M${number(x - r)} ${number(y)}a${number(r)} ${number(r)} 0 1 0 ${number(2 * r)} 0` +
          `a${number(r)} ${number(r)} 0 1 0 ${number(-2 * r)} 0z`;
      },
    });
    lines.push(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" width="${size}" height="${size}">`);
    lines.push(`<title>scratchnet playground</title><clipPath id="all"><rect width="${size}" height="${size}"/></clipPath><g clip-path="url(#all)">`);
    if (this.prediction) {
      lines.push(`<image width="${size}" height="${size}" preserveAspectRatio="none" href="${this.field.toDataURL("image/png")}"/>`);
    }
    if (this.show.regions && this.regions_polygons) {
      let d = "";
      this.sides((...ends) => {
        const [x0, y0, x1, y1] = ends.map(number);
        d += `M${x0} ${y0}L${x1} ${y1}`;
      });
      const [, rgb, opacity] = colors.region.match(/rgba\((\d+,\d+,\d+),(.+)\)/);
      lines.push(`<path d="${d}" fill="none" stroke="rgb(${rgb})" stroke-opacity="${opacity}" stroke-width=".8"/>`);
    }
    if (this.boundary) {
      const { data } = this.boundary;
      let d = "";
      for (let i = 0; i + 3 < data.length; i += 4) {
        const [a, b] = [this.pixel(data[i], data[i + 1]), this.pixel(data[i + 2], data[i + 3])];
        d += `M${a.map(number).join(" ")}L${b.map(number).join(" ")}`;
      }
      lines.push(`<path d="${d}" fill="none" stroke="${colors.boundary}" stroke-width="2.2" stroke-linecap="round"/>`);
    }
    const r = this.radius(1), s = CROSS * r, marks = [];
    for (const [x, y, label, test, wrong] of this.shownPoints()) {
      const [px, py] = this.pixel(x, y), path = recorder();
      mark(path, label, px, py, test ? 0.72 * r : r);
      marks.push(`<path d="${path.d}" fill="${colors.classes[label % 10]}" stroke="${colors.edge}" stroke-width=".8"/>`);
      if (wrong) {
        const [a, b, c, e] = [px - s, py - s, px + s, py + s].map(number);
        lines.push(`<path d="M${a} ${b}L${c} ${e}M${a} ${e}L${c} ${b}" stroke="${colors.mistake}" stroke-width="1.7"/>`);
      }
    }
    lines.push(...marks, "</g></svg>");
    [this.width, this.height] = saved;
    return lines.join("\n");
  }
}
