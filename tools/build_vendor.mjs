/**
 * Bundle the browser modules of node_modules into one file, and bring the fonts, so that pages load under a strict policy.
 *
 * One bundle needs no import map (an inline script, which the policy forbids) and no content-delivery host. The licences of
 * everything inside travel with it. Run by server/vendor.py after `npm ci`; the manifest it writes says what was built from
 * what, so that an unchanged checkout builds nothing.
 */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const entry = join(root, "tools", "vendor_entry.js");
const folder = join(root, "static", "vendor");
/** The latin parts of the two type families; other scripts fall back to the system's own fonts. */
const fonts = ["inter", "source-serif-4"].flatMap((family) =>
  ["latin", "latin-ext"].map((script) => ({
    from: `node_modules/@fontsource-variable/${family}/files/${family}-${script}-wght-normal.woff2`,
    to: `${family}-${script}.woff2`,
  })),
);
/** Style sheets that belong to modules of the bundle. */
const sheets = [{ from: "node_modules/uplot/dist/uPlot.min.css", to: "uplot.css" }];
const hash = (/** @type {Buffer | string} */ bytes) => createHash("sha256").update(bytes).digest("hex");

/** @param {Record<string, unknown>} inputs paths of bundled files @returns {string[]} package folders, sorted */
const packagesOf = (inputs) => [
  ...new Set(
    Object.keys(inputs)
      .map((path) => path.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//)?.[1])
      .filter((name) => name !== undefined),
  ),
].sort();

/** @param {string} name a package folder, relative to the root @returns {string} */
const licenceOf = (name) => {
  const about = JSON.parse(readFileSync(join(root, name, "package.json"), "utf8"));
  const file = readdirSync(join(root, name)).find((each) => /^licen[cs]e/i.test(each));
  const text = file ? readFileSync(join(root, name, file), "utf8").trim() : `License: ${about.license}`;
  return `${about.name} ${about.version}\n\n${text}\n`;
};

const result = await build({
  absWorkingDir: root,
  entryPoints: [entry],
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  minify: true,
  legalComments: "none",
  metafile: true,
  write: false,
});
const bundle = Buffer.from(result.outputFiles[0].contents);
if (!existsSync(folder)) mkdirSync(folder, { recursive: true });
const written = join(folder, "vendor.js");
writeFileSync(`${written}.part`, bundle);
renameSync(`${written}.part`, written);
copyFileSync(entry, join(folder, "vendor.d.ts"));
mkdirSync(join(folder, "fonts"), { recursive: true });
for (const { from, to } of fonts) copyFileSync(join(root, from), join(folder, "fonts", to));
for (const { from, to } of sheets) copyFileSync(join(root, from), join(folder, to));
const inside = { ...result.metafile.inputs, ...Object.fromEntries(fonts.map(({ from }) => [from, true])) };
const packages = packagesOf(inside);
writeFileSync(join(folder, "LICENSES.txt"), packages.map(licenceOf).join(`\n${"-".repeat(78)}\n\n`));
const manifest = {
  lock: hash(readFileSync(join(root, "package-lock.json"))),
  entry: hash(readFileSync(entry)),
  builder: hash(readFileSync(fileURLToPath(import.meta.url))),
  bundle: hash(bundle),
  bytes: bundle.length,
};
writeFileSync(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
console.log(`static/vendor/vendor.js: ${Math.ceil(bundle.length / 1000)} kB from ${packages.length} packages`);
