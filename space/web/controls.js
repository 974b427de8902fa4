/** The controls beside every tab: model, noise, image. */

import { fill, h } from "./dom.js";
import { method } from "./method.js";
import { sliders } from "./sliders.js";
import { specimen } from "./specimen.js";
import { say } from "./words.js";
import * as userModels from "./user_models.js";

/** @param {Page} page @returns {View} */
export function build(page) {
  const parts = [method(page), sliders(page), pinned(page), specimen(page), userModels.build(page)];
  return {
    element: h("div", { id: "controls" }, parts.map(({ element }) => element)),
    draw: () => parts.forEach((part) => part.draw()),
    drawLater: () => parts.forEach((part) => part.drawLater?.()),
  };
}

/** The choice of a second model that is shown beside the chosen one. @param {Page} page @returns {View} */
function pinned(page) {
  const select = h("select", { id: "beside", on: { change: () => page.set({ beside: select.value }) } });
  let offered = "";
  return {
    element: h("label", { class: "box row" }, h("span", {}, say("controls.beside")), select),
    draw() {
      const keys = page.lab.measuredStops().map((stop) => stop.key);
      if (page.state.beside && !keys.includes(page.state.beside)) keys.push(page.state.beside);
      if (offered !== keys.join())
        fill(
          select,
          h("option", { value: "" }, say("controls.nothing")),
          keys.map((key) => h("option", { value: key }, key)),
        );
      offered = keys.join();
      select.value = page.state.beside;
    },
  };
}
