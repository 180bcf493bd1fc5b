// The style of all interactives; each has it in a shadow root, so that neither it nor the page disturbs the other.
export const css = `
:host { all: initial; display: block; visibility: inherit; pointer-events: inherit; }
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
section { all: initial; visibility: inherit; pointer-events: inherit; direction: ltr; print-color-adjust: exact;
  --ink: #1c1c1c; --soft: #595959; --line: #8c8c8c; --paper: #fff; --field: #f3f4f6; --accent: #0060a8; --bad: #b3261e;
  --good: #00704f; display: block; max-width: 960px; margin: 8px 0; padding: 12px 14px; border: 1px solid var(--line);
  border-radius: 8px; background: var(--paper); color: var(--ink); color-scheme: light;
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
section[data-theme=dark] { --ink: #ececec; --soft: #b4b4b4; --line: #808080; --paper: #1b1b1d; --field: #2b2b2f;
  --accent: #63b3f5; --bad: #ff8a80; --good: #5fd6ad; color-scheme: dark; }
h3 { margin: 0 0 8px; font-size: 16px; }
p { margin: 6px 0; }
.hint, .note { color: var(--soft); font-size: 12.5px; }
.row { display: flex; flex-wrap: wrap; gap: 10px 18px; align-items: flex-start; }
.controls { flex: 1 1 230px; min-width: 0; max-width: 340px; }
.picture { flex: 2 1 320px; min-width: 0; }
fieldset { margin: 0 0 8px; padding: 6px 10px 8px; border: 1px solid var(--line); border-radius: 6px; min-width: 0; }
legend { padding: 0 4px; font-weight: 600; }
label, .choice { display: block; margin: 4px 0; }
.slider > span { display: flex; justify-content: space-between; gap: 8px; }
.slider output { font-variant-numeric: tabular-nums; white-space: nowrap; }
input[type=range] { display: block; width: 100%; height: 28px; margin: 0; accent-color: var(--accent); touch-action: pan-y; }
input[type=checkbox], input[type=radio] { width: 17px; height: 17px; margin: 0 6px 0 0; vertical-align: -3px;
  accent-color: var(--accent); }
button, select, input[type=text] { font: inherit; color: inherit; background: var(--field); border: 1px solid var(--line);
  border-radius: 6px; padding: 5px 11px; min-height: 32px; margin: 2px 6px 2px 0; max-width: 100%; }
button { cursor: pointer; }
button:hover:enabled { border-color: var(--accent); }
button:disabled { opacity: .5; cursor: default; }
button[aria-pressed=true] { background: var(--accent); color: var(--paper); border-color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
input[type=range]:focus-visible { outline-width: 2px; outline-offset: -2px; }
.slider .hint { display: block; }
.stage { position: relative; line-height: 0; }
canvas { display: block; width: 100%; height: auto; border-radius: 4px; }
.handle { position: absolute; width: 30px; height: 30px; min-height: 0; margin: -15px 0 0 -15px; padding: 0; border: 0;
  border-radius: 50%; background: none; cursor: grab; touch-action: none; }
.handle::after { content: ""; position: absolute; inset: 7px; border: 3px solid var(--ink); border-radius: 50%;
  background: var(--paper); }
.handle:active { cursor: grabbing; }
.player { display: flex; flex-wrap: wrap; align-items: center; gap: 2px; }
.player .slider { flex: 1 1 140px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 4px 0; padding: 0; list-style: none; }
.legend svg { width: 30px; height: 10px; margin-right: 5px; vertical-align: 0; }
pre { margin: 6px 0; padding: 8px 10px; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--field); border-radius: 6px;
  font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 2px 8px 2px 0; overflow-wrap: anywhere; text-align: left; font-weight: normal; vertical-align: top; }
thead th { color: var(--soft); font-size: 12.5px; }
.status { min-height: 1.45em; white-space: pre-line; }
.status:empty { display: none; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
footer { margin-top: 8px; }
.open footer { display: none; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 480px) { section { padding: 10px 8px; } .controls { max-width: none; } }
`;
