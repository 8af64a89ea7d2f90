// Data of one's own: points drawn on the plane, and a table from a file.

import { mark, onTheme, palette } from "./colors.js";
import { element } from "./controls.js";

const MOST_CLASSES = 10;

/** Draws points on the plane by pointer or keyboard while `active`. */
export class Drawing {
  /** `changed(points)` is called when a stroke ends. */
  constructor(plane, tools, most, changed) {
    Object.assign(this, { plane, tools, most, changed });
    this.points = [];
    this.label = 0;
    this.strokes = [];
    this.active = false;
    this.classes = 2;
    const canvas = plane.canvas;
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.end());
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => {
      plane.cursor = null;
      plane.draw();
    });
    onTheme(() => this.active && this.buildTools());
  }

  use(active, points) {
    if (active && !this.stroke && JSON.stringify(points) !== JSON.stringify(this.points)) {
      this.points = points.map((point) => [...point]);
      this.strokes = []; // they were of other points
    }
    this.plane.drawing = active ? this : null;
    this.plane.canvas.classList.toggle("drawing", active);
    this.plane.canvas.setAttribute("role", active ? "application" : "img");
    this.tools.hidden = !active;
    this.classes = Math.max(this.classes, ...this.points.map(([, , label]) => label + 1));
    if (active && !this.active) {
      this.strokes = [];
      this.buildTools();
    }
    if (!active) this.plane.cursor = null;
    this.active = active;
  }

  buildTools() {
    const buttons = Array.from({ length: this.classes }, (_, label) => {
      const button = element("button", { type: "button", "aria-pressed": String(label === this.label) }, icon(label), `class ${label}`);
      button.addEventListener("click", () => {
        this.label = label;
        this.buildTools();
        this.tools.querySelectorAll("button")[label].focus();
      });
      return button;
    });
    const act = (text, action) => {
      const button = element("button", { type: "button", textContent: text });
      button.addEventListener("click", action);
      return button;
    };
    if (this.classes < MOST_CLASSES) {
      buttons.push(act("+ class", () => {
        this.label = this.classes++;
        this.buildTools();
        this.tools.querySelectorAll("button")[this.label].focus();
      }));
    }
    buttons.push(act("Undo", () => this.undo()), act("Clear", () => this.clear()));
    buttons.push(element("span", { className: "hint", textContent: "Click or drag in the picture; by keyboard: arrows, then Enter." }));
    this.tools.replaceChildren(...buttons);
  }

  add([x, y]) {
    if (this.points.length >= this.most) return;
    this.points.push([Number(x.toFixed(3)), Number(y.toFixed(3)), this.label]);
    this.plane.draw();
  }

  begin(event) {
    if (!this.active || event.button > 0) return;
    event.preventDefault();
    this.plane.canvas.focus({ preventScroll: true });
    this.plane.canvas.setPointerCapture(event.pointerId);
    this.stroke = { from: this.points.length, last: [event.clientX, event.clientY] };
    this.add(this.plane.place(event));
  }

  drag(event) {
    if (!this.stroke) return;
    const [x, y] = this.stroke.last;
    if (Math.hypot(event.clientX - x, event.clientY - y) < 11) return;
    this.stroke.last = [event.clientX, event.clientY];
    this.add(this.plane.place(event));
  }

  end() {
    if (!this.stroke) return;
    this.strokes.push(this.stroke.from);
    this.stroke = null;
    this.changed(this.points);
  }

  undo() {
    this.points.length = this.strokes.pop() ?? Math.max(0, this.points.length - 1);
    this.plane.draw();
    this.changed(this.points);
  }

  clear() {
    this.points = [];
    this.strokes = [];
    this.plane.draw();
    this.changed(this.points);
  }

  key(event) {
    if (!this.active) return;
    const [left, right, bottom, top] = this.plane.window;
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    this.plane.cursor ??= [(left + right) / 2, (bottom + top) / 2];
    if (event.key in steps) {
      const size = (event.shiftKey ? 0.1 : 0.025) * (right - left), [dx, dy] = steps[event.key];
      const [x, y] = this.plane.cursor;
      this.plane.cursor = [clamp(x + dx * size, left, right), clamp(y + dy * size, bottom, top)];
      this.plane.note.textContent = this.plane.at(...this.plane.cursor);
    } else if (event.key === "Enter") {
      this.strokes.push(this.points.length);
      this.add(this.plane.cursor);
      this.changed(this.points);
    } else return;
    event.preventDefault();
    event.stopPropagation();
    this.plane.draw();
  }

  /** What is still missing before a network can learn from the points, or "". */
  missing() {
    const counts = new Map();
    for (const [, , label] of this.points) counts.set(label, (counts.get(label) ?? 0) + 1);
    const enough = [...counts.values()].every((count) => count >= 2);
    return counts.size >= 2 && enough ? "" : "Draw at least two points of each of two classes.";
  }
}

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

export function icon(label, faded = false) {
  const canvas = element("canvas", { width: 32, height: 32 });
  canvas.style.width = canvas.style.height = "16px";
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d"), path = new Path2D();
  mark(path, label, 16, 16, faded ? 7 : 10);
  context.lineWidth = 4;
  context.lineJoin = "round";
  context.strokeStyle = palette().edge;
  context.stroke(path);
  context.fillStyle = palette().classes[label % 10];
  context.globalAlpha = faded ? 0.75 : 1;
  context.fill(path);
  return canvas;
}

/** The classes' marks and names. */
export function showLegend(classes) {
  const items = classes.slice(0, MOST_CLASSES).map((name, label) =>
    element("li", {}, icon(label), classes.length < MOST_CLASSES && /^\d$/.test(name) ? `class ${name}` : name));
  const rest = "small: test points · ✕ mistake · thick line: where the class changes";
  document.getElementById("legend").replaceChildren(...items, element("li", { textContent: rest }));
}

/** What to drop, where a table is chosen that the server does not have. */
function missingTable({ columns, label }, file) {
  if (!file && !label) return "Choose a file first.";
  const inputs = columns.length ? `the columns ${columns.join(" and ")}` : "columns of numbers";
  return `The table${file && ` “${file}”`} is not on this server: drop that file anywhere on the page, or choose it under Data. ` +
    `It must have ${inputs}${label ? `, and ${label} for the classes` : ""}.`;
}

/** What data of one's own still needs before a network can learn from it, or "". */
export function missing(data, drawing, file) {
  if (data.kind === "drawn") return drawing.missing();
  return data.kind === "table" && !data.table ? missingTable(data, file) : "";
}

/** The drop zone and the choice of columns. */
export class Table {
  /** `changed({table, columns, label})`; `wish()` has the columns and the label that are wanted. */
  constructor(group, address, changed, wish) {
    Object.assign(this, { address, changed, wish });
    this.held = null; // the table that was dropped last: its columns, and its file's name
    this.sent = 0;
    this.file = element("input", { type: "file", accept: ".csv,.tsv,.txt,.parquet", hidden: true, id: "table-file" });
    const button = element("button", { type: "button", id: "choose-file", textContent: "Choose a file" });
    button.addEventListener("click", () => this.file.click());
    this.file.addEventListener("change", () => this.file.files[0] && this.send(this.file.files[0]));
    this.zone = element("div", { id: "drop" }, "Drop a CSV file here, or", element("br"), button, this.file);
    this.choice = element("div", { id: "columns", hidden: true });
    this.problem = element("p", { className: "error", id: "table-error", role: "alert", hidden: true });
    this.part = element("div", { id: "table", hidden: true }, this.zone, this.choice);
    this.box = element("div", {}, this.part, this.problem); // a file may be dropped whatever the data are
    group.append(this.box);
    // A file may be dropped anywhere on the page.
    addEventListener("dragover", (event) => {
      event.preventDefault();
      this.zone.classList.add("over");
    });
    addEventListener("dragleave", () => this.zone.classList.remove("over"));
    addEventListener("drop", (event) => {
      event.preventDefault();
      this.zone.classList.remove("over");
      if (event.dataTransfer.files[0]) this.send(event.dataTransfer.files[0]);
    });
  }

  /** Another state was chosen: a file that is on its way does not replace it any more. */
  forget() {
    this.sent += 1;
    this.say("");
    this.zone.removeAttribute("aria-busy");
  }

  /** Show the choice of columns of a state with this data. */
  use({ kind, table, columns, label }) {
    this.part.hidden = kind !== "table";
    if (this.part.hidden || !this.held) return;
    this.choice.hidden = table !== this.held.table;
    const state = { table, columns: [...columns], label };
    if (this.choice.hidden || JSON.stringify(state) === JSON.stringify(this.state)) return;
    this.state = state;
    this.build();
  }

  async send(file) {
    if (!this.wish()) return; // there is no state yet
    const mine = ++this.sent;
    this.say("");
    this.zone.setAttribute("aria-busy", "true");
    let answer;
    try {
      const response = await fetch(this.address(file.name), { method: "POST", body: file });
      answer = await response.json().catch(() => ({ error: `the server answered ${response.status}` }));
    } catch {
      answer = { error: "the file did not reach the server" };
    }
    if (mine !== this.sent) return; // another file or state was chosen meanwhile
    this.zone.removeAttribute("aria-busy");
    this.file.value = "";
    if (answer.error) return this.say(answer.error);
    this.held = { ...answer, name: file.name };
    const numbers = answer.columns.filter((column) => column.kind === "numbers").map(({ name }) => name);
    const words = answer.columns.filter((column) => column.kind === "words");
    const few = answer.columns.filter((column) => column.different <= MOST_CLASSES);
    const label = (words.find((column) => few.includes(column)) ?? few.at(-1) ?? answer.columns.at(-1)).name;
    const inputs = numbers.filter((name) => name !== label).slice(0, 2);
    this.state = { table: answer.table, columns: inputs.length === 2 ? inputs : [], label };
    const wish = this.wish();
    if (answer.columns.some(({ name }) => name === wish.label) && wish.columns.every((name) => numbers.includes(name))) {
      this.state = { table: answer.table, columns: [...wish.columns], label: wish.label };
    }
    this.build();
    this.changed(this.state);
  }

  say(sentence) {
    this.problem.textContent = sentence;
    this.problem.hidden = !sentence;
  }

  build() {
    const { columns, rows, name, notes } = this.held;
    const select = (id, text, names, value, change) => {
      const made = element("select", { id }, ...names.map(([key, shown]) => element("option", { value: key, textContent: shown })));
      made.value = value;
      made.addEventListener("change", () => {
        change(made.value);
        this.build();
        this.changed(this.state);
        document.getElementById(id)?.focus();
      });
      return element("div", { className: "field" }, element("label", { htmlFor: id, textContent: text }), made);
    };
    const all = columns.map((column) => [column.name, column.name]);
    const numbers = columns.filter((column) => column.kind === "numbers" && column.name !== this.state.label)
      .map((column) => [column.name, column.name]);
    const two = this.state.columns.length === 2;
    const parts = [
      element("p", { className: "hint", textContent: `${name}: ${rows.toLocaleString("en")} rows, ${columns.length} columns` }),
      select("table-label", "class is the column", all, this.state.label, (value) => {
        this.state.label = value;
        this.state.columns = this.state.columns.filter((column) => column !== value);
        if (this.state.columns.length < 2) this.state.columns = [];
      }),
      select("table-inputs", "inputs", [["two", "two columns"], ["components", "all columns; the plane of their principal components"]],
        two ? "two" : "components", (value) => {
          this.state.columns = value === "two" ? numbers.slice(0, 2).map(([key]) => key) : [];
        }),
    ];
    if (two) {
      ["across", "up"].forEach((text, i) => parts.push(
        select(`table-column-${i}`, text, numbers, this.state.columns[i], (value) => {
          this.state.columns = this.state.columns.map((old, k) => (k === i ? value : old));
        })));
    }
    for (const note of notes ?? []) parts.push(element("p", { className: "hint", textContent: note }));
    this.choice.replaceChildren(...parts);
    this.choice.hidden = false;
  }
}
