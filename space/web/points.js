/** Points of a chart that say their names and can be chosen: by pointer, by keys, by touch. */

import { text } from "./chart.js";
import { clamp, svg } from "./dom.js";
import { widthOf } from "./labels.js";

const NEAR = 26; // px, from where the pointer picks a point

/**
 * @typedef {object} Point
 * @property {string} key
 * @property {number} x px
 * @property {number} y px
 * @property {SVGElement[]} marks around (0, 0)
 * @property {string} name its class, of charts.css
 * @property {string[]} tip lines that are shown at the point while it is hovered over or has the focus
 * @property {boolean} isChosen
 */

/**
 * @param {Point[]} points the last one lies above all others
 * @param {{width: number, bottom: number}} frame px, where tips are drawn
 * @param {(key: string) => void} choose called for the point that is clicked, or where Enter is pressed
 * @returns {{content: SVGElement[], on: Record<string, (event: any) => void>}} to be put into an SVG, and its listeners
 */
export function choosable(points, frame, choose) {
  const tip = svg("g", { class: "tip", "aria-hidden": "true" });
  let tipped = -1;
  const show = (/** @type {number} */ i) => {
    if (i === tipped) return;
    tipped = i;
    tip.replaceChildren(...(points[i] ? tipOf(points[i], frame) : []));
  };
  const first = Math.max(points.findIndex(({ isChosen }) => isChosen), 0);
  const elements = points.map(({ key, x, y, marks, name, tip: words, isChosen }, i) =>
    svg(
      "g",
      {
        class: `point ${name}`,
        transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
        "data-key": key,
        tabindex: i === first ? 0 : -1,
        role: "button",
        "aria-pressed": String(isChosen),
        "aria-label": words.join(", "),
        on: { focus: () => show(i), blur: () => show(-1) },
      },
      svg("circle", { class: "target-area", r: 10 }),
      ...marks,
    ),
  );
  const nearest = (/** @type {MouseEvent & {currentTarget: Element}} */ { currentTarget, clientX, clientY }) => {
    const area = currentTarget.getBoundingClientRect();
    const away = points.map(({ x, y }) => Math.hypot(clientX - area.left - x, clientY - area.top - y));
    const near = away.indexOf(Math.min(...away));
    return away[near] < NEAR ? near : -1;
  };
  return {
    content: [...elements, tip],
    on: {
      pointermove: (event) => {
        show(nearest(event));
        event.currentTarget.style.cursor = tipped < 0 ? "" : "pointer";
      },
      pointerleave: () => show(-1),
      click: (event) => nearest(event) >= 0 && choose(points[nearest(event)].key),
      keydown: (event) => {
        const from = elements.indexOf(event.target);
        if (from < 0) return;
        if (event.key === "Enter" || event.key === " ") choose(points[from].key);
        else if (event.key in ARROWS) elements[neighbour(points, from, event.key)].focus();
        else return;
        event.preventDefault();
      },
    },
  };
}

/** @type {Record<string, ["x" | "y", number]>} */
const ARROWS = { ArrowRight: ["x", 1], ArrowLeft: ["x", -1], ArrowDown: ["y", 1], ArrowUp: ["y", -1] };

/** The next point in the direction of an arrow. @param {Point[]} points @param {number} from @param {string} key */
function neighbour(points, from, key) {
  const [along, sign] = ARROWS[key];
  const order = [...points.keys()].sort((a, b) => sign * (points[a][along] - points[b][along]) || a - b);
  return order[Math.min(order.indexOf(from) + 1, order.length - 1)];
}

/** The words about a point, in a box beside it. @param {Point} point @param {{width: number, bottom: number}} frame */
function tipOf({ x, y, tip }, frame) {
  const width = Math.max(...tip.map((words, i) => widthOf(words, 12, i ? 400 : 700))) + 18;
  const height = 17 * tip.length + 9;
  const left = clamp(x + 14 + width > frame.width ? x - 14 - width : x + 14, 0, Math.max(frame.width - width, 0));
  const top = clamp(y - height / 2, 0, Math.max(frame.bottom - height, 0));
  const lines = tip.map((words, i) => text(words, i ? "" : "named", left + 9, top + 18 + 17 * i));
  return [svg("rect", { x: left, y: top, width, height, rx: 6 }), ...lines];
}
