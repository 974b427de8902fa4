/** The box that loads a user's model: where its address is typed, and what the server says of it. */

import { toBase64 } from "./bytes.js";
import { fill, h } from "./dom.js";
import { requests } from "./server.js";
import { rich, say } from "./words.js";

/** What was typed and said; it outlives a change of language. @type {Box | undefined} */
let known;

class Box {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.address = "";
    this.isUnfolded = false;
    /** @type {any} */
    this.said = null;
    this.requests = requests(page, (isGone) => this.say({ key: isGone ? "page.no_server" : "page.server_back" }));
    this.draw = () => {};
    page.answers.addEventListener("load", (event) => this.hear(/** @type {CustomEvent} */ (event).detail));
  }

  /** @param {any} answer */
  hear(answer) {
    this.requests.noteAnswer(!answer.error && !answer.choose && !answer.news && answer.key !== "page.no_server");
    const { lab } = this.page;
    if (answer.news) {
      const { news } = answer;
      lab.add(news);
      const isBeside = news.models[this.page.besideLater] !== undefined;
      if (isBeside) this.page.besideLater = "";
      this.page.set(isBeside ? { beside: news.choose } : { family: news.family.key, stop: news.choose });
    } else if (answer.choose) {
      const { key } = /** @type {any} */ (lab.measuredStops().find(({ model }) => model === answer.choose));
      this.page.set({ family: lab.familyOf(key), stop: key });
    }
    this.say(answer);
  }

  /** @param {any} said */
  say(said) {
    this.said = said;
    this.draw();
  }

  load() {
    this.requests.ask("load", { address: this.address });
  }

  /** Gives the server a model from the visitor's disk. @param {File[]} files */
  async give(files) {
    const size = files.reduce((sum, file) => sum + file.size, 0);
    if (size > this.page.lab.index.server.largest_file) {
      const names = files.map((file) => file.name).join(", ");
      this.say({ key: "box.files_too_large", values: { names, megabytes: size / 1e6 }, error: true });
      return;
    }
    const entries = files.map(async (file) => [file.name, toBase64(new Uint8Array(await file.arrayBuffer()))]);
    this.requests.ask("load", { files: Object.fromEntries(await Promise.all(entries)) });
  }

  /** What is said, in the language of now. */
  words() {
    const { key, values, link, news } = this.said ?? {};
    if (!key || (news && !this.page.lab.family(news.family.key))) return null; // it was removed
    const words = rich(key, values);
    if (!link) return words;
    const href = `?${new URLSearchParams({ model: link })}`;
    return rich("box.loaded_link", { loaded: words, link: h("a", { href }, say("box.link")) });
  }
}

/** @param {Page} page @returns {View} */
export function build(page) {
  const box = (known ??= new Box(page));
  const { server } = page.lab.index;
  const input = h("input", {
    type: "text", placeholder: "owner/name", value: box.address, maxLength: 300, spellcheck: false, autocapitalize: "off",
    on: { input: () => (box.address = input.value) },
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    box.load();
  };
  const chosen = () => {
    box.give([...(chooser.files ?? [])]);
    chooser.value = ""; // the same files may be chosen again
  };
  const chooser = h("input", {
    type: "file", id: "model-files", multiple: true, accept: ".zip,.json,.safetensors", hidden: true,
    on: { change: chosen },
  });
  const message = h("p", { id: "message", role: "status", dir: "auto" });
  const form = h(
    "form",
    { on: { submit } },
    h("label", {}, say("box.address"), input),
    h("p", { class: "muted" }, say(server?.hosted ? "box.places" : "box.places_or_folder")),
    h("button", { type: "submit" }, say("box.load")),
    h("p", { class: "muted" }, say("box.files")),
    h("button", { on: { click: () => chooser.click() } }, say("box.choose")),
  );
  const inside = server ? form : h("p", { class: "muted" }, say("box.without_server"));
  const unfold = () => (box.isUnfolded = details.open);
  const title = h("summary", {}, say("box.title"));
  const details = h("details", { id: "user-model", open: box.isUnfolded, on: { toggle: unfold } }, title, inside);
  const element = h("div", { class: "box" }, details, chooser, message);
  box.draw = () => {
    fill(message, box.words());
    message.className = box.said?.error ? "error" : "";
  };
  return { element, draw: box.draw };
}
