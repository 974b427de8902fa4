/** Elements of the page, made in one line each. */

/** @typedef {any} Child a node, text, a number, an array of them; null, undefined and false are left out */

/**
 * Makes an HTML element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [props] `class`, `data` and `on` (event -> listener); what the element has as a property
 *   is set as one, all else as an attribute; null and undefined are left out
 * @param {...Child} children text is inserted as text
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  if (element instanceof HTMLButtonElement) element.type = "button"; // it sends no form, unless `props` say otherwise
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name === "on") listen(element, value);
    else if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name in element && name !== "list" && name !== "style") /** @type {any} */ (element)[name] = value;
    else element.setAttribute(name, String(value));
  }
  element.append(...nodes(children));
  return element;
}

/**
 * Makes an SVG element.
 * @param {string} tag
 * @param {Record<string, any>} [attributes] `on` as in `h`; null and undefined are left out; px are rounded to tenths
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes))
    if (name === "on") listen(element, value);
    else if (typeof value === "number") element.setAttribute(name, String(Math.round(10 * value) / 10));
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  element.append(...nodes(children));
  return element;
}

/**
 * @param {Element} element
 * @param {Record<string, (event: any) => void>} listeners
 */
function listen(element, listeners) {
  for (const [name, listener] of Object.entries(listeners)) element.addEventListener(name, listener);
}

/**
 * @param {Child[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

/**
 * Replaces all children of an element.
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/**
 * The parts of a table. The first cell of each row is its head.
 * @param {Child[]} heads of the columns, "" where there is none
 * @param {Child[][]} rows
 */
export function cells(heads, rows) {
  const column = (/** @type {Child} */ words) => (words === "" ? h("td") : h("th", { scope: "col" }, words));
  const row = (/** @type {Child[]} */ [name, ...others]) =>
    h("tr", {}, h("th", { scope: "row" }, name), others.map((words) => h("td", {}, words)));
  return [h("thead", {}, h("tr", {}, heads.map(column))), h("tbody", {}, rows.map(row))];
}

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
