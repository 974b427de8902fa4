/** The head of the page: title, what it is for, languages, link; and the lessons. */

import { copyButton } from "./copy.js";
import { h } from "./dom.js";
import * as lessons from "./lessonbox.js";
import { rich, say, term } from "./words.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./page.js").View} View */

/**
 * @param {Page} page
 * @param {View[]} views to which that of the lessons is added
 */
export function build(page, views) {
  const { shape, sizes, vectors, bundled } = page.lab.index;
  const [channels, height, width] = shape;
  const key = vectors ? "page.intro_vectors" : channels > 1 ? "page.intro_colour" : "page.intro";
  const values = {
    channels,
    pixels: height * width,
    latents: sizes.join(", "),
    warning: sizes[0] >= channels * height * width ? say("page.warning") : "",
  };
  const refused = () => void prompt(say("page.link_prompt"), location.href);
  const copy = copyButton("page.copy_link", "page.link_copied", () => location.href, refused, "copy-link");
  const languages = page.host.languages
    .filter((/** @type {any} */ { code }) => code !== page.state.lang)
    .map((/** @type {any} */ { code, name }) =>
      h("button", { type: "button", lang: code, on: { click: () => page.set({ lang: code }) } }, name),
    );
  const view = lessons.build(page);
  views.push(view);
  return [
    h(
      "header",
      { id: "head" },
      h("h1", {}, say("page.title")),
      h("div", { id: "aside" }, copy, h("span", { id: "languages" }, languages)),
      h(
        "p",
        { id: "intro" },
        rich(key, { ...values, encoder: term("encoder"), decoder: term("decoder"), term: term("latents") }),
        " ",
        bundled && rich("page.data"),
      ),
    ),
    view.element,
  ];
}
