// One palette for light, one for dark. Class 0 is blue and class 1 orange, as in every figure of
// the project; each class has a mark of its own, so that no one needs the colours.

const LIGHT = {
  dark: false,
  ground: "#ffffff", ink: "#1a1d21", soft: "#565d66", line: "#dcdfe3",
  plane: ["#6faedb", "#f7f7f7", "#fad3a6"],
  sign: ["#2f7fb8", "#f7f7f7", "#e08a2c"],
  classes: ["#0c528f", "#8c3300", "#00694c", "#8a3a6d", "#6b5200", "#1d6f98", "#303030", "#5a3fa0",
    "#7a1f1f", "#3d6b00"],
  tints: ["#6faedb", "#fad3a6", "#8fd3bd", "#e3b6d0", "#efe08f", "#a9d8f2", "#c4c8cc", "#c3b4ea",
    "#e8a9a0", "#c2dd96"],
  edge: "#ffffff", boundary: "#16181b", halo: "rgba(255,255,255,.75)", region: "rgba(40,52,66,.36)",
  series: ["#0072b2", "#b04b00"], negative: "#0072b2", positive: "#d55e00", mistake: "#111111",
};
const DARK = {
  dark: true,
  ground: "#1b1f24", ink: "#e9ecef", soft: "#a9b2bc", line: "#343b44",
  plane: ["#2a6fa6", "#23282e", "#a4622a"],
  sign: ["#4ba3e3", "#23282e", "#f0953f"],
  classes: ["#b9ddfa", "#ffd2a1", "#9be8cd", "#f5bfe0", "#f0e089", "#9fdcff", "#e4e4e4", "#cfc0ff",
    "#ffb3a8", "#cdec9a"],
  tints: ["#2a6fa6", "#a4622a", "#1f7a60", "#8a4a72", "#7d6c1c", "#33708f", "#5b6167", "#5f4da0",
    "#8e3d35", "#557a1e"],
  edge: "#101317", boundary: "#f4f6f8", halo: "rgba(0,0,0,.6)", region: "rgba(225,235,245,.27)",
  series: ["#6bb7f2", "#ffab66"], negative: "#4ba3e3", positive: "#f0953f", mistake: "#ffffff",
};

const KEY = "scratchnet-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
let chosen = stored();

function stored() {
  try { return localStorage.getItem(KEY) || "system"; } catch { return "system"; }
}

export const palette = () => (chosen === "dark" || (chosen === "system" && system.matches) ? DARK : LIGHT);

/** system → light → dark → system */
export function nextTheme() {
  chosen = { system: "light", light: "dark", dark: "system" }[chosen];
  try { localStorage.setItem(KEY, chosen); } catch { /* a private window */ }
  applyTheme();
}

export function applyTheme() {
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  for (const listener of listeners) listener();
}

/** What the button that changes the theme says. */
export function labelTheme(button) {
  button.dataset.theme = chosen;
  button.querySelector(".word").textContent = chosen === "system" ? "auto" : chosen;
  button.setAttribute("aria-label", `Theme: ${chosen === "system" ? "as the system" : chosen}`);
}

const listeners = [];
export const onTheme = (listener) => listeners.push(listener);
system.addEventListener("change", () => listeners.forEach((listener) => listener()));

const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

/** 256 colours as ABGR words through three: low, middle, high. */
export function ramp([low, middle, high]) {
  const words = new Uint32Array(256);
  const [a, b, c] = [low, middle, high].map(channels);
  for (let i = 0; i < 256; i++) {
    const t = i / 127.5;
    const [from, to, s] = t < 1 ? [a, b, t] : [b, c, t - 1];
    const [red, green, blue] = from.map((value, k) => Math.round(value + (to[k] - value) * s));
    words[i] = (255 << 24) | (blue << 16) | (green << 8) | red;
  }
  return words;
}

/** 256 colours from the middle (the classes tie) to a class's own. */
export const tintRamp = (tint, middle) => ramp([middle, middle, tint]);

export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** The class's mark around (0, 0), as a path of the given radius. */
export function mark(path, label, x, y, r) {
  const polygon = (n, turn, scale = 1.2) => {
    for (let i = 0; i <= n; i++) {
      const angle = turn + (2 * Math.PI * i) / n;
      path[i ? "lineTo" : "moveTo"](x + scale * r * Math.cos(angle), y + scale * r * Math.sin(angle));
    }
  };
  const star = (n) => {
    for (let i = 0; i <= 2 * n; i++) {
      const angle = -Math.PI / 2 + (Math.PI * i) / n, s = i % 2 ? 0.6 * r : 1.4 * r;
      path[i ? "lineTo" : "moveTo"](x + s * Math.cos(angle), y + s * Math.sin(angle));
    }
  };
  switch (label % 10) {
    case 0: path.moveTo(x + r, y); path.arc(x, y, r, 0, 2 * Math.PI); break;
    case 1: path.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r); break;
    case 2: polygon(3, -Math.PI / 2, 1.35); break;
    case 3: polygon(4, 0, 1.3); break;
    case 4: polygon(3, Math.PI / 2, 1.35); break;
    case 5: polygon(5, -Math.PI / 2); break;
    case 6: star(5); break;
    case 7: polygon(6, 0); break;
    case 8: star(4); break;
    default: path.rect(x - 0.5 * r, y - 1.3 * r, r, 2.6 * r);
  }
}
