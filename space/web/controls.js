/** The controls beside every tab: model, noise, image. */

import { fill, h } from "./dom.js";
import { errorCurve } from "./errorcurve.js";
import { specimen } from "./specimen.js";
import { has, rich, say, term } from "./words.js";
import * as userModels from "./user_models.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./page.js").View} View */

/** @param {Page} page @returns {View} */
export function build(page) {
  const parts = [method(page), sliders(page), pinned(page), specimen(page), userModels.build(page)];
  return {
    element: h(
      "div",
      { id: "controls" },
      parts.map(({ element }) => element),
    ),
    draw: () => parts.forEach((part) => part.draw()),
    drawLater: () => parts.forEach((part) => part.drawLater?.()),
  };
}

/** The title of a family of models. @param {Page} page @param {string} family */
const familyTitle = (page, family) =>
  has(`family.${family}.title`) ? say(`family.${family}.title`) : page.lab.family(family).title;

/** The choice of the sparsity method. @param {Page} page @returns {View} */
function method(page) {
  const choices = h("div", { class: "choices" });
  const description = h("p", { id: "description", class: "muted" });
  let offered = "";
  return {
    element: h(
      "fieldset",
      { id: "method", class: "box" },
      h("legend", {}, say("controls.method")),
      choices,
      description,
    ),
    draw() {
      const families = page.lab.index.families.map((/** @type {any} */ family) => family.key);
      if (offered !== families.join()) {
        offered = families.join();
        fill(
          choices,
          families.map((/** @type {string} */ key) =>
            h(
              "label",
              {},
              h("input", {
                type: "radio",
                name: "method",
                value: key,
                on: { change: () => page.set({ family: key, stop: placeIn(page, key) }) },
              }),
              h("bdi", {}, familyTitle(page, key)),
              key.startsWith("user:") && removal(page, key),
            ),
          ),
        );
      }
      for (const input of choices.querySelectorAll("input")) input.checked = input.value === page.state.family;
      fill(description, describe(page));
    },
  };
}

/** A button that takes a user's model away from the page. @param {Page} page @param {string} family */
function removal(page, family) {
  const title = familyTitle(page, family);
  const click = (/** @type {Event} */ event) => {
    event.preventDefault();
    const { opening } = page.lab.index;
    const own = page.lab.family(family).list.find((/** @type {any} */ stop) => stop.users).key;
    const { [own]: _, ...edits } = page.state.edits;
    const chosen = page.state.family === family || page.state.stop === own;
    const beside = page.state.beside === own ? opening.beside : page.state.beside;
    if (chosen) page.state = { ...page.state, family: opening.family, stop: opening.stop };
    page.lab.remove(family);
    page.set({ beside, edits });
  };
  return h(
    "button",
    { type: "button", class: "remove", "aria-label": say("controls.remove", { title }), on: { click } },
    "✕",
  );
}

/**
 * Where the slider of a family starts: at the same value as now where there is one, or where noise leaves the lowest error.
 * @param {Page} page
 * @param {string} family
 */
function placeIn(page, family) {
  const now = page.lab.stop(page.state.stop);
  const stops = page.lab.stops(family);
  const users = stops.find((stop) => stop.users);
  const same = stops.find(
    (stop) =>
      stop.label &&
      !stop.apart &&
      stop.hyperparameter === now.hyperparameter &&
      stop.value === now.value &&
      now.value !== null,
  );
  return (users ?? same ?? page.lab.leastNoise(family)).key;
}

/** What the method of the chosen model asks for. @param {Page} page */
function describe(page) {
  const stop = page.lab.stop(page.state.stop);
  const { family, noise, linear } = page.lab.index.models[stop.model];
  const words =
    linear || !has(`family.${family}.about`)
      ? rich("description.plain", {
          title: say(`method.${stop.method}.title`),
          asks_for: say(`method.${stop.method}.asks_for`),
          purpose: say(`method.${stop.method}.purpose`),
        })
      : rich("description.architecture", {
          family: say(`family.${family}.title`),
          about: rich(`family.${family}.about`, { dictionary: term("dictionary") }),
        });
  if (stop.users) return words;
  const key = !noise ? "no_noise" : page.lab.index.bundled ? "noise_bundled" : "noise";
  return rich(`description.${key}`, { description: words, noise });
}

/**
 * The sliders over the stops of a method, and over the noise. The slider with the id `beta` goes over k or a target rate
 * where the method has those.
 * @param {Page} page
 * @returns {View}
 */
function sliders(page) {
  const title = h("span", {});
  const name = h("output", {});
  const beta = h("input", { type: "range", min: "0", step: "1" });
  const ticks = h("div", { class: "ticks" });
  const ends = h("div", { class: "ends", "aria-hidden": "true" });
  const others = h("div", { class: "others" });
  const curve = errorCurve(page);
  const axis = () => {
    const along = page.lab.axis(page.state.family);
    return along.length ? along : page.lab.stops(page.state.family); // a user's model alone
  };
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
    const value = Math.min(1, Math.max(0, Number(typed.value) || 0));
    typed.value = String(value);
    page.set({ sigma: value });
  });

  /** @type {string} */
  let drawn = "";
  const layOut = () => {
    const { family } = page.state;
    const stops = axis();
    const last = Math.max(stops.length - 1, 1);
    title.textContent = say(page.lab.stop(page.state.stop).users ? "description.slider_users" : "description.slider", {
      label: say(`family.${baseFamily(page)}.label`),
    });
    beta.max = String(last);
    beta.disabled = stops.length < 2;
    const choose = (/** @type {import("./lab.js").Stop} */ stop, /** @type {string} */ words) =>
      h(
        "button",
        {
          type: "button",
          data: { stop: stop.key },
          "aria-label": say("controls.choose", { title: stop.key }),
          on: { click: () => page.set({ stop: stop.key }) },
        },
        words,
      );
    fill(
      ticks,
      stops.map(
        (stop, i) => stop.label && h("span", { style: `left: ${(100 * i) / last}%` }, choose(stop, stop.label)),
      ),
    );
    const apart = page.lab.stops(family).filter((stop) => !stops.includes(stop));
    fill(
      others,
      apart.length
        ? [h("span", { class: "muted" }, say("controls.others")), apart.map((stop) => choose(stop, stop.short))]
        : null,
    );
    const places = [0, 1].map((end) => `family.${baseFamily(page)}.ends.${end}`);
    fill(ends, page.lab.index.bundled && has(places[0]) && places.map((key) => h("span", {}, say(key))));
  };
  return {
    element: h(
      "div",
      { id: "sliders", class: "box" },
      h("div", { id: "beta" }, h("label", {}, title, name, beta), ticks, ends, others),
      curve.element,
      h("div", { id: "noise" }, h("label", {}, h("span", {}, say("controls.noise")), sigma), typed),
    ),
    draw() {
      const { family, stop, sigma: noise } = page.state;
      const shown = `${family}\n${page.lab.stops(family).length}\n${page.lab.stop(stop).users}`;
      if (drawn !== shown) layOut();
      drawn = shown;
      const position = axis().findIndex((other) => other.key === stop);
      if (position >= 0) beta.value = String(position);
      beta.classList.toggle("off", position < 0);
      beta.ariaValueText = stop;
      name.textContent = stop;
      for (const button of [...ticks.querySelectorAll("button"), ...others.querySelectorAll("button")])
        button.ariaPressed = String(
          button.dataset.stop === stop ||
            (button.dataset.stop === page.lab.stop(stop).measured && !page.lab.stop(stop).label),
        );
      if (Number(sigma.value) !== noise) sigma.value = String(noise);
      sigma.ariaValueText = say("see.with_noise", { sigma: noise });
      if (document.activeElement !== typed) typed.value = String(noise);
    },
    drawLater: () => curve.draw(),
  };
}

/** The family whose words a slider has: a user's model stands on the slider of its method. @param {Page} page */
const baseFamily = (page) => page.lab.family(page.state.family).of ?? page.state.family;

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
