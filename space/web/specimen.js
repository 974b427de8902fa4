/** The choice of the image: a class, another image of it, new noise, or a drawing. */

import * as drawing from "./drawing.js";
import { h } from "./dom.js";
import { LARGEST_SEED } from "./noise.js";
import { say } from "./words.js";

/** The choice of the image. @param {Page} page @returns {View} */
export function specimen(page) {
  const { noun, classes, vectors } = page.lab.index;
  const choose = (/** @type {number} */ label) => {
    const found = page.lab.pictures.random(label, page.state.digit);
    if (found !== null) page.set({ digit: found, draw: "", label });
  };
  const short = noun === "digit";
  const radios = classes.map((_, label) =>
    h("input", { type: "radio", name: "digit", value: String(label), on: { change: () => choose(label) } }),
  );
  const labels = classes.map((name, label) => h("label", {}, radios[label], h("bdi", {}, name)));
  const select = h(
    "select",
    { "aria-label": say("controls.class"), on: { change: () => choose(Number(select.value)) } },
    classes.map((name, label) => h("option", { value: String(label) }, name)),
  );
  const own = () => page.lab.pictures.label(page.state.digit) ?? 0;
  const button = (/** @type {string} */ words, /** @type {() => void} */ click) =>
    h("button", { on: { click } }, words);
  const buttons = h(
    "div",
    { id: "digit-buttons", class: "buttons" },
    button(say("controls.another"), () => choose(own())),
    button(say(`controls.any_${noun}`), () => choose(Math.floor(Math.random() * classes.length))),
    button(say("controls.new_noise"), () => page.set({ seed: Math.floor(Math.random() * (LARGEST_SEED + 1)) })),
  );
  const canvas = drawing.build(page);
  page.takeFile = canvas.read;
  let shown = "";
  return {
    element: h(
      "fieldset",
      { id: "digit", class: "box" },
      h("legend", {}, say(short ? "controls.digit" : "controls.class")),
      short ? h("div", { class: "digits" }, labels) : select,
      buttons,
      vectors ? null : canvas.element,
    ),
    draw() {
      const { draw } = page.state;
      const label = draw ? null : page.lab.pictures.label(page.state.digit);
      radios.forEach((radio, i) => (radio.checked = i === label));
      select.value = String(label);
      if (draw !== shown) canvas.show(page.lab.pictures.drawings.get(draw) ?? null);
      shown = draw;
    },
  };
}
