/** The sliders over the models of a method, and over the noise. */

import { clamp, fill, h } from "./dom.js";
import { errorCurve } from "./errorcurve.js";
import { has, say } from "./words.js";

/**
 * The sliders over the stops of a method, and over the noise. The slider with the id `beta` goes over k or a target rate
 * where the method has those.
 * @param {Page} page
 * @returns {View}
 */
export function sliders(page) {
  const title = h("span", {});
  const name = h("output", {});
  const beta = h("input", { type: "range", min: "0", step: "1" });
  const ticks = h("div", { class: "ticks" });
  const ends = h("div", { class: "ends", "aria-hidden": "true" });
  const others = h("div", { class: "others" });
  const curve = errorCurve(page);
  const axis = () => page.lab.axis(page.state.family);
  beta.addEventListener("input", () => page.set({ stop: axis()[Number(beta.value)].key }));
  // From a model that has no place on the slider, a click where the thumb stands chooses that stop as well.
  beta.addEventListener("click", () => {
    const stop = axis()[Number(beta.value)];
    if (page.lab.stop(page.state.stop).apart && stop) page.set({ stop: stop.key });
  });
  const sigma = h("input", { type: "range", min: "0", max: "1", step: "0.01" });
  const typed = h("input", { type: "number", min: "0", max: "1", step: "0.01", "aria-label": say("controls.noise") });
  sigma.addEventListener("input", () => page.set({ sigma: Number(sigma.value) }));
  typed.addEventListener("change", () => {
    const value = typed.value === "" ? page.state.sigma : clamp(Number(typed.value), 0, 1); // "" is also no number
    typed.value = String(value);
    page.set({ sigma: value });
  });

  let drawn = "";
  const layOut = () => {
    const { family } = page.state;
    const stops = axis();
    const last = Math.max(stops.length - 1, 1);
    title.textContent = say("description.slider", { label: say(`family.${baseFamily(page)}.label`) });
    beta.max = String(last);
    beta.disabled = stops.length < 2;
    const choose = (/** @type {Stop} */ { key }, /** @type {string} */ words) => {
      const click = () => page.set({ stop: key });
      const name = say("controls.choose", { title: key });
      return h("button", { data: { stop: key }, "aria-label": name, on: { click } }, words);
    };
    const labelled = stops.map(
      (stop, i) => stop.label && h("span", { style: `left: ${(100 * i) / last}%` }, choose(stop, stop.label)),
    );
    fill(ticks, labelled);
    const apart = page.lab.family(family).list.filter((stop) => !stops.includes(stop));
    const head = apart.length > 0 && h("span", { class: "muted" }, say("controls.others"));
    fill(others, head, apart.map((stop) => choose(stop, stop.short)));
    const places = [0, 1].map((end) => `family.${baseFamily(page)}.ends.${end}`);
    fill(ends, page.lab.index.bundled && has(places[0]) && places.map((key) => h("span", {}, say(key))));
  };
  const slider = h("div", { id: "beta" }, h("label", {}, title, name, beta), ticks, ends, others);
  return {
    element: h(
      "div",
      { id: "sliders", class: "box" },
      slider,
      curve.element,
      h("div", { id: "noise" }, h("label", {}, h("span", {}, say("controls.noise")), sigma), typed),
    ),
    draw() {
      const { family, stop, sigma: noise } = page.state;
      const shown = `${family}\n${page.lab.family(family).list.length}\n${page.lab.stop(stop).users}`;
      if (drawn !== shown) layOut();
      drawn = shown;
      const position = axis().findIndex((other) => other.key === stop);
      if (position >= 0) beta.value = String(position);
      beta.classList.toggle("off", position < 0);
      beta.ariaValueText = stop;
      name.textContent = stop;
      const { label, measured } = page.lab.stop(stop);
      for (const button of slider.querySelectorAll("button"))
        button.ariaPressed = String(button.dataset.stop === (label ? stop : measured));
      if (Number(sigma.value) !== noise) sigma.value = String(noise);
      sigma.ariaValueText = say("see.with_noise", { sigma: noise });
      if (document.activeElement !== typed) typed.value = String(noise);
    },
    drawLater: () => curve.draw(),
  };
}

/** The family whose words a slider has: a user's model stands on the slider of its method. @param {Page} page */
const baseFamily = (page) => page.lab.family(page.state.family).of ?? page.state.family;
