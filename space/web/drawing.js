/** The canvas on which a visitor draws, or onto which an image file is put. The page gets the drawing as `draw` of its
 * state, a text that digit.js writes. */

import { asMnist, toText } from "./digit.js";
import { clamp, h } from "./dom.js";
import { grey } from "./paint.js";
import { inkOfFile } from "./photo.js";
import { resized } from "./resample.js";
import { Problem, say } from "./words.js";

const SIDE = 112;
const RADIUS = 4.5; // of the brush, to where its ink is half as bright; the brush is 8% of the canvas wide
const SOFT = 1; // how far inside and outside of that the ink fades out
const PAUSE = 200; // milliseconds between two updates of the page during a stroke
const CLOSE = 1 / 30 + 1e-6; // the most by which a pixel may differ from what its text makes of it

/** @typedef {{x: number, y: number}} Point in pixels of the canvas */

/** @param {Page} page */
export function build(page) {
  const { noun } = page.lab.index;
  const name = say(`draw.${noun}_aria`);
  const canvas = h("canvas", { width: SIDE, height: SIDE, role: "img", tabIndex: -1, "aria-label": name });
  const frame = h("div", { class: "frame" }, canvas, h("span", { "aria-hidden": "true" }, say(`draw.${noun}`)));
  const chosen = () => {
    const [file] = chooser.files ?? [];
    if (file) read(file);
    chooser.value = ""; // the same file may be chosen again
  };
  const chooser = h("input", { type: "file", accept: "image/*", hidden: true, on: { change: chosen } });
  const buttons = [
    h("button", { class: "choose", on: { click: () => chooser.click() } }, say("draw.choose")),
    h("button", { class: "clear", on: { click: clear } }, say("draw.clear")),
  ];
  const message = h("p", { class: "message", role: "status" });
  const side = h("div", { class: "side" }, buttons, h("p", { class: "hint" }, say("draw.hint")), chooser);
  const element = h("div", { id: "draw" }, frame, side, message);

  // The drawing is kept here, not read back from the canvas: some browsers add noise to what is read, for privacy.
  /** @type {Uint8ClampedArray} */
  let ink = new Uint8ClampedArray(SIDE * SIDE);
  /** @type {ArrayLike<number> | null} the same as the page has it */
  let known = null;
  /** @type {{id: number, at: Point} | null} the pointer that draws, and where it was last */
  let stroke = null;
  /** @type {number | undefined} */
  let timer;
  let turn = 0; // counts what was begun: what comes late must not replace something newer

  function paint() {
    grey(canvas, ink, [1, SIDE, SIDE], [0, 255]);
    frame.classList.toggle("empty", !ink.some(Boolean));
  }

  /** Says what is wrong, wherever the page is scrolled to, until the next click or Escape. @param {unknown} error */
  function tell(error) {
    if (!(error instanceof Problem)) throw error;
    message.textContent = say(error.key, error.values);
    const said = new AbortController();
    const dismiss = (/** @type {Event} */ event) => {
      if (event instanceof KeyboardEvent && event.key !== "Escape") return;
      message.textContent = "";
      said.abort();
    };
    for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, dismiss, said);
  }

  /** Something new begins: drops what was under way, and the message. Returns whether nothing newer has begun. */
  function begin() {
    clearTimeout(timer);
    timer = undefined;
    message.textContent = "";
    const mine = ++turn;
    return () => mine === turn;
  }

  /** Gives the page the drawing. @param {string} [doubt] what is said of it then */
  async function send(doubt) {
    const isNewest = begin();
    try {
      const image = asMnist(Float32Array.from(ink, (level) => level / 255), SIDE, SIDE);
      const draw = await toText(image);
      await page.lab.pictures.readDrawing(draw);
      if (!isNewest()) return;
      known = image;
      page.set({ draw });
      if (doubt) tell(new Problem(doubt));
    } catch (error) {
      tell(error);
    }
  }

  function clear() {
    begin();
    known = null;
    ink.fill(0);
    paint();
    page.set({ draw: "" });
  }

  /**
   * Shows an image from elsewhere, or nothing; it does not interrupt a stroke, nor redraw what this canvas sent.
   * @param {ArrayLike<number> | null} image 28 x 28, in [0, 1]
   */
  function show(image) {
    const same = image && known?.length === image.length;
    if (stroke || (same && Array.from(image).every((level, i) => Math.abs(level - (known?.[i] ?? 0)) <= CLOSE))) return;
    begin();
    known = image;
    ink.fill(0);
    if (image) ink.set(resized(Float64Array.from(image, (level) => 255 * level), SIDE, SIDE));
    paint();
  }

  /** Puts an image file onto the canvas. @param {Blob} file */
  async function read(file) {
    const isNewest = begin();
    try {
      const found = await inkOfFile(file, SIDE);
      if (!isNewest()) return;
      ink = found.ink;
      paint();
      send(found.uneven ? "draw.uneven" : undefined);
    } catch (error) {
      if (isNewest()) tell(error);
    }
  }

  /** @param {PointerEvent} event @returns {Point} */
  function place(event) {
    const area = canvas.getBoundingClientRect();
    const across = (/** @type {number} */ part, /** @type {number} */ whole) => (part / whole) * SIDE;
    return { x: across(event.clientX - area.left, area.width), y: across(event.clientY - area.top, area.height) };
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (stroke || event.button !== 0) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    begin();
    const at = place(event);
    stroke = { id: event.pointerId, at };
    line(ink, at, at);
    paint();
  });

  canvas.addEventListener("pointermove", (event) => {
    if (stroke?.id !== event.pointerId) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const one of passed.length ? passed : [event]) {
      const at = place(one);
      line(ink, stroke.at, at);
      stroke.at = at;
    }
    paint();
    timer ??= setTimeout(send, PAUSE);
  });

  for (const kind of /** @type {const} */ (["pointerup", "pointercancel"]))
    canvas.addEventListener(kind, (event) => {
      if (stroke?.id !== event.pointerId) return;
      stroke = null;
      send();
    });

  paint();
  return { element, show, read };
}

/**
 * Takes image files that are dropped anywhere onto an element, or pasted anywhere but into a field.
 * @param {HTMLElement} element
 * @param {(file: File) => void} take
 */
export function takeFiles(element, take) {
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (!file || /** @type {Element} */ (event.target).matches?.("input, textarea")) return;
    event.preventDefault();
    take(file);
  });
  const mark = (/** @type {boolean} */ isOver) => element.classList.toggle("file-over", isOver);
  element.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    mark(true);
  });
  element.addEventListener("dragleave", (event) => {
    if (!element.contains(/** @type {Node | null} */ (event.relatedTarget))) mark(false);
  });
  element.addEventListener("drop", (event) => {
    mark(false);
    const [file] = event.dataTransfer?.files ?? [];
    if (!file) return;
    event.preventDefault(); // or the browser would open the file
    take(file);
  });
}

/**
 * Ink along the line from one point to another, each pixel by its distance from the line.
 * @param {Uint8ClampedArray} ink SIDE x SIDE, 0 where there is none
 * @param {Point} from
 * @param {Point} to
 */
function line(ink, from, to) {
  const reach = RADIUS + SOFT;
  const [x1, y1] = [to.x - from.x, to.y - from.y];
  const square = x1 * x1 + y1 * y1;
  const start = (/** @type {number} */ a, /** @type {number} */ b) => Math.max(0, Math.floor(Math.min(a, b) - reach));
  const end = (/** @type {number} */ a, /** @type {number} */ b) => Math.min(SIDE, Math.ceil(Math.max(a, b) + reach));
  for (let row = start(from.y, to.y); row < end(from.y, to.y); row++)
    for (let column = start(from.x, to.x); column < end(from.x, to.x); column++) {
      const [x, y] = [column + 0.5 - from.x, row + 0.5 - from.y];
      const along = square ? clamp((x * x1 + y * y1) / square, 0, 1) : 0;
      const distance = Math.hypot(x - along * x1, y - along * y1);
      const i = row * SIDE + column;
      ink[i] = Math.max(ink[i], (255 * (reach - distance)) / (2 * SOFT));
    }
}
