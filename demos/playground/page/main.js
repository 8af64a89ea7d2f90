// Holds the page together: the state that is wanted, what the server says, and what is drawn.

import { applyTheme, labelTheme, nextTheme, onTheme } from "./colors.js";
import { Backprop } from "./backprop.js";
import { combine, Connection, isRefused } from "./connection.js";
import { Controls, named } from "./controls.js";
import { Curves } from "./curves.js";
import { Experiments } from "./experiments.js";
import { Hover } from "./hover.js";
import { Layers } from "./layers.js";
import { Lessons } from "./lessons.js";
import { Network } from "./network.js";
import { Drawing, missing, showLegend, Table } from "./own_data.js";
import { Plane } from "./plane.js";
import { Presses } from "./presses.js";
import { numbers, readouts } from "./readouts.js";
import { decode, encode } from "./share.js";
import { shortcuts } from "./shortcuts.js";
import { clone, defaults, fileOf, linkNotes, merge, notesOf, viewFrom } from "./states.js";
import { dialogs } from "./take.js";
import { View } from "./view.js";

const $ = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token") ?? "";
const socketAddress = `ws://${location.host}/ws?token=${encodeURIComponent(token)}`;

const UNREADABLE = "The address held a link that cannot be read.";
const SLIDER_MS = 140;
const LEFT_OUT_MS = 1000; // until a state is asked for again

let limits = null;
const getLimits = () => limits;
let wanted = null; // the state that the controls show
let understood = null; // the server's answer to it: state, parameters, classes, …
let unsolicited = null; // the default state that a fresh connection brings, when another is wanted
let first = true; // whether the connection's first state is still to come
let asked = 0, answered = 0; // the numbers of the last state that was asked for, and answered
const pending = () => answered < asked;
let restored = null; // what the address held
let sent = null; // the state that was sent last
let question = null; // the message that asked for a state last: it, or a ticket
let isWhole = true; // whether the server can begin with what is wanted
let lacking = ""; // what drawn points still need before a network can learn from them
let file = ""; // the name of the table's file, of this page or of a link
let unreadable = ""; // a sentence about an address that holds something else
let playing = false;
let ended = false; // training diverged: it cannot go on
let picture = null;
let resume = false; // play on once the new state has come
let leftOut = null; // a timer: then what was left out is said again

const send = (message) => connection.send(message);
const presses = new Presses(send);
const plane = new Plane($("plane"), $("plane-note"));
const view = new View(plane, {
  send,
  changed(key) {
    if (key === "regions" && !view.regions) notice("");
    keep();
  },
});
const curves = new Curves($("loss-curve"), $("accuracy-curve"));
const network = new Network($("network-drawing"), $("network"), $("neurons"), {
  hover: (what) => hover.ask(what),
  leave: () => {},
  placed: (columns) => understood && layers.place(columns, understood.layers),
});
const backprop = new Backprop($("backprop-panel"), network, {
  ask: (sample) => {
    plane.sample = sample;
    plane.draw();
    send({ do: "backprop", sample });
  },
  name: (layer, neuron) => network.name(layer, neuron),
  className: (label) => understood.classes[label].replace(/^\d+$/, "class $&"),
});
const layers = new Layers(() => wanted.network.layers, (widths) => {
  change("network.layers", widths, true);
  layers.count();
});
// The next network may not have the neuron; once it has begun, it is asked about what it has.
const hover = new Hover($("detail"), network, (message) => pending() || send(message),
  () => (backprop.active ? backprop.sample : 0));
const controls = new Controls($("controls"), change);
const experiments = new Experiments(send, () => wanted, () => understood.classes.length, {
  started(what) {
    if (playing) pause();
    lessons.does(what);
  },
  tell: (sentence, isBusy) => lessons.tell(sentence, isBusy),
});
const lessons = new Lessons($("lesson"), $("lesson-card"), {
  begin(lesson) {
    if (playing) pause();
    resume = false;
    adopt(merge(defaults(limits), lesson.state), { regions: true, ...lesson.show });
    gate();
  },
  predicted: gate,
  end: gate,
  drop: () => experiments.drop(),
  pause: () => playing && toggle(),
  act(action) {
    if (action.state) adopt(merge(wanted, action.state), {});
    if (action.do === "play") {
      if (action.state) {
        view.setPrune(0);
        resume = true;
      } else if (!playing) toggle();
    } else if (action.do === "prune") {
      if (playing) toggle();
      view.setPrune(action.share);
    } else if (action.do === "ticket") {
      view.setPrune(0);
      resume = true;
      askFor({ do: "ticket", share: action.share, mask: action.mask });
    } else if (action.do) experiments.start(action.do, action.steps);
  },
});
const drawing = new Drawing(plane, $("draw-tools"), 5000, (points) => {
  wanted.data.drawn = points.map((point) => [...point]);
  submit();
});
const table = new Table($("data-fields"), (name) => `/table?token=${encodeURIComponent(token)}&name=${encodeURIComponent(name)}`,
  (chosen) => {
    Object.assign(wanted.data, chosen, { kind: "table" });
    controls.show(wanted);
    showOwn();
    submit();
  }, () => wanted?.data);

// What the server says -------------------------------------------------------------------------

const connection = new Connection(socketAddress, {
  open() {
    banner("");
    answered = asked;
    unsolicited = null;
    waiting = null; // a picture that the connection before brought
    experiments.drop(); // what it trained is lost
    first = true;
    presses.restart();
    lessons.load("page/lessons.json").catch(() => {}); // the next connection tries again
    if (wanted) set(wanted);
    view.apply();
    if (playing && wanted) resume = true;
    document.body.dataset.connected = "yes";
  },
  text(message) {
    answers[message.say]?.(message);
  },
  picture(next) {
    if (!waiting) requestAnimationFrame(show);
    waiting = waiting ? combine(waiting, next) : next;
  },
  async lost(attempts) {
    document.body.dataset.connected = "no";
    take.lost();
    if (attempts === 0 && playing) playingIs(true);
    let sentence = "The server does not answer: it has ended, or the connection is cut. Trying again…";
    if (attempts >= 1 && (await isRefused())) {
      sentence = "A server answers that does not know this page's token: it was started anew. Open the address that it printed; the part after # of this one still holds your settings.";
    }
    if (document.body.dataset.connected === "no") banner(sentence);
  },
});

const answers = {
  limits(message) {
    limits = message;
    controls.build(limits);
    $("data-fields").append(table.box);
    drawing.most = limits.fields.data.drawn.most;
    $("lesson").disabled = false;
    if (!wanted && restored?.state) set(restored.state);
  },
  state(message) {
    if (message.id !== null) answered = message.id;
    else if (first && pending()) {
      first = false;
      unsolicited = message;
      return;
    }
    first = false;
    unsolicited = null;
    begin(message);
  },
  error(message) {
    const { of, id } = message;
    if (of === "set" || of === "ticket") {
      answered = id ?? asked;
      tellRest();
      if (pending()) return; // it is about what was replaced since
      resume = false; // what was to be played is refused: the training before goes on, or rests
      if (picture && presses.areHeard(picture)) playingIs(picture.playing);
    } else if (!of) leftOut ??= setTimeout(sayAgain, LEFT_OUT_MS);
    if (unsolicited && !pending()) {
      begin(unsolicited);
      unsolicited = null;
      requestAnimationFrame(show);
    }
    fail(message);
  },
  stopped({ why, sentence }) {
    ended = why === "diverged";
    if (pending()) return; // another training is to begin
    playingIs(false);
    notice(sentence);
    lessons.finished("stopped", sentence);
  },
  progress: (message) => experiments.progress(message),
  cancelled: (message) => experiments.givenUp(message),
  ten_seeds: (message) => experiments.awaits(message) && lessons.finished("ten_seeds", experiments.seeds(message)),
  sweep: (message) => experiments.awaits(message) && lessons.finished("sweep", experiments.sweep(message)),
  backprop: (message) => backprop.take(message),
  hover: (message) => hover.show(message),
  export: (message) => take.receive(message),
};

/** A state that the server has begun with. */
function begin(message) {
  understood = message;
  document.querySelector("main").inert = $("share").disabled = $("take").disabled = false;
  file = message.file || file;
  ended = false;
  picture = null; // its first one is still to come
  delete document.body.dataset.step;
  if (message !== unsolicited) waiting = null; // a picture of the state before
  if (!pending() && !timer && isWhole) {
    wanted = clone(message.state);
    controls.clearErrors();
    notice([unreadable, ...notesOf(message)].join(" ").trim());
    unreadable = "";
    controls.show(wanted);
    showOwn();
  }
  lessons.begun(clone(pending() ? wanted : message.state), message.ticket);
  if (message.inputs !== 2 && plane.sample !== null) plane.sample = null;
  curves.clear();
  experiments.forget(message.state, message.ticket);
  const inputs = message.inputs === 2 ? message.names : Array.from({ length: message.inputs }, (_, i) => String(i + 1));
  backprop.anew();
  network.shape(message.layers, inputs, message.classes);
  hover.anew();
  showLegend(understood.classes);
  layers.count();
  playingIs(playing && resume);
  if (resume && !pending()) {
    resume = false;
    play();
    playingIs(true);
  }
  keep();
}

let waiting = null;

function show() {
  if (!waiting || unsolicited) return; // it is shown if the wanted state is refused
  picture = waiting;
  waiting = null;
  plane.window = understood.window;
  plane.classes = understood.classes;
  plane.take(picture);
  network.take(picture);
  for (const rows of picture.skipped ?? []) curves.add(rows);
  if (picture.arrays.curves) curves.add(picture.arrays.curves);
  plane.draw();
  drawSlowly(picture.playing);
  if (picture.arrays.points || !picture.playing) backprop.again(plane.points.shape[0]);
  readouts(picture, plane.canvas);
  if (picture.playing !== playing && !resume && presses.areHeard(picture)) playingIs(picture.playing);
  if (picture.sentence && view.regions) notice(picture.sentence, true);
  if (!pending()) lessons.progress(picture);
  send({ do: "seen", picture: picture.n });
  document.body.dataset.picture = picture.n;
  document.body.dataset.step = picture.step;
  tellRest();
}

/** Whether the page rests: all that was asked is answered, drawn and kept, and nothing plays. */
function tellRest() {
  const isDrawn = picture && !picture.playing && presses.areHeard(picture);
  document.body.dataset.rests = isDrawn && !pending() && kept === keepNumber ? "yes" : "no";
}

let lastSlow = 0;
/** The network and the curves are drawn less often than the plane while it trains. */
function drawSlowly(busy) {
  const now = performance.now(), edges = network.layers.reduce((sum, n, i, all) => sum + (i ? n * all[i - 1] : 0), 0);
  if (busy && now - lastSlow < (edges > 300 ? 200 : 100)) return;
  lastSlow = now;
  busy && edges > 300 ? network.drawNext() : network.draw();
  curves.draw();
  $("network-note").textContent = network.note(backprop.active, understood.parameters);
  if (network.focus && busy) hover.ask(network.focus);
}

// Numbers and words ----------------------------------------------------------------------------

function banner(sentence) {
  $("banner").hidden = !sentence;
  $("banner").textContent = sentence;
}

let gentle = "";
/** A sentence about what is shown, under the picture. */
function notice(sentence, quiet = false) {
  if (quiet && sentence === gentle) return;
  gentle = sentence;
  $("notice").textContent = sentence;
  $("notice").hidden = !sentence;
}

function fail(message) {
  const { field } = message, sentence = named(message.sentence);
  if (field === "data.table") awaitTable();
  else if (!field || !controls.fail(field, sentence)) notice(sentence);
  experiments.failed(message);
  take.failed(message);
}

/** Ask for a table that this server does not have, and keep all else that was wanted. */
function awaitTable() {
  wanted = merge(defaults(limits), sent);
  wanted.data.table = "";
  controls.show(wanted);
  showOwn();
  complete();
  keep();
}

function playingIs(now) {
  if (playing && !now && picture) numbers(picture);
  playing = now;
  const button = $("play");
  button.classList.toggle("playing", now);
  $("detail").setAttribute("aria-live", now ? "off" : "polite"); // its numbers change too fast
  button.querySelector(".word").textContent = now ? "Pause" : "Play";
}

// Changes --------------------------------------------------------------------------------------
let timer = null;
function change(path, value, settled) {
  const [part, name] = path.split(".");
  wanted[part][name] = value;
  controls.show(wanted);
  if (path === "data.kind") {
    if (value !== "table") table.forget();
    showOwn();
  }
  clearTimeout(timer);
  if (settled) submit();
  else timer = setTimeout(submit, SLIDER_MS);
}

/** Find out whether the server can begin with what is wanted, and say what is missing. */
function complete() {
  const why = missing(wanted.data, drawing, file), drawn = wanted.data.kind === "drawn";
  if (why || drawn) notice(why);
  lacking = drawn ? why : ""; // the points that were learned from until now are not shown any more
  gate();
  isWhole = !why;
}

function submit() {
  clearTimeout(timer);
  timer = null;
  controls.clearErrors();
  notice("");
  complete();
  if (lacking) resume = false;
  if (lacking && playing) pause();
  if (!isWhole) return;
  experiments.drop();
  if (playing) resume = true;
  set(wanted);
}

function set(state) {
  sent = clone(state);
  askFor({ do: "set", state: sent });
}

/** Send a message that a state answers. */
function askFor(message) {
  question = message;
  send({ ...message, id: ++asked });
  tellRest();
}

/** Say what the server may not have heard. */
function sayAgain() {
  leftOut = null;
  view.apply();
  if (picture) send({ do: "seen", picture: picture.n });
  if (pending()) askFor(question);
  else presses.repeat(picture);
}

/** Take over a whole state, from a lesson or a link, instead of any other that is on its way. */
function adopt(state, shown) {
  opened += 1;
  table.forget();
  wanted = clone(state);
  Object.assign(view, shown, { prune: 0 });
  view.apply();
  controls.show(wanted, true);
  showOwn();
  submit();
}

function showOwn() {
  const drawn = wanted.data.kind === "drawn";
  drawing.use(drawn, wanted.data.drawn);
  table.use(wanted.data);
  if (drawn) complete();
  plane.draw();
}

// Controls of training -------------------------------------------------------------------------

function gate() {
  const why = lessons.waits ? "Predict first; then play" : lacking;
  for (const name of ["play", "step", "epoch", "ten-seeds", "sweep"]) $(name).disabled = !!why;
  $("play").title = why || "Play or pause (space)";
}

function play() {
  lessons.does("play");
  presses.send({ do: "play", until: lessons.until });
}

function pause() {
  resume = false;
  playingIs(false);
  presses.send({ do: "pause" });
}

function toggle() {
  if (lessons.waits || lacking || (ended && !playing) || !connection.open) return;
  experiments.drop();
  if (playing) return pause();
  playingIs(true);
  play();
  resume = pending(); // the state that is awaited is to play too
}

$("play").addEventListener("click", toggle);
for (const what of ["step", "epoch", "back"]) {
  $(what).addEventListener("click", () => {
    experiments.drop();
    if (playing) pause();
    send({ do: what });
  });
}
$("backprop").addEventListener("click", () => {
  const active = !backprop.active;
  if (active && playing) toggle();
  $("backprop").setAttribute("aria-pressed", String(active));
  if (!active) plane.sample = null;
  backprop.use(active);
  $("network-note").textContent = network.note(backprop.active, understood.parameters);
  plane.draw();
});
plane.canvas.addEventListener("click", (event) => {
  if (!backprop.active || drawing.active) return;
  const sample = plane.nearest(...plane.place(event));
  if (sample !== null) backprop.choose(sample);
});
$("theme").addEventListener("click", nextTheme);
shortcuts(toggle);
onTheme(() => {
  labelTheme($("theme"));
  plane.draw();
  network.draw();
  curves.draw();
  experiments.draw();
  if (understood) showLegend(understood.classes);
});

// The address ----------------------------------------------------------------------------------

const held = () => ({ state: wanted, view: view.held(), ...(wanted.data.kind === "table" && { file }) });
let keepNumber = 0, kept = 0, opened = 0, ownHash = "";

/** Put the state into the address, without an entry in the history. */
async function keep() {
  if (!wanted) return; // there is no state yet
  const mine = ++keepNumber;
  tellRest();
  const text = await encode(held());
  if (mine !== keepNumber) return;
  ownHash = `#${text}`;
  history.replaceState(null, "", location.pathname + location.search + ownHash);
  document.body.dataset.kept = kept = mine;
  tellRest();
}

/** Take over what a link holds; false where it holds nothing. */
async function open(link) {
  const mine = ++opened;
  const found = await decode(link);
  if (!found?.state) return false;
  if (mine !== opened) return true; // another link or a lesson was opened meanwhile
  if (!limits) {
    restore(found);
    return true;
  }
  if (lessons.current) lessons.open("");
  const { prune, ...shown } = viewFrom(found.view);
  file = fileOf(found);
  adopt(merge(defaults(limits), found.state), shown);
  view.setPrune(prune);
  document.body.dataset.opened = mine;
  return true;
}

addEventListener("hashchange", ({ newURL }) => {
  const link = new URL(newURL).hash; // by now the address may hold a state that was being kept
  if (link === ownHash) opened += 1; // back to what is shown, while another one is unpacked
  else open(link).catch(() => notice(UNREADABLE));
});

const take = dialogs({
  link: async () => `${location.origin}${location.pathname}${location.search}#${await encode(held())}`,
  notes: () => linkNotes(wanted.data, understood.ticket, file),
  open,
  plane,
  ask: (what) => send({ do: "export", what }),
});

/** Begin with what a link holds, once the server has said what there is. */
function restore(found) {
  restored = found;
  unreadable = found && !found.state ? UNREADABLE : "";
  Object.assign(view, viewFrom(found?.view));
  file = fileOf(found);
  view.apply();
}

async function start() {
  const mine = ++opened;
  applyTheme();
  const found = await decode(location.hash).catch(() => ({}));
  if (mine === opened) restore(found);
  connection.connect();
}

start();

/** What the server said of every field. */
export { getLimits as limits };
