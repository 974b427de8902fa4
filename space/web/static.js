/** The page without a server: what its index.html starts. */

import { start } from "./main.js";
import { followTheme } from "./theme.js";

followTheme();
start(/** @type {HTMLElement} */ (document.querySelector("#bench")), null);
