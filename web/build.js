// Bundle each interactive with the core into one script that a page can hold: `npm run build`.
// The global `miniai_NAME` of a bundle has one function, `mount(host, options)`.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const names = readdirSync(here).filter((file) => file.endsWith(".js") && !/^(build|eslint\.config)\.js$/.test(file));

await build({
  absWorkingDir: here,
  entryPoints: names,
  outdir: "../miniai/lab/interactives",
  bundle: true,
  minify: true,
  charset: "utf8",
  target: "es2022",
  format: "iife",
  globalName: "miniai_interactive",
  legalComments: "none",
});
