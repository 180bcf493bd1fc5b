import js from "@eslint/js";
import globals from "globals";

const rules = { "prefer-const": "error", "no-var": "error", eqeqeq: "error", curly: ["error", "multi-line"], "no-implicit-globals": "error" };

export default [
  js.configs.recommended,
  { files: ["**/*.js"], rules, languageOptions: { globals: globals.browser } },
  { files: ["build.js", "tests/**/*.js", "eslint.config.js"], languageOptions: { globals: globals.node } },
];
