/** The box that loads a user's model: where its address is typed, and what the server says of it. */

import { toBase64 } from "./bytes.js";
import { fill, h } from "./dom.js";
import { requests } from "./server.js";
import { rich, say } from "./words.js";

/** The box, which outlives a change of language. @type {ReturnType<typeof loading> | undefined} */
let known;

/** @param {Page} page @returns {View} */
export function build(page) {
  known ??= loading(page);
  return known.build();
}

/** What was typed and said, and what shows it. @param {Page} page */
function loading(page) {
  const { lab } = page;
  const { server } = lab.index;
  let address = "";
  let isUnfolded = false;
  /** @type {any} */
  let said = null;
  let draw = () => {};
  const asked = requests(page, (isGone) => tell({ key: isGone ? "page.no_server" : "page.server_back" }));
  page.answers.addEventListener("load", (event) => hear(/** @type {CustomEvent} */ (event).detail));

  /** @param {any} answer */
  function hear(answer) {
    const { news, choose } = answer;
    asked.noteAnswer(!answer.error && !choose && !news && answer.key !== "page.no_server");
    if (news) {
      lab.add(news);
      const isBeside = news.models[page.besideLater] !== undefined;
      if (isBeside) page.besideLater = "";
      page.set(isBeside ? { beside: news.choose } : { family: news.family.key, stop: news.choose });
    } else if (choose) {
      const { key } = /** @type {any} */ (lab.measuredStops().find(({ model }) => model === choose));
      page.set({ family: lab.familyOf(key), stop: key });
    }
    tell(answer);
  }

  /** @param {any} answer */
  function tell(answer) {
    said = answer;
    draw();
  }

  /** Gives the server a model from the visitor's disk. @param {File[]} files */
  async function give(files) {
    const size = files.reduce((sum, file) => sum + file.size, 0);
    if (size > server.largest_file) {
      const names = files.map((file) => file.name).join(", ");
      return tell({ key: "box.files_too_large", values: { names, megabytes: size / 1e6 }, error: true });
    }
    const entries = files.map(async (file) => [file.name, toBase64(new Uint8Array(await file.arrayBuffer()))]);
    asked.ask("load", { files: Object.fromEntries(await Promise.all(entries)) });
  }

  /** What is said, in the language of now. */
  function words() {
    const { key, values, link, news } = said ?? {};
    if (!key || (news && !lab.family(news.family.key))) return null; // it was removed
    const words = rich(key, values);
    if (!link) return words;
    const href = `?${new URLSearchParams({ model: link })}`;
    return rich("box.loaded_link", { loaded: words, link: h("a", { href }, say("box.link")) });
  }

  /** @returns {View} */
  function build() {
    const input = h("input", {
      type: "text", placeholder: "owner/name", value: address, maxLength: 300, spellcheck: false, autocapitalize: "off",
      on: { input: () => (address = input.value) },
    });
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      asked.ask("load", { address });
    };
    const chosen = () => {
      give([...(chooser.files ?? [])]);
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
    const unfold = () => (isUnfolded = details.open);
    const title = h("summary", {}, say("box.title"));
    const details = h("details", { id: "user-model", open: isUnfolded, on: { toggle: unfold } }, title, inside);
    draw = () => {
      fill(message, words());
      message.className = said?.error ? "error" : "";
    };
    return { element: h("div", { class: "box" }, details, chooser, message), draw: () => draw() };
  }

  return { build };
}
