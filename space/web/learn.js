/** The tab in which a model is trained on the server before the visitor's eyes, kept, and taken home. */

import { toBase64 } from "./bytes.js";
import { fill, h } from "./dom.js";
import { moment } from "./moment.js";
import { requests } from "./server.js";
import { initial, settings } from "./settings.js";
import { rich, say } from "./words.js";

/** @typedef {"idle" | "waiting" | "running" | "paused" | "done"} Status */

const BUTTONS = /** @type {const} */ (["start", "pause", "step", "stop", "keep", "discard"]);

/** The visitor's training; it outlives a change of language. @type {Training | undefined} */
let known;

class Training {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    /** What is chosen. */
    this.settings = initial(page.lab.index);
    /** @type {Status} */
    this.status = "idle";
    /** What was said last: words of the catalogue. @type {any} */
    this.said = { key: "learn.idle" };
    /** @type {any} */
    this.moment = null;
    this.file = "";
    this.repo = "";
    this.name = ""; // what a kept model is to be called
    this.isKeeping = false;
    this.isSending = false;
    this.requests = requests(page, (isGone) => this.lost(isGone));
    this.draw = () => {};
    for (const what of [...BUTTONS, "send"])
      page.answers.addEventListener(what, (event) => this.hear(what, /** @type {CustomEvent} */ (event).detail));
  }

  /** @param {string} about @param {any} answer */
  hear(about, answer) {
    if (answer.key) this.said = answer;
    if (about === "keep") this.kept(answer);
    else if (about !== "send") this.trained(answer);
    else if (answer.error || answer.link) this.isSending = false;
    this.requests.noteAnswer(this.isOpen());
    this.draw();
  }

  /** Whether answers are to come. */
  isOpen() {
    return this.status === "running" || this.status === "waiting" || this.isKeeping || this.isSending;
  }

  /** @param {any} answer */
  trained({ status, moment, error, key }) {
    if (error) this.status = this.moment ? "paused" : "idle";
    if (moment) this.moment = moment;
    if (!status) return;
    if (status === "idle") this.moment = null;
    this.status = status;
    const isEarly = status === "done" && this.moment && this.moment.step < this.moment.steps;
    if (!key) this.said = { key: isEarly ? "learn.stopped" : `learn.${status}` };
  }

  /** @param {any} answer */
  kept({ news, file, error }) {
    if (error || news) this.isKeeping = false;
    if (!news) return;
    this.file = file;
    this.page.lab.add(news);
    this.page.set({ family: news.family.key, stop: news.choose });
  }

  /** @param {boolean} isGone */
  lost(isGone) {
    this.said = { key: isGone ? "page.no_server" : "learn.lost" };
    this.status = this.moment ? "paused" : "idle";
    this.isKeeping = this.isSending = false;
    this.draw();
  }

  /** @param {string} what */
  press(what) {
    let data = {};
    if (what === "start" || what === "step") {
      const look = this.page.look(this.page.state.stop, false);
      if (!look) return;
      if (what === "start") this.status = "running";
      data = { ...this.settings, image: toBase64(new Uint8Array(Float32Array.from(look.noisy).buffer)) };
    } else if (what === "keep") {
      this.isKeeping = true;
      data = { name: this.name };
    }
    this.requests.ask(what, data);
    this.draw();
  }

  /** Whether a button can do something now. @param {string} what */
  can(what) {
    const { status, moment, isKeeping, requests } = this;
    if (requests.isGone()) return false;
    const works = status === "running" || status === "waiting";
    if (what === "pause") return status === "running";
    if (what === "stop") return works || status === "paused";
    if (what === "discard") return status !== "idle";
    if (what === "keep") return moment !== null && !isKeeping && status !== "waiting";
    return !works && !isKeeping;
  }
}

/** @param {Page} page @returns {View} */
export function build(page) {
  if (!page.lab.index.server)
    return { element: h("div", { id: "learn" }, h("p", {}, say("learn.without_server"))), draw() {} };
  const training = (known ??= new Training(page));
  const buttons = BUTTONS.map((what) =>
    h("button", { id: `train-${what}`, on: { click: () => training.press(what) } }, say(`learn.${what}`)),
  );
  buttons[0].className = "primary";
  const file = h("a", { id: "train-file", class: "button", download: "" }, say("learn.download"));
  const name = h("input", {
    type: "text",
    id: "train-name",
    value: training.name,
    maxLength: 40,
    placeholder: say("learn.name"),
    "aria-label": say("learn.name"),
    on: { input: () => (training.name = name.value.trim()) },
  });
  const publish = publishing(training);
  const saving = h("div", { id: "saving" }, h("div", { class: "buttons" }, name, buttons[4], file), publish.element);
  const message = h("p", { id: "train-said", role: "status", dir: "auto" });
  const view = moment(page);
  const chosen = settings(page.lab.index, training.settings);
  training.draw = () => {
    saving.hidden = !training.moment && !training.file;
    chosen.disabled = ["running", "waiting", "paused"].includes(training.status); // Start goes on with what there is
    BUTTONS.forEach((what, i) => (buttons[i].disabled = !training.can(what)));
    file.ariaDisabled = String(!training.file);
    if (training.file) file.href = new URL(`files/${training.file}`, document.baseURI).href;
    else file.removeAttribute("href");
    const { key, values, link, error } = training.said;
    fill(message, rich(key, link ? { link: h("a", { href: link }, values.repo) } : values));
    message.className = error ? "error" : "";
    publish.draw();
    view.draw(training.moment);
  };
  const element = h(
    "div",
    { id: "learn" },
    h("p", {}, rich("learn.intro")),
    chosen,
    h("div", { id: "train-buttons", class: "buttons" }, buttons.slice(0, 4), buttons[5]),
    message,
    saving,
    view.element,
  );
  return { element, draw: () => training.draw() };
}

/** Where a kept model is published. @param {Training} training */
function publishing(training) {
  const repo = h("input", {
    type: "text",
    placeholder: "owner/name",
    value: training.repo,
    maxLength: 200,
    spellcheck: false,
    autocapitalize: "off",
    on: { input: () => (training.repo = repo.value) },
  });
  const button = h("button", { type: "submit", id: "train-send" }, say("learn.send"));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    training.isSending = true;
    training.requests.ask("send", { repo: training.repo });
    training.draw();
  };
  const form = h("form", { class: "row", on: { submit } }, h("label", {}, say("learn.repo"), repo), button);
  return {
    element: h("details", { id: "push" }, h("summary", {}, say("learn.push")), form),
    draw: () => (button.disabled = !training.file || training.isSending || training.requests.isGone()),
  };
}
