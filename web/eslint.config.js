import js from "@eslint/js";
import globals from "globals";

const errors = ["prefer-const", "no-var", "eqeqeq", "no-implicit-globals"];
const rules = { ...Object.fromEntries(errors.map((name) => [name, "error"])), curly: ["error", "multi-line"] };

export default [
  js.configs.recommended,
  { files: ["**/*.js"], rules, languageOptions: { globals: globals.browser } },
  { files: ["build.js", "tests/**/*.js", "eslint.config.js"], languageOptions: { globals: globals.node } },
];
