/** How the chosen model gets into one's own program: lines of Python that work as they stand, and its files. */

import { copyButton } from "./copy.js";
import { fill, h } from "./dom.js";
import { fileAddress } from "./files.js";
import { rich, say } from "./words.js";

/** @param {Page} page @returns {View} */
export function takeHome(page) {
  const code = h("code", {});
  const select = () => getSelection()?.selectAllChildren(code); // where the page may not copy
  const copy = copyButton("home.copy", "home.copied", () => code.textContent ?? "", select);
  const links = h("p", { class: "buttons" });
  const source = h("p", { class: "muted" });
  const download = (/** @type {string} */ href, /** @type {string} */ name) => h("a", { href, download: name }, name);
  let drawn = "";
  const title = h("summary", {}, say("home.title"));
  const lines = [h("pre", { tabIndex: 0 }, code), h("p", { class: "buttons" }, copy)];
  return {
    element: h("details", { id: "take-home", class: "box" }, title, lines, links, source),
    draw() {
      const { stop: key } = page.state;
      if (key === drawn) return;
      drawn = key;
      const stop = page.lab.stop(key);
      const { config, url } = page.lab.index.models[stop.model];
      code.textContent = program(page, stop);
      const json = `data:application/json,${encodeURIComponent(JSON.stringify(config, null, 2))}`;
      const files = [download(json, "config.json"), " ", download(fileAddress(url), "model.safetensors")];
      fill(links, rich("home.files"), " ", files);
      const bundled = page.lab.index.bundled && !stop.users;
      fill(source, rich(bundled ? "home.bundled" : "home.own", { name: stop.model }), " ", projectOf(page));
    },
  };
}

/** @param {string} space its name on the Hub */
const repository = (space) => `https://huggingface.co/spaces/${space}`;

/** Where the code is. @param {Page} page */
function projectOf(page) {
  const space = page.lab.index.server?.space;
  if (!space) return rich("home.project");
  return rich("home.project_space", { repository: h("a", { href: repository(space) }, say("home.repository")) });
}

/**
 * @param {Page} page
 * @param {Stop} stop
 */
function program(page, stop) {
  const { models, bundled } = page.lab.index;
  const asked = stop.argument ? `, ${stop.argument}=${stop.value}` : "";
  const [, repo, revision] = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/.exec(stop.model) ?? [];
  const from = JSON.stringify(repo ?? "FOLDER") + (revision ? `, revision=${JSON.stringify(revision)}` : "");
  const isBundled = bundled && !stop.users;
  const space = page.lab.index.server?.space;
  return [
    ...(space ? [`# pip install "git+${repository(space)}"`, ""] : []),
    "import torch",
    `from sae_model import ${isBundled ? "load_variant" : "SparseAutoencoder"}`,
    "",
    `model = ${isBundled ? `load_variant("${stop.model}")` : `SparseAutoencoder.from_pretrained(${from})`}`,
    `images = torch.rand(8, ${models[stop.model].config.image_shape.join(", ")})  # ${say("home.images")}`,
    `latents = model.encode(images${asked})`,
    "reconstruction = model.decode(latents)",
    ...(page.isLinear(stop.key) ? ["atoms = model.dictionary"] : []),
  ].join("\n");
}
