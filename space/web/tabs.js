/** The tabs: a list of their names, and the panel of the one that is open. Each is built when it is first opened. */

import * as atoms from "./atoms.js";
import * as classes from "./classes.js";
import { fill, h } from "./dom.js";
import * as frontier from "./frontier.js";
import * as learn from "./learn.js";
import * as rates from "./rates.js";
import * as see from "./see.js";
import { say } from "./words.js";

/** @typedef {{build: (page: Page) => View}} Tab */

/** @type {Record<string, Tab>} */
const MODULES = { see, atoms, classes, learn, rates, frontier };
/** The names of the tabs, from left to right; space/state.py has the same. */
export const TABS = Object.keys(MODULES);

/** @param {Page} page @returns {View} */
export function build(page) {
  /** @type {Map<string, View>} */
  const built = new Map();
  const open = () => {
    const { tab } = page.state;
    const view = built.get(tab) ?? MODULES[tab].build(page);
    built.set(tab, view);
    return view;
  };
  const buttons = TABS.map((tab) =>
    h(
      "button",
      { role: "tab", id: `tab-${tab}`, "aria-controls": "panel", on: { click: () => page.set({ tab }) } },
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
      if (panel.firstChild !== view.element) {
        page.card.close();
        fill(panel, view.element);
      }
      panel.setAttribute("aria-labelledby", `tab-${page.state.tab}`);
      buttons.forEach((button, i) => {
        button.ariaSelected = String(TABS[i] === page.state.tab);
        button.tabIndex = TABS[i] === page.state.tab ? 0 : -1;
      });
      document.body.dataset.tab = page.state.tab; // the style sheet shows the host's own parts of a tab
      view.draw();
    },
    drawLater: () => open().drawLater?.(),
  };
}
