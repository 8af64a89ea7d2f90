// Hidden layers and their neurons, one more or one less.

const $ = (id) => document.getElementById(id);
const MOST_LAYERS = 8, MOST_NEURONS = 64;

export class Layers {
  /** `wanted()` are the hidden layers' widths, `change(widths)` sets them. */
  constructor(wanted, change) {
    Object.assign(this, { wanted, change });
    $("more-layers").addEventListener("click", () => {
      if (wanted().length < MOST_LAYERS) change([...wanted(), wanted().at(-1) ?? 4]);
    });
    $("fewer-layers").addEventListener("click", () => change(wanted().slice(0, -1)));
  }

  count() {
    const n = this.wanted().length;
    $("layer-count").textContent = `${n} hidden layer${n === 1 ? "" : "s"}`;
    // A button that can go no further hands the focus on.
    const { id } = document.activeElement, isOut = id === (n ? n === MOST_LAYERS && "more-layers" : "fewer-layers");
    $("fewer-layers").disabled = n === 0;
    $("more-layers").disabled = n === MOST_LAYERS;
    if (isOut) $(n ? "fewer-layers" : "more-layers").focus();
  }

  /** Buttons above the drawn layers, at the columns' middles. */
  place(columns, layers) {
    const focused = document.activeElement?.dataset?.stepper;
    const size = parseFloat(getComputedStyle($("layer-steppers")).getPropertyValue("--stepper"));
    const narrow = columns.length > 1 && columns[1] - columns[0] < 2 * size + 10;
    $("layer-steppers").classList.toggle("narrow", narrow);
    $("layer-steppers").replaceChildren(...layers.map((count, layer) => {
      const column = document.createElement("div"), words = document.createElement("div");
      column.className = "column";
      column.style.left = `${columns[layer]}px`;
      const hidden = layer > 0 && layer < layers.length - 1;
      words.textContent = hidden ? String(count) : `${layer ? "output" : "input"}${count === 1 ? "" : "s"}`;
      column.append(words);
      if (hidden) column.append(this.buttons(layer));
      return column;
    }));
    if (focused) document.querySelector(`[data-stepper="${focused}"]`)?.focus();
  }

  buttons(layer) {
    const box = document.createElement("div");
    box.className = "buttons";
    for (const [text, by, word] of [["−", -1, "less"], ["+", 1, "more"]]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.dataset.stepper = `${layer}${text}`;
      button.setAttribute("aria-label", `One neuron ${word} in hidden layer ${layer}`);
      button.addEventListener("click", () => {
        const widths = [...this.wanted()];
        if (layer > widths.length) return; // it was taken away, and is drawn until the server answers
        widths[layer - 1] = Math.max(1, Math.min(MOST_NEURONS, widths[layer - 1] + by));
        if (widths[layer - 1] !== this.wanted()[layer - 1]) this.change(widths);
      });
      box.append(button);
    }
    return box;
  }
}
