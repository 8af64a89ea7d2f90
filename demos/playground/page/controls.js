// The settings, made from the server's description of every field.

const LABELS = {
  "data.kind": "points", "data.points": "how many", "data.noise": "noise", "data.turns": "turns",
  "data.classes": "classes", "data.dimensions": "dimensions", "data.fractal": "fractal",
  "data.train_share": "share to train on", "data.seed": "seed of points",
  "data.formula": "class 1 is where",
  "network.activation": "activation", "network.initialiser": "initial weights",
  "network.batch_norm": "batch normalisation", "network.residual": "shortcuts (residual)",
  "network.dropout": "dropout",
  "training.loss": "loss", "training.optimizer": "optimizer", "training.learning_rate": "learning rate",
  "training.weight_decay": "weight decay", "training.batch_size": "batch size",
  "training.seed": "seed of weights",
};
const WORDS = {
  chapter_spirals: "spirals of a textbook", blobs: "clouds",
  linearly_separable: "separable by a line", xor: "XOR", parity: "parity", fractal: "a fractal",
  digits: "images of digits", drawn: "drawn by you", formula: "from a formula", table: "your own table (CSV)",
  sgd: "gradient descent", momentum: "momentum", adam: "Adam", adamw: "AdamW",
  relu: "ReLU", leaky_relu: "leaky ReLU", gelu: "GELU", threshold: "threshold (straight-through)",
  he_normal: "He, normal", he_uniform: "He, uniform", xavier_normal: "Xavier, normal",
  xavier_uniform: "Xavier, uniform", lecun_normal: "LeCun, normal", fan_out_normal: "fan-out, normal",
  cross_entropy: "cross-entropy", hinge: "hinge", huber: "Huber",
};
// Sliders that do not run evenly from low to high.
const LADDERS = {
  "data.points": [20, 50, 100, 200, 300, 400, 600, 800, 1200, 2000, 3000, 5000],
  "training.learning_rate": [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 3, 10],
  "training.weight_decay": [0, 0.00001, 0.0001, 0.001, 0.01, 0.1, 1],
};
const STEPS = { "data.noise": 0.01, "data.turns": 0.1, "data.train_share": 0.05, "network.dropout": 0.05 };
const OWN = new Set(["data.drawn", "data.table", "data.columns", "data.label", "network.layers"]);
const FIRST = ["kind", "formula", "fractal", "dimensions", "classes"];
const ALWAYS = new Set(["kind", "train_share", "seed"]);

export const word = (value) => WORDS[value] ?? String(value).replaceAll("_", " ");
const id = (path) => path.replace(".", "-");
/** A sentence with the fields' labels in place of their names. */
export const named = (sentence) =>
  sentence.replace(/\b(data|network|training)\.\w+/g, (path) => (path in LABELS ? `“${LABELS[path]}”` : path));

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && key !== "list") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}
export { element };

export class Controls {
  /** `change(path, value, settled)`: settled is false while a slider moves. */
  constructor(form, change) {
    this.form = form;
    this.change = change;
    this.fields = new Map();
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  build(limits) {
    this.used = limits.used;
    if (this.fields.size) return;
    for (const [part, fields] of Object.entries(limits.fields)) {
      const group = this.form.querySelector(`#${part}-fields`);
      const order = ([name]) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
      for (const [name, field] of Object.entries(fields).sort((a, b) => order(a) - order(b))) {
        const path = `${part}.${name}`;
        if (!OWN.has(path)) this.add(group, path, name, field);
      }
    }
  }

  add(group, path, name, field) {
    const box = element("div", { className: "field" });
    const made = this.make(box, path, field);
    const error = element("p", { className: "error", id: `${id(path)}-error`, hidden: true });
    box.append(error);
    group.append(box);
    this.fields.set(path, { ...made, box, error, name });
  }

  make(box, path, field) {
    const label = element("label", { htmlFor: id(path), textContent: LABELS[path] ?? word(path.split(".")[1]) });
    const tell = (value, settled = true) => this.change(path, value, settled);
    if (field.kind === "choice") {
      const input = element("select", { id: id(path) },
        ...field.choices.map((choice) => element("option", { value: choice, textContent: word(choice) })));
      input.addEventListener("change", () => tell(input.value));
      box.append(label, input);
      return { input, show: (value) => (input.value = value) };
    }
    if (field.kind === "flag") {
      const input = element("input", { type: "checkbox", id: id(path) });
      input.addEventListener("change", () => tell(input.checked));
      box.classList.add("flag");
      box.append(input, label);
      return { input, show: (value) => (input.checked = value) };
    }
    if (field.kind === "text") {
      const input = element("input", { type: "text", id: id(path), maxLength: field.longest, spellcheck: false });
      const show = typed(input, () => tell(input.value));
      box.append(label, input);
      return { input, show };
    }
    return this.makeNumber(box, path, field, label, tell);
  }

  makeNumber(box, path, field, label, tell) {
    const isSeed = path.endsWith(".seed");
    const input = element("input", {
      type: "number", id: id(path), min: field.low, max: field.high, step: field.kind === "whole" ? 1 : "any",
      placeholder: field.optional ? "full" : "",
    });
    const showNumber = typed(input, () => {
      if (input.value === "" && field.optional) return tell(null);
      tell(input.value === "" ? field.default : Number(input.value));
    });
    box.append(label, input);
    if (isSeed) {
      const next = element("button", { type: "button", textContent: "+1", "aria-label": `${label.textContent}: the next` });
      next.addEventListener("click", () => tell((Number(input.value) || 0) + 1));
      box.append(element("span", { className: "seed" }, input, next));
    }
    let slider = null;
    const ladder = LADDERS[path];
    if (!isSeed && !field.optional) {
      slider = element("input", { type: "range", id: `${id(path)}-slider`, "aria-label": `${label.textContent}, slider` });
      Object.assign(slider, ladder
        ? { min: 0, max: ladder.length - 1, step: 1 }
        : { min: field.low, max: field.high, step: STEPS[path] ?? 1 });
      const value = () => (ladder ? ladder[slider.value] : Number(Number(slider.value).toFixed(6)));
      slider.addEventListener("input", () => {
        tell(value(), false);
      });
      slider.addEventListener("change", () => tell(value()));
      box.append(slider);
    }
    return {
      input,
      show: (value, isAnother) => {
        showNumber(value, isAnother);
        if (!slider || (document.activeElement === slider && !isAnother)) return;
        slider.value = ladder ? nearest(ladder, value) : value;
      },
    };
  }

  /** Show a state: values, and only the fields that count. Another state, of a link or a lesson,
   * replaces what is being typed too. */
  show(state, isAnother = false) {
    const used = this.used?.[state.data.kind];
    for (const [path, field] of this.fields) {
      const [part, name] = path.split(".");
      field.show(state[part][name], isAnother);
      const fixed = state.data.kind === "digits" && (name === "train_share" || name === "seed");
      field.box.hidden = part === "data" && ((used && !ALWAYS.has(name) && !used.includes(name)) || fixed);
    }
  }

  /** Put a sentence beside its field; true where such a field is shown. */
  fail(path, sentence) {
    const field = this.fields.get(path);
    if (!field || field.box.hidden) return false;
    field.error.textContent = sentence;
    field.error.hidden = false;
    field.input.setAttribute("aria-invalid", "true");
    field.input.setAttribute("aria-describedby", field.error.id);
    return true;
  }

  clearErrors() {
    for (const { error, input } of this.fields.values()) {
      error.hidden = true;
      input.removeAttribute("aria-invalid");
    }
  }
}

/** Calls `entered` once something is entered into a field; gives a function that shows a value
 * there, unless something else is being typed. */
function typed(input, entered) {
  let known = input.value; // what was shown or entered last
  input.addEventListener("change", () => {
    known = input.value;
    entered();
  });
  return (value, isAnother) => {
    const isTyping = document.activeElement === input && (input.value !== known || input.validity.badInput);
    if (isTyping && !isAnother) return;
    input.value = value ?? "";
    known = input.value;
  };
}

function nearest(ladder, value) {
  let best = 0;
  ladder.forEach((each, i) => {
    if (Math.abs(each - value) < Math.abs(ladder[best] - value)) best = i;
  });
  return best;
}
