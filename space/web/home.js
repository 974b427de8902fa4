/** How the chosen model gets into one's own program: lines of Python that work as they stand, and its files. */

import { fill, h } from "./dom.js";
import { fileAddress } from "./files.js";
import { rich, say } from "./words.js";

/** @typedef {import("./page.js").Page} Page */

/** @param {Page} page @returns {import("./page.js").View} */
export function takeHome(page) {
  const code = h("code", {});
  const copy = h("button", { type: "button" }, say("home.copy"));
  const links = h("p", { class: "buttons" });
  const source = h("p", { class: "muted" });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent ?? "");
      copy.textContent = say("home.copied");
      setTimeout(() => (copy.textContent = say("home.copy")), 1500);
    } catch {
      getSelection()?.selectAllChildren(code); // a page that may not copy lets one do so
    }
  });
  const download = (/** @type {string} */ href, /** @type {string} */ name) => h("a", { href, download: name }, name);
  let drawn = "";
  return {
    element: h(
      "details",
      { id: "take-home", class: "box" },
      h("summary", {}, say("home.title")),
      h("pre", { tabIndex: 0 }, code),
      h("p", { class: "buttons" }, copy),
      links,
      source,
    ),
    draw() {
      const { stop: key } = page.state;
      if (key === drawn) return;
      drawn = key;
      const stop = page.lab.stop(key);
      const { config, url } = page.lab.index.models[stop.model];
      code.textContent = program(page, stop);
      const text = new Blob([JSON.stringify(config, null, 2)], { type: "application/json" });
      fill(
        links,
        say("home.files"),
        " ",
        download(URL.createObjectURL(text), "config.json"),
        " ",
        download(fileAddress(url), "model.safetensors"),
      );
      const bundled = page.lab.index.bundled && !stop.users;
      fill(source, rich(bundled ? "home.bundled" : "home.own", { name: stop.model }), " ", rich("home.project"));
    },
  };
}

/**
 * @param {Page} page
 * @param {import("./lab.js").Stop} stop
 */
function program(page, stop) {
  const { shape, bundled } = page.lab.index;
  const asked = stop.argument ? `, ${stop.argument}=${stop.value}` : "";
  const load =
    bundled && !stop.users
      ? ["from sae_model import load_variant", "", `model = load_variant(${JSON.stringify(stop.model)})`]
      : [
          "from sae_model import SparseAutoencoder",
          "",
          `model = SparseAutoencoder.from_pretrained(${JSON.stringify(stop.users ? stop.model : "FOLDER")})`,
        ];
  return [
    "import torch",
    ...load,
    `images = torch.rand(8, ${shape.join(", ")})`,
    `latents = model.encode(images${asked})`,
    "reconstruction = model.decode(latents)",
    ...(page.isLinear(stop.key) ? ["atoms = model.dictionary"] : []),
  ].join("\n");
}
