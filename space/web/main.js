/** Starts the page; gradio.js or static.js calls it. */

import { takeFiles } from "./drawing.js";
import { json } from "./files.js";
import { Lab } from "./lab.js";
import { Page } from "./page.js";
import { halves } from "./safetensors.js";
import { opening } from "./state.js";
import { explainTerms } from "./tips.js";
import { lang as spoken, setWords } from "./words.js";

/** The language of an address, or the one of ours that the browser prefers. @param {string[]} languages */
function language(languages) {
  const named = new URLSearchParams(location.search).getAll("lang").at(-1) ?? "";
  const preferred = navigator.languages
    .map((tag) => tag.slice(0, 2).toLowerCase())
    .find((code) => languages.includes(code));
  return languages.includes(named) ? named : (preferred ?? languages[0]);
}

/** Makes the page dark or light, as the address or the browser says; Gradio does the same when it is there. */
function followTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const named = new URLSearchParams(location.search).get("__theme");
  const colour = () => document.body.classList.toggle("dark", named ? named === "dark" : dark.matches);
  dark.addEventListener("change", colour);
  colour();
}

/**
 * The looks that the page carries.
 * @param {{clean: string, looks: Record<string, any>} | null} opening base64 of the clean image, and by key of a stop
 *   latents, reconstruction, bias and the largest atoms
 * @param {Lab} lab
 * @param {Specimen} specimen what the page opens with
 * @returns {Look[]}
 */
function carried(opening, lab, specimen) {
  if (!opening) return [];
  const numbers = (/** @type {string} */ text) => Float64Array.from(halves(text));
  const isBytes = lab.index.images.type === "uint8";
  const clean = numbers(opening.clean).map((value) => (isBytes ? Math.round(255 * value) / 255 : value));
  const given = lab.withNoise(clean, specimen);
  return Object.entries(opening.looks).map(([key, { latents, reconstruction, bias, atoms }]) => ({
    ...{ stop: lab.stop(key), clean, ...given, unedited: null },
    latents: numbers(latents),
    reconstruction: numbers(reconstruction),
    bias: bias && numbers(bias),
    atoms: new Map(Object.entries(atoms ?? {}).map(([latent, values]) => [Number(latent), numbers(values)])),
  }));
}

/** Starts the page. @param {HTMLElement} element @param {import("./page.js").Host["ask"]} ask */
export async function start(element, ask) {
  followTheme();
  const { textContent } = /** @type {HTMLElement} */ (document.querySelector("#host"));
  /** @type {import("./page.js").Host} */
  const host = { ...JSON.parse(textContent ?? ""), ask };
  const codes = host.languages.map(({ code }) => code);
  const lang = language(codes);
  const [index, words] = await Promise.all([json("lab.json"), json(`words/${lang}.json`)]);
  const lab = new Lab(index);
  setWords(words, lang);
  const page = new Page(element, host, lab, opening(lab, lang));
  lab.carry(page.state, carried(host.opening, lab, page.state));
  await page.restore(location.search);
  lab.models.weights.only = lab.stop(page.state.stop).model;
  page.build();
  explainTerms(element);
  takeFiles(element, (file) => page.takeFile(file));
  addEventListener("popstate", async () => {
    await page.restore(location.search);
    page.state.lang = language(codes);
    if (page.state.lang === spoken()) page.draw();
    else await page.speak();
  });
  fetchRest(page);
  return page;
}

/** Fetches what is needed next: the chosen model, words, images, the model beside it, its neighbours. @param {Page} page */
async function fetchRest(page) {
  const { lab, host } = page;
  const { files } = lab.pictures;
  const { weights } = lab.models;
  files.want("labels");
  await weights.want(weights.only);
  for (const { code } of host.languages) await json(`words/${code}.json`).catch(() => {});
  files.only = "";
  await files.want("images");
  weights.only = "";
  for (const key of page.shown()) await weights.want(lab.stop(key).model);
  for (const stop of lab.family(page.state.family).list) await weights.want(stop.model);
}
