/** The choice of the sparsity method, and what the chosen one asks for. */

import { fill, h } from "./dom.js";
import { has, rich, say, term } from "./words.js";

/** The title of a family of models. @param {Page} page @param {string} family */
const familyTitle = (page, family) => page.lab.family(family).title ?? say(`family.${family}.title`);

/** The choice of the sparsity method. @param {Page} page @returns {View} */
export function method(page) {
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
      const families = page.lab.index.families.map(({ key }) => key);
      if (offered !== families.join()) fill(choices, families.map((key) => familyChoice(page, key)));
      offered = families.join();
      for (const input of choices.querySelectorAll("input")) input.checked = input.value === page.state.family;
      fill(description, describe(page));
    },
  };
}

/** @param {Page} page @param {string} family */
function familyChoice(page, family) {
  const change = () => page.set({ family, stop: placeIn(page, family) });
  const radio = h("input", { type: "radio", name: "method", value: family, on: { change } });
  const isUsers = family.startsWith("user:");
  return h("label", {}, radio, h("bdi", {}, familyTitle(page, family)), isUsers && removal(page, family));
}

/** A button that takes a user's model away from the page. @param {Page} page @param {string} family */
function removal(page, family) {
  const title = familyTitle(page, family);
  const click = (/** @type {Event} */ event) => {
    event.preventDefault();
    const { opening } = page.lab.index;
    const own = page.lab.usersStop(family).key;
    const { [own]: _, ...edits } = page.state.edits;
    const chosen = page.state.family === family || page.state.stop === own;
    const beside = page.state.beside === own ? opening.beside : page.state.beside;
    if (chosen) page.state = { ...page.state, family: opening.family, stop: opening.stop };
    page.lab.remove(family);
    page.set({ beside, edits });
    /** @type {HTMLElement | null} */ (document.querySelector("#method :checked"))?.focus();
  };
  return h("button", { class: "remove", "aria-label": say("controls.remove", { title }), on: { click } }, "✕");
}

/**
 * Where the slider of a family starts: at the same value as now where there is one, or where noise leaves the lowest error.
 * @param {Page} page
 * @param {string} family
 */
function placeIn(page, family) {
  const now = page.lab.stop(page.state.stop);
  const stops = page.lab.family(family).list;
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
