// Bundle each interactive with the core into one script that a page can hold: `npm run build`.
// Its global, `miniai_interactive`, has `mount(host, options)`. index.json says how each opens.
import { readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = new URL("../miniai/lab/interactives/", import.meta.url);
const names = readdirSync(here).filter((file) => file.endsWith(".js") && !/^(build|eslint\.config)\.js$/.test(file));

await build({
  absWorkingDir: here,
  entryPoints: names,
  outdir: fileURLToPath(out),
  bundle: true,
  minify: true,
  charset: "utf8",
  target: "es2022",
  format: "iife",
  globalName: "miniai_interactive",
  legalComments: "none",
});

const specs = await Promise.all(names.sort().map(async (file) => (await import(`./${file}`)).spec));
const index = Object.fromEntries(specs.map(({ name, title, defaults }) => [name, { title, defaults }]));
writeFileSync(new URL("index.json", out), JSON.stringify(index, null, 1) + "\n");
