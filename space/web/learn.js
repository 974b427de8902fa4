/** The tab in which a model is trained on the server before the visitor's eyes, kept, and taken home. */

import { toBase64 } from "./bytes.js";
import { fill, h } from "./dom.js";
import { moment } from "./moment.js";
import { requests } from "./server.js";
import { initial, settings } from "./settings.js";
import { rich, say } from "./words.js";

/** @typedef {"idle" | "waiting" | "running" | "paused" | "done"} Status */

const BUTTONS = /** @type {const} */ (["start", "pause", "step", "stop", "keep", "discard"]);

/** The visitor's training; it outlives a change of language. @type {ReturnType<typeof training> | undefined} */
let known;

/** @param {Page} page @returns {View} */
export function build(page) {
  if (!page.lab.index.server)
    return { element: h("div", { id: "learn" }, h("p", {}, say("learn.without_server"))), draw() {} };
  known ??= training(page);
  return known.build();
}

/** A training, and what shows it. @param {Page} page */
function training(page) {
  const chosen = initial(page.lab.index);
  /** @type {Status} */
  let status = "idle";
  /** What was said last: words of the catalogue. @type {any} */
  let said = { key: "learn.idle" };
  /** @type {import("./moment.js").Moment | null} */
  let last = null;
  let [name, repo] = ["", ""]; // what a kept model is to be called, here and on the Hub
  let file = ""; // of the model that was kept
  let [isKeeping, isSending] = [false, false];
  let draw = () => {};
  const asked = requests(page, lost);
  for (const what of [...BUTTONS, "send"])
    page.answers.addEventListener(what, (event) => hear(what, /** @type {CustomEvent} */ (event).detail));

  /** @param {string} about @param {any} answer */
  function hear(about, answer) {
    if (answer.key) said = answer;
    if (about === "keep") kept(answer);
    else if (about !== "send") trained(answer);
    else if (answer.error || answer.link) isSending = false;
    asked.noteAnswer(status === "running" || status === "waiting" || isKeeping || isSending);
    draw();
  }

  /** @param {any} answer */
  function trained({ status: now, moment, error, key }) {
    if (error) status = last ? "paused" : "idle";
    if (moment) last = moment;
    if (!now) return;
    if (now === "idle") last = null;
    status = now;
    const isEarly = status === "done" && last && last.step < last.steps;
    if (!key) said = { key: isEarly ? "learn.stopped" : `learn.${status}` };
  }

  /** @param {any} answer */
  function kept({ news, file: of, error }) {
    if (error || news) isKeeping = false;
    if (!news) return;
    file = of;
    page.lab.add(news);
    page.set({ family: news.family.key, stop: news.choose });
  }

  /** @param {boolean} isGone */
  function lost(isGone) {
    said = { key: isGone ? "page.no_server" : "learn.lost" };
    status = last ? "paused" : "idle";
    isKeeping = isSending = false;
    draw();
  }

  /** @param {string} what */
  function press(what) {
    let data = {};
    if (what === "start" || what === "step") {
      const look = page.look(page.state.stop, false);
      if (!look) return;
      if (what === "start") status = "running";
      data = { ...chosen, image: toBase64(new Uint8Array(Float32Array.from(look.noisy).buffer)) };
    } else if (what === "keep") {
      isKeeping = true;
      data = { name };
    }
    asked.ask(what, data);
    draw();
  }

  /** Whether a button can do something now. @param {string} what */
  function can(what) {
    if (asked.isGone()) return false;
    const works = status === "running" || status === "waiting";
    if (what === "pause") return status === "running";
    if (what === "stop") return works || status === "paused";
    if (what === "discard") return status !== "idle";
    if (what === "keep") return last !== null && !isKeeping && status !== "waiting";
    return !works && !isKeeping;
  }

  /** @returns {View} */
  function build() {
    const buttons = BUTTONS.map((what) =>
      h("button", { id: `train-${what}`, on: { click: () => press(what) } }, say(`learn.${what}`)),
    );
    buttons[0].className = "primary";
    const link = h("a", { id: "train-file", class: "button", download: "" }, say("learn.download"));
    const called = h("input", {
      type: "text", id: "train-name", value: name, maxLength: 40, placeholder: say("learn.name"),
      "aria-label": say("learn.name"), on: { input: () => (name = called.value.trim()) },
    });
    const address = h("input", {
      type: "text", placeholder: "owner/name", value: repo, maxLength: 200, spellcheck: false, autocapitalize: "off",
      on: { input: () => (repo = address.value) },
    });
    const send = h("button", { type: "submit", id: "train-send" }, say("learn.send"));
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      isSending = true;
      asked.ask("send", { repo });
      draw();
    };
    const form = h("form", { class: "row", on: { submit } }, h("label", {}, say("learn.repo"), address), send);
    const push = h("details", { id: "push" }, h("summary", {}, say("learn.push")), form);
    const saving = h("div", { id: "saving" }, h("div", { class: "buttons" }, called, buttons[4], link), push);
    const message = h("p", { id: "train-said", role: "status", dir: "auto" });
    const view = moment(page);
    const fields = settings(page.lab.index, chosen);
    draw = () => {
      saving.hidden = !last && !file;
      fields.disabled = ["running", "waiting", "paused"].includes(status); // Start goes on with what there is
      BUTTONS.forEach((what, i) => (buttons[i].disabled = !can(what)));
      link.ariaDisabled = String(!file);
      if (file) link.href = new URL(`files/${file}`, document.baseURI).href;
      else link.removeAttribute("href");
      const { key, values, link: href, error } = said;
      fill(message, rich(key, href ? { link: h("a", { href }, values.repo) } : values));
      message.className = error ? "error" : "";
      send.disabled = !file || isSending || asked.isGone();
      view.draw(last);
    };
    const row = h("div", { id: "train-buttons", class: "buttons" }, buttons.slice(0, 4), buttons[5]);
    const parts = [h("p", {}, rich("learn.intro")), fields, row, message, saving, view.element];
    return { element: h("div", { id: "learn" }, parts), draw: () => draw() };
  }

  return { build };
}
