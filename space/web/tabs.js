/** The tabs: a list of their names, and the panel of the one that is open. Each is built when it is first opened. */

import { fill, h } from "./dom.js";
import * as see from "./see.js";
import { TABS } from "./state.js";
import { say } from "./words.js";

/** @typedef {{build: (page: import("./page.js").Page) => import("./page.js").View}} Tab */

/** The tabs whose modules are here; the others are fetched when the page has its first image. @type {Map<string, Tab>} */
const here = new Map([["see", see]]);
/** @type {Record<string, () => Promise<Tab>>} */
const LATER = {
  atoms: () => import("./atoms.js"),
  classes: () => import("./classes.js"),
  learn: () => import("./learn.js"),
  rates: () => import("./rates.js"),
  frontier: () => import("./frontier.js"),
};

/** Fetches the module of a tab. @param {string} tab */
async function fetchTab(tab) {
  if (!here.has(tab)) here.set(tab, await LATER[tab]());
}

/** Fetches the modules of all tabs. */
export const fetchTabs = () => Promise.all(Object.keys(LATER).map(fetchTab));

/** @param {import("./page.js").Page} page @returns {import("./page.js").View} */
export function build(page) {
  /** @type {Map<string, import("./page.js").View>} */
  const built = new Map();
  const open = () => {
    const { tab } = page.state;
    const module = here.get(tab);
    if (!module) fetchTab(tab).then(() => page.arrive());
    else if (!built.has(tab)) built.set(tab, module.build(page));
    return built.get(tab);
  };
  const buttons = TABS.map((tab) =>
    h(
      "button",
      {
        type: "button",
        role: "tab",
        id: `tab-${tab}`,
        "aria-controls": "panel",
        on: { click: () => page.set({ tab }) },
      },
      say(`${tab}.title`),
    ),
  );
  const list = h("div", { role: "tablist", "aria-label": say("page.tabs") }, buttons);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const next = (TABS.indexOf(page.state.tab) + step + TABS.length) % TABS.length;
    page.set({ tab: TABS[next] });
    buttons[next].focus();
  });
  const panel = h("div", { id: "panel", role: "tabpanel", tabIndex: -1 });
  return {
    element: h("div", { id: "main" }, list, panel),
    draw() {
      const view = open();
      if (panel.firstChild !== (view?.element ?? null)) {
        page.card.close();
        fill(panel, view?.element);
      }
      panel.setAttribute("aria-labelledby", `tab-${page.state.tab}`);
      buttons.forEach((button, i) => {
        button.ariaSelected = String(TABS[i] === page.state.tab);
        button.tabIndex = TABS[i] === page.state.tab ? 0 : -1;
      });
      document.body.dataset.tab = page.state.tab; // the style sheet shows the host's own parts of a tab
      view?.draw();
    },
    drawLater: () => open()?.drawLater?.(),
  };
}
