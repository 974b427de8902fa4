/** The lessons on the page: each asks to predict, then to do, then says why with the numbers at hand. What is done is kept
 * in the visitor's browser. */

import { fill, h } from "./dom.js";
import { FEW, LESSONS, ofNow, onTest, seen } from "./lessons.js";
import { rich, say, term } from "./words.js";

const KEPT = "sae-lessons.2"; // in the browser's storage; earlier pages kept other values, without the number

/** What the browser keeps of each lesson: the number of the prediction, whether it is done, and what its words then said.
 * @returns {Record<string, {predicted?: number, done?: boolean, values?: Record<string, any>}>} */
function read() {
  try {
    return Object(JSON.parse(localStorage.getItem(KEPT) ?? "{}"));
  } catch {
    return {};
  }
}

/** The lesson that is open; it stays open when the language changes. */
let open = "";

/** @param {Page} page @returns {View} */
export function build(page) {
  const lessons = LESSONS.filter(({ needsBundle = true }) => page.lab.index.bundled || !needsBundle);
  const kept = read();
  const buttons = lessons.map(({ key }, i) =>
    h("button", { data: { lesson: key }, on: { click: () => choose(key) } }, `${i + 1} `, say(`lessons.${key}`)),
  );
  const body = h("div", { class: "lesson", role: "group", hidden: true });
  const count = h("span", { class: "muted" });
  const why = h("div", { class: "why", role: "status" });
  const scroll = () => why.scrollIntoView({ block: "center" });
  const sign = h("button", { id: "lesson-sign", class: "primary", hidden: true, on: { click: scroll } });
  new IntersectionObserver(([{ isIntersecting }]) => (sign.hidden ||= isIntersecting)).observe(why);
  let said = ""; // what `why` says now, so that a screen reader hears it once, and what has the focus keeps it
  const element = h(
    "section",
    { id: "lessons", class: "box" },
    h("h2", {}, say("lessons.title"), " ", count),
    h("div", { class: "lesson-list" }, buttons),
    body,
    sign,
  );

  const current = () => lessons.find(({ key }) => key === open);
  /** @param {string} key */
  const choose = (key) => {
    open = open === key ? "" : key;
    sign.hidden = true;
    seen.clear();
    const lesson = current();
    if (lesson && !kept[open]?.done) page.set(lesson.from(page));
    layOut();
    page.draw();
  };
  /** @param {string} key @param {any} change */
  const keep = (key, change) => {
    kept[key] = { ...kept[key], ...change };
    try {
      localStorage.setItem(KEPT, JSON.stringify(kept));
    } catch {
      // a browser that keeps nothing: the lessons last as long as the page
    }
  };
  const layOut = () => {
    const lesson = current();
    body.hidden = !lesson;
    if (!lesson) return;
    const { key, tab, place } = lesson;
    body.ariaLabel = say(`lessons.${key}`);
    const answers = [0, 1, 2].map((i) => {
      const change = () => (keep(key, { predicted: i }), explain());
      const checked = kept[key]?.predicted === i;
      const radio = h("input", { type: "radio", name: "prediction", checked, on: { change } });
      return h("label", {}, radio, say(`lessons.${key}_answer_${i}`));
    });
    const terms = {
      effective_l0: term("effective L0"),
      target_rate: term("target rate"),
      few: FEW,
      curve: say("curve.error"),
      sigma: page.lab.index.sigma,
    };
    const click = () => page.set({ tab });
    const link = tab && h("button", { on: { click } }, say("lessons.see_in", { tab: say(`${tab}.title`) }));
    const find = () => place && document.querySelector(place)?.scrollIntoView({ block: "center" });
    const question = h("legend", {}, h("b", {}, say("lessons.predict")), " ", rich(`lessons.${key}_predict`));
    fill(
      body,
      h("fieldset", { class: "choice" }, question, answers),
      h("p", {}, h("b", {}, say("lessons.do")), " ", rich(`lessons.${key}_task`, terms)),
      place && h("button", { on: { click: find } }, say("lessons.place")),
      why,
      link,
    );
    explain();
  };
  /** Says why, once the lesson was done, and whether the prediction was right; with the numbers of then. */
  const explain = () => {
    const lesson = current();
    const { done, predicted, values } = kept[open] ?? {};
    if (!lesson || !done) return (said = "", fill(why));
    body.querySelectorAll("input").forEach((input) => (input.disabled = predicted !== undefined)); // which stays
    const answer = say(`lessons.${open}_answer_${lesson.right}`);
    const words = { threshold: term("threshold"), load_balancing: term("load balancing") };
    const verdict =
      predicted === undefined ? "lessons.answer" : predicted === lesson.right ? "lessons.right" : "lessons.wrong";
    const numbers = { ...onTest(page), ...(lesson.isOfNow && ofNow(page)), ...lesson.values?.(page), ...values };
    const isPast = lesson.isOfNow && !lesson.isDone(page);
    const saying = JSON.stringify([open, predicted, values, isPast]);
    if (saying === said) return;
    said = saying;
    fill(
      why,
      h("p", {}, rich(verdict, { answer })),
      h("p", {}, h("b", {}, say("lessons.why")), " ", rich(`lessons.${open}_why`, { ...numbers, ...words })),
      lesson.table?.(page),
      isPast && h("p", { class: "muted" }, say("lessons.then")),
    );
  };
  if (open) layOut();

  /** Says that the lesson is done, where its explanation is off the screen. */
  function announce() {
    const { top, bottom } = why.getBoundingClientRect();
    sign.textContent = say("lessons.sign", { number: 1 + lessons.findIndex(({ key }) => key === open) });
    sign.hidden = bottom > 0 && top < innerHeight;
  }

  return {
    element,
    draw() {
      const label = page.state.draw ? null : page.lab.pictures.label(page.state.digit);
      if (label !== null) seen.add(page.lab.index.classes[label]);
      seen.add(page.state.sigma > 0 ? "noisy" : "clean");
    },
    drawLater() {
      if (document.querySelector("#draw canvas:active")) return; // a stroke is looked at when it ends
      const lesson = current();
      if (lesson && page.look()) {
        const isNew = !kept[open]?.done;
        if (lesson.isDone(page)) keep(open, { done: true, values: lesson.isOfNow ? ofNow(page) : {} });
        const place = () => document.querySelector("#controls")?.getBoundingClientRect().top ?? 0;
        const before = place();
        explain();
        scrollBy(0, place() - before); // what a visitor may be using stays where it is on the screen
        if (isNew && kept[open]?.done) announce();
      }
      const next = lessons.find(({ key }) => !kept[key]?.done)?.key;
      buttons.forEach((button) => {
        const key = button.dataset.lesson ?? "";
        button.classList.toggle("done", Boolean(kept[key]?.done));
        button.classList.toggle("next", key === next);
        button.ariaExpanded = String(key === open);
        button.title = kept[key]?.done ? say("lessons.done") : "";
      });
      count.textContent = say("lessons.count", {
        done: lessons.filter(({ key }) => kept[key]?.done).length,
        all: lessons.length,
      });
    },
  };
}
