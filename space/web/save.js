/** Saves a figure of the page as a file: one SVG with its letters and pictures as they are seen, or a PNG of that. */

import { h, svg } from "./dom.js";
import { say } from "./words.js";

const SHARPNESS = 2; // pixels of a PNG for each px of the page
const MARGIN = 10;
const SHARP = "image-rendering: pixelated";
const FONT = ["font-family", "font-size", "font-weight"];
const LINES = ["stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin"];
const INLINED = ["fill", "fill-opacity", "opacity", "text-anchor", "paint-order", ...LINES, ...FONT];

/**
 * Puts a menu below a figure, by which one saves it as it looks at the moment.
 * @param {HTMLElement} element the figure; what has the class `unsaved` is left out of the file
 * @param {string | (() => string)} name of the file, without its ending
 * @returns {HTMLElement} the figure with its menu
 */
export function saveable(element, name) {
  const file = () => (typeof name === "string" ? name : name()).replace(/[^\p{L}\p{N}.,=+-]+/gu, "-");
  const menu = h("details", { class: "save unsaved" });
  const buttons = Object.entries({ svg: svgFile, png: pngFile }).map(([ending, made]) => {
    const save = async () => {
      menu.open = false;
      download(await made(picture(element)), `${file()}.${ending}`);
    };
    return h("button", { on: { click: save } }, say(`chart.save_${ending}`));
  });
  menu.append(h("summary", {}, say("chart.save")), h("div", {}, buttons));
  menu.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget instanceof Node && !menu.contains(relatedTarget)) menu.open = false;
  });
  menu.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") menu.open = false;
  });
  return h("div", { class: "saveable" }, element, menu);
}

/**
 * What is seen of an element, as an SVG by itself.
 * @param {HTMLElement} element
 */
export function picture(element) {
  const frame = element.getBoundingClientRect();
  const [width, height] = [Math.ceil(frame.width) + 2 * MARGIN, Math.ceil(frame.height) + 2 * MARGIN];
  const origin = { x: frame.left - MARGIN, y: frame.top - MARGIN };
  const size = { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}` };
  return svg("svg", size, svg("rect", { width, height, fill: backgroundOf(element) }), [...parts(element, origin)]);
}

/**
 * @param {Node} parent
 * @param {{x: number, y: number}} origin
 * @returns {Generator<SVGElement, void, void>}
 */
function* parts(parent, origin) {
  for (const node of parent.childNodes) {
    if (node instanceof Text) yield* lines(node, origin);
    if (!(node instanceof Element) || !node.checkVisibility() || node.matches(".unsaved, .sr")) continue;
    const { left, top, width, height } = node.getBoundingClientRect();
    const place = { x: left - origin.x, y: top - origin.y, width, height };
    if (node instanceof SVGElement) yield styled(node, place);
    else if (node instanceof HTMLCanvasElement)
      yield svg("image", { ...place, href: node.toDataURL(), preserveAspectRatio: "none", style: SHARP });
    else {
      yield* box(getComputedStyle(node), place);
      yield* parts(node, origin);
    }
  }
}

/** A copy of a drawing that needs no style sheet. @param {SVGElement} drawing @param {Record<string, number>} place */
function styled(drawing, place) {
  const copy = /** @type {SVGElement} */ (drawing.cloneNode(true));
  const [from, to] = [drawing, copy].map((root) => [root, ...root.querySelectorAll("*")]);
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of INLINED) to[i].setAttribute(name, style.getPropertyValue(name));
    for (const name of ["class", "tabindex", "role"]) to[i].removeAttribute(name);
  });
  for (const [name, value] of Object.entries(place)) copy.setAttribute(name, String(value));
  return copy;
}

/** Background and frame of an element. @param {CSSStyleDeclaration} style @param {Record<string, number>} place */
function* box(style, place) {
  const [border, under] = [parseFloat(style.borderTopWidth), parseFloat(style.borderBottomWidth)];
  if (!isClear(style.backgroundColor) || border) {
    const stroke = border ? { stroke: style.borderTopColor, "stroke-width": border } : {};
    const fill = isClear(style.backgroundColor) ? "none" : style.backgroundColor;
    yield svg("rect", { ...place, rx: parseFloat(style.borderRadius), fill, ...stroke });
  } else if (under) {
    const bottom = { ...place, y: place.y + place.height - under, height: under };
    yield svg("rect", { ...bottom, fill: style.borderBottomColor });
  }
}

/** @param {string} colour */
const isClear = (colour) => /, 0\)$|^transparent$/.test(colour);

/** The words of a text, a line at a time. @param {Text} text @param {{x: number, y: number}} origin */
function* lines(text, origin) {
  const style = getComputedStyle(/** @type {HTMLElement} */ (text.parentElement));
  const font = Object.fromEntries(FONT.map((name) => [name, style.getPropertyValue(name)]));
  const range = document.createRange();
  /** @type {{words: string, box: DOMRect}[]} */
  const found = [];
  for (const { 0: word, index } of text.data.matchAll(/\S+/g)) {
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    const box = range.getBoundingClientRect();
    const last = found.at(-1);
    if (last && Math.abs(last.box.top - box.top) < 3) last.words += ` ${word}`;
    else if (box.width) found.push({ words: word, box });
  }
  for (const { words, box } of found) {
    const place = { x: box.left - origin.x, y: box.top - origin.y + 0.8 * box.height };
    yield svg("text", { ...place, fill: style.color, ...font }, words);
  }
}

/** @param {Element | null} element @returns {string} the colour behind it */
function backgroundOf(element) {
  if (!element) return "#fff";
  const { backgroundColor } = getComputedStyle(element);
  return isClear(backgroundColor) ? backgroundOf(element.parentElement) : backgroundColor;
}

/** @param {SVGElement} made */
const svgFile = async (made) => new Blob([new XMLSerializer().serializeToString(made)], { type: "image/svg+xml" });

/** @param {SVGElement} made @returns {Promise<Blob>} */
async function pngFile(made) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(made))}`;
  await image.decode();
  const [width, height] = ["width", "height"].map((side) => SHARPNESS * Number(made.getAttribute(side)));
  const canvas = h("canvas", { width, height });
  canvas.getContext("2d")?.drawImage(image, 0, 0, width, height);
  return new Promise((done, failed) => canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("no PNG")))));
}

/** @param {Blob} file @param {string} name */
function download(file, name) {
  const href = URL.createObjectURL(file);
  h("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
