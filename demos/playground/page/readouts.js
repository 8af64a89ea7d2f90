// The numbers beside the buttons, and the same in words for screen readers.

import { percent } from "./curves.js";

const $ = (id) => document.getElementById(id);
const NUMBERS_MS = 250; // between two changes of the numbers while it trains
const SUMMARY_MS = 5000; // between two texts that are read out while it trains

const loss = (value) => (value === null ? "not finite" : value >= 100 ? value.toExponential(1) : value.toFixed(3));
const share = (value) => (value === null ? "–" : percent(value, 1));
const whole = (value) => value.toLocaleString("en");

let shown = 0, summarised = 0;

/** Show what a picture's header says: its numbers, and now and then a text. */
export function readouts(picture, plane) {
  const { step, losses, accuracies, regions, playing } = picture, now = performance.now();
  // Each change makes the browser lay out the page anew.
  if (!playing || now - shown >= NUMBERS_MS) {
    shown = now;
    numbers(picture);
  }
  if (playing && now - summarised < SUMMARY_MS) return;
  summarised = now;
  const text = `Step ${step}. Training: loss ${loss(losses.train)}, ${share(accuracies.train)} correct. ` +
    `Test: loss ${loss(losses.test)}, ${share(accuracies.test)} correct.${regions === null ? "" : ` ${whole(regions)} linear regions.`}`;
  $("summary").textContent = text;
  plane.setAttribute("aria-label", `The plane: data, prediction and decision boundary. ${text}`);
}

/** The numbers alone. */
export function numbers({ step, losses, accuracies, regions, sentence, speed }) {
  $("read-step").textContent = whole(step);
  $("read-train-loss").textContent = loss(losses.train);
  $("read-test-loss").textContent = loss(losses.test);
  $("read-train-accuracy").textContent = share(accuracies.train);
  $("read-test-accuracy").textContent = share(accuracies.test);
  $("read-regions").textContent = regions === null ? "–" : whole(regions);
  $("read-regions").title = regions === null ? sentence : "";
  $("read-speed").textContent = speed ? whole(Math.round(speed)) : "–";
}
