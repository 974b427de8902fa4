/** The page without a server: what its index.html loads. */

import { start } from "./main.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const named = new URLSearchParams(location.search).get("__theme");
const colour = () => document.body.classList.toggle("dark", named ? named === "dark" : dark.matches);
dark.addEventListener("change", colour);
colour();

const { textContent } = /** @type {HTMLElement} */ (document.querySelector("#host"));
start(/** @type {HTMLElement} */ (document.querySelector("#bench")), { ...JSON.parse(textContent ?? ""), ask: null });
