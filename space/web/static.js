/** The page without a server: what its index.html starts. */

import { start } from "./main.js";

start(/** @type {HTMLElement} */ (document.querySelector("#bench")), null);
