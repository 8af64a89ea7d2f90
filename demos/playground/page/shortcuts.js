// Keys that work everywhere but in fields that take letters.

const $ = (id) => document.getElementById(id);

/** Space calls `toggle`; the other keys press buttons. */
export function shortcuts(toggle) {
  const buttons = { s: "step", r: "show-regions", 0: "back" };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest?.("input:not([type=checkbox]):not([type=range]), textarea, select")) return;
    const pressed = event.target.closest?.("button, input, a");
    if (event.key === " " && (!pressed || event.target.closest("#neurons"))) toggle();
    else if (event.key in buttons && !$(buttons[event.key]).disabled) $(buttons[event.key]).click();
    else return;
    event.preventDefault();
  });
}
