/** The page in Gradio. It is drawn before Gradio is there, which then takes it into its component. */

import { h } from "./dom.js";
import { start } from "./main.js";
import { say } from "./words.js";

/** @typedef {{about: string, number: number}} Answer what the server says of an event */
/** @typedef {{props: {value: string}, trigger: (event: string, data: any) => void}} Component */

/** @type {(component: Component) => void} */
let connected;
/** @type {Promise<Component>} the one that Gradio made last */
let component = new Promise((resolve) => (connected = resolve));

const element = h("div", {});
const early = h("main", { id: "early" }, element);
document.body.prepend(early);
const started = start(element, ask);

/** Asks the server, which checks the state of the page. @param {string} name @param {any} data */
async function ask(name, data) {
  const [{ props, trigger }, page] = await Promise.all([component, started]);
  props.value = JSON.stringify(page.state);
  trigger(name === "load" ? "load_model" : name, data); // Gradio triggers all events called load as the page opens
}

/**
 * The bench: takes the page in.
 * @param {any} place
 * @param {{value: string}} props
 * @param {(event: string, data: any) => void} trigger
 */
export function connect(place, props, trigger) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  if (place.moveBefore) place.moveBefore(element, null); // which keeps what is focused, and what is dragged
  else place.append(element);
  if (focused && element.contains(focused)) focused.focus();
  early.remove();
  connected({ props, trigger });
  component = Promise.resolve({ props, trigger });
  started.then(() => setTimeout(() => (document.title = say("page.title")))); // Gradio has put the default language's there
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
