/** The head of the page: title, what it is for, languages, link. */

import { copyButton } from "./copy.js";
import { h } from "./dom.js";
import { rich, say, term } from "./words.js";

/** @param {Page} page */
export function build(page) {
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
    .filter(({ code }) => code !== page.state.lang)
    .map(({ code, name }) => h("button", { lang: code, on: { click: () => page.set({ lang: code }) } }, name));
  const terms = { encoder: term("encoder"), decoder: term("decoder"), term: term("latents") };
  return h(
    "header",
    { id: "head" },
    h("h1", {}, say("page.title")),
    h("div", { id: "aside" }, copy, h("span", { id: "languages" }, languages)),
    h("p", { id: "intro" }, rich(key, { ...values, ...terms }), " ", bundled && rich("page.data")),
  );
}
