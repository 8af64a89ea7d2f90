// Lessons: three sentences, a question to predict, then the network is let go.

import { element } from "./controls.js";
import { percent } from "./curves.js";

/** Numbers stay beside their unit. */
const bound = (text) => text.replaceAll(" %", "\u00a0%");
const trains = (action) => ["play", "ticket"].includes(action?.do);

export class Lessons {
  /** `on` has `begin(lesson)`, `predicted()`, `drop()`, `pause()`, `act(action)` and `end()`. */
  constructor(select, card, on) {
    Object.assign(this, { select, card, on, lessons: [] });
    this.current = null;
    this.chosen = null;
    select.addEventListener("change", () => this.open(select.value));
  }

  /** Fetch the lessons, unless they are here. Raises where the server does not answer. */
  async load(address) {
    const found = this.lessons.length ? [] : await (await fetch(address)).json();
    if (this.lessons.length) return;
    this.lessons = found;
    this.lessons.forEach((lesson, i) =>
      this.select.append(element("option", { value: lesson.id, textContent: `${i + 1}. ${lesson.title}` })));
  }

  /** Whether play waits for a prediction. */
  get waits() {
    return this.current !== null && this.chosen === null;
  }

  /** The step at which training pauses. */
  get until() {
    return this.current?.until ?? null;
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
      return element("label", {}, input, bound(text));
    });
    this.outcome = element("div", { className: "outcome", role: "status", hidden: true });
    this.actions = element("div", { className: "variants" });
    const close = element("button", { type: "button", textContent: "Leave the lesson" });
    close.addEventListener("click", () => {
      this.open("");
      this.select.focus();
    });
    const number = this.lessons.indexOf(lesson) + 1;
    this.card.replaceChildren(
      element("div", { className: "row" },
        element("h2", { id: "lesson-title", textContent: `Lesson ${number}: ${lesson.title}` }), close),
      element("div", { className: "columns" },
        element("div", {}, element("p", { textContent: bound(lesson.sentences.join(" ")) })),
        element("div", {},
          element("fieldset", {}, element("legend", { textContent: bound(lesson.question) }),
            element("div", { className: "options" }, ...options)),
          this.actions, this.outcome)));
    this.buildActions();
  }

  buildActions() {
    this.doing = null; // the action whose button was pressed last
    this.trainedLast = null; // the last one that trains
    this.learned = false; // whether all weights were trained to the end
    this.results = new Map(); // what came out, by the labels of the buttons
    this.buttons = (this.current.actions ?? [{ label: "Play", do: "play" }]).map((action) => {
      const button = element("button", { type: "button", textContent: action.label });
      button.addEventListener("click", () => {
        this.on.drop(); // what runs is told beside the button that began it
        this.press(action);
        this.tell("", true);
        this.learned &&= !action.state; // else it begins anew
        this.enable();
        this.on.act(action);
      });
      return { button, action };
    });
    const show = element("button", { type: "button", textContent: "What happens?", disabled: this.waits });
    show.addEventListener("click", () => this.reveal());
    this.told = element("ul", { className: "told", "aria-live": "off" });
    this.actions.replaceChildren(...this.buttons.map(({ button }) => button), show);
    if (this.waits) this.actions.append(element("span", { className: "hint", textContent: "Predict first; then play." }));
    this.actions.append(this.told);
    this.enable();
  }

  press(action) {
    if (trains(action)) this.trainedLast = action;
    this.doing = action;
  }

  enable() {
    for (const { button, action } of this.buttons) button.disabled = this.waits || (!!action.trained && !this.learned);
  }

  /** What came out of the action at work, or how far it is, beside what came out of the others. */
  tell(text, isBusy = false) {
    if (!this.current || this.waits || !this.doing) return;
    this.results.set(this.doing.label, text);
    this.told.setAttribute("aria-live", isBusy ? "off" : "polite"); // progress changes too fast
    const shown = [...this.results].filter(([, result]) => result);
    this.told.replaceChildren(...shown.map(([label, result]) => element("li", {}, element("b", { textContent: label }), `: ${result}`)));
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
      bound(outcome));
    this.outcome.hidden = false;
  }

  /** The page's own buttons do what one of the lesson's does: that one counts as pressed. */
  does(what) {
    if (!this.current) return;
    if (this.doing?.do === what || (what === "play" && trains(this.doing))) return;
    const same = this.buttons.find(({ action }) => action.do === what && this.fits(action))?.action ?? null;
    this.press((what === "play" && this.trainedLast) || same);
  }

  /** Whether what is trained is what the action's button says. */
  fits({ do: what, state }) {
    const same = ([part, fields]) => Object.entries(fields).every(
      ([name, value]) => JSON.stringify(this.state?.[part][name]) === JSON.stringify(value));
    return (what === "ticket" ? this.isTicket : true) && Object.entries(state ?? {}).every(same);
  }

  /** Training of this state begins anew: of all weights, or of a ticket that they gave. */
  begun(state, isTicket) {
    Object.assign(this, { state, isTicket });
    if (!this.current) return;
    for (const key of ["doing", "trainedLast"]) if (this[key] && !this.fits(this[key])) this[key] = null;
    this.reached = false;
    this.learned &&= isTicket;
    this.enable();
  }

  /** Once enough steps were made: pause, and say what came out. */
  progress({ step, accuracies, pruned, silent }) {
    if (!this.current || this.waits || !this.doing) return;
    const right = `${percent(accuracies.test, 1)} correct on test points`;
    if (this.doing.do === "prune" && pruned === this.doing.share) this.tell(right);
    if (this.reached || !trains(this.doing) || !(step >= this.current.until)) return;
    this.reached = this.learned = true;
    this.enable();
    this.on.pause();
    const dead = silent === null ? "" : `, ${silent} hidden neurons are zero on every training point`;
    this.finished(this.doing.do, `${right} after ${step.toLocaleString("en")} steps${this.current.id === "dying" ? dead : ""}`);
  }

  /** Something came to its end: show the outcome where the lesson waits for that. */
  finished(what, sentence) {
    if (!this.current || this.waits) return;
    this.tell(sentence);
    if ((this.current.after ?? "play") === what) this.reveal();
  }
}
