/** The page in Gradio: what its two components load. */

import { start as startPage } from "./main.js";

/** @typedef {{about: string, number: number}} Answer what the server says of an event */

/** @type {(page: import("./page.js").Page) => void} */
let found;
/** @type {Promise<import("./page.js").Page>} */
const started = new Promise((resolve) => (found = resolve));
/** @type {import("./page.js").Page | null} */
let page = null;

/**
 * The bench: starts the page.
 * @param {HTMLElement} element
 * @param {{value: string, languages: {code: string, name: string}[], opening: any}} props
 * @param {(event: string, data: any) => void} trigger
 */
export async function start(element, props, trigger) {
  /** @param {string} name @param {any} data */
  const ask = (name, data) => {
    if (page) props.value = JSON.stringify(page.state); // which the server checks
    trigger(name === "load" ? "load_model" : name, data); // Gradio triggers all events called load as the page opens
  };
  page = await startPage(element, { languages: props.languages, opening: props.opening, ask });
  found(page);
}

/**
 * The answers of the server: events of `page.answers`, by what they are about.
 * @param {{value: string}} props
 * @param {(name: string, changed: () => void) => void} watch
 */
export function hear(props, watch) {
  watch("value", async () => {
    /** @type {Answer} */
    const answer = JSON.parse(props.value);
    (await started).answers.dispatchEvent(new CustomEvent(answer.about, { detail: answer }));
  });
}
