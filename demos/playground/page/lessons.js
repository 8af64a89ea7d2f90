// Lessons: three sentences, a question to predict, then the network is let go.

import { element } from "./controls.js";

export class Lessons {
  /** `on` has `begin(lesson)`, `predicted()`, `pause()`, `act(action)` and `end()`. */
  constructor(select, card, on) {
    Object.assign(this, { select, card, on });
    this.current = null;
    this.chosen = null;
    select.addEventListener("change", () => this.open(select.value));
  }

  async load(address) {
    this.lessons = await (await fetch(address)).json();
    this.lessons.forEach((lesson, i) =>
      this.select.append(element("option", { value: lesson.id, textContent: `${i + 1}. ${lesson.title}` })));
  }

  /** Whether play waits for a prediction. */
  get waits() {
    return this.current !== null && this.chosen === null;
  }

  open(id) {
    this.current = this.lessons.find((lesson) => lesson.id === id) ?? null;
    this.chosen = null;
    this.select.value = this.current ? id : "";
    this.card.hidden = !this.current;
    if (!this.current) return this.on.end();
    this.build();
    this.on.begin(this.current);
  }

  build() {
    const lesson = this.current;
    const options = lesson.options.map((text, i) => {
      const input = element("input", { type: "radio", name: "prediction", value: i, id: `prediction-${i}` });
      input.addEventListener("change", () => this.predict(i));
      return element("label", {}, input, text);
    });
    this.outcome = element("div", { className: "outcome", role: "status", hidden: true });
    this.actions = element("div", { className: "variants" });
    const close = element("button", { type: "button", textContent: "Leave the lesson" });
    close.addEventListener("click", () => this.open(""));
    const number = this.lessons.indexOf(lesson) + 1;
    this.card.replaceChildren(
      element("div", { className: "row" },
        element("h2", { id: "lesson-title", textContent: `Lesson ${number}: ${lesson.title}` }), close),
      element("div", { className: "columns" },
        element("div", {}, element("p", { textContent: lesson.sentences.join(" ") })),
        element("div", {},
          element("fieldset", {}, element("legend", { textContent: lesson.question }),
            element("div", { className: "options" }, ...options)),
          this.actions, this.outcome)));
    this.buildActions();
  }

  buildActions() {
    const buttons = (this.current.actions ?? [{ label: "Play", do: "play" }]).map((action) => {
      const button = element("button", { type: "button", textContent: action.label, disabled: this.waits });
      button.addEventListener("click", () => this.on.act(action));
      return button;
    });
    const show = element("button", { type: "button", textContent: "What happens?", disabled: this.waits });
    show.addEventListener("click", () => this.reveal());
    this.actions.replaceChildren(...buttons, show);
    if (this.waits) this.actions.append(element("span", { className: "hint", textContent: "Predict first; then play." }));
  }

  predict(i) {
    const first = this.chosen === null;
    this.chosen = i;
    if (!this.outcome.hidden) this.reveal();
    if (!first) return;
    this.buildActions();
    this.on.predicted();
  }

  reveal() {
    const { answer, options, outcome } = this.current;
    const right = this.chosen === answer;
    this.outcome.replaceChildren(
      element("span", { className: right ? "right" : "otherwise",
        textContent: right ? "✓ As you predicted. " : `✗ You predicted “${options[this.chosen]}”. ` }),
      outcome);
    this.outcome.hidden = false;
  }

  /** Show the outcome once enough steps were made. */
  progress(step) {
    if (this.current && !this.waits && this.outcome.hidden && this.current.until && step >= this.current.until) {
      this.on.pause();
      this.reveal();
    }
  }

  finished(what) {
    if (this.current && !this.waits && this.current.after === what) this.reveal();
  }
}
