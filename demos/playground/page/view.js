// What of a state is shown, and how fast it trains: boxes, the pruning slider, the speed.

import { percent } from "./curves.js";

const $ = (id) => document.getElementById(id);
const GRID = 96;
const PRUNE_MS = 60;

export class View {
  regions = true;
  wrong = true;
  test = true;
  speed = 60;
  prune = 0;

  /** `on` has `send(message)`, and `changed(key)` once a person has changed something. */
  constructor(plane, on) {
    this.plane = plane;
    this.on = on;
    for (const key of ["regions", "wrong", "test"]) {
      $(`show-${key}`).addEventListener("change", () => {
        this[key] = plane.show[key] = $(`show-${key}`).checked;
        if (key === "regions") this.sendRegions();
        plane.draw();
        on.changed(key);
      });
    }
    $("speed").addEventListener("change", () => {
      this.speed = $("speed").value === "" ? null : Number($("speed").value);
      this.sendSpeed();
      on.changed("speed");
    });
    let timer = null;
    $("prune").addEventListener("input", () => {
      $("prune-out").textContent = percent(Number($("prune").value));
      timer ??= setTimeout(() => {
        timer = null;
        this.setPrune(Number($("prune").value));
        on.changed("prune");
      }, PRUNE_MS);
    });
  }

  sendRegions() {
    this.on.send({ do: "show", regions: this.regions, size: GRID });
  }

  sendSpeed() {
    this.on.send({ do: "speed", steps_per_second: this.speed });
  }

  setPrune(share) {
    this.prune = share;
    $("prune").value = share;
    $("prune-out").textContent = percent(share);
    this.on.send({ do: "prune", share });
  }

  /** Show the boxes, the slider and the speed as they are, and tell the server. */
  apply() {
    for (const key of ["regions", "wrong", "test"]) $(`show-${key}`).checked = this.plane.show[key] = this[key];
    $("speed").value = this.speed ?? "";
    $("prune").value = this.prune;
    $("prune-out").textContent = percent(this.prune);
    this.sendRegions();
    this.sendSpeed();
    this.on.send({ do: "prune", share: this.prune });
  }

  /** What a link holds of it. */
  held() {
    const { regions, wrong, test, prune, speed } = this;
    return { regions, wrong, test, prune, speed };
  }
}
