// The player's style, inside its shadow DOM. Colours may be set from outside by the custom properties of :host.

export const STYLE = `
:host {
  --own-ink: var(--swarmcast-ink, #171b22);
  --own-quiet: var(--swarmcast-quiet, #59636f);
  --own-line: var(--swarmcast-line, #d9dee5);
  --own-raised: var(--swarmcast-raised, #fff);
  --own-live: var(--swarmcast-live, #e5382c);
  --own-viewers: var(--swarmcast-accent, #1b8a6b);
  --own-source: #d08a1d;
  --own-relay: #7c8796;
  --own-focus: #2f6fed;
  display: block;
  color: var(--own-ink);
  font: 15px/1.45 system-ui, sans-serif;
  font-variant-numeric: tabular-nums;
}
@media (prefers-color-scheme: dark) {
  :host {
    --own-ink: var(--swarmcast-ink, #e9edf3);
    --own-quiet: var(--swarmcast-quiet, #9aa5b3);
    --own-line: var(--swarmcast-line, #2c333d);
    --own-raised: var(--swarmcast-raised, #1a1f27);
    --own-viewers: var(--swarmcast-accent, #35b893);
    --own-source: #e3a23c;
    --own-relay: #808c9b;
    --own-focus: #7fa8ff;
  }
}
[hidden] { display: none !important; }
button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
button:disabled { cursor: not-allowed; }
:focus-visible { outline: 2px solid var(--own-focus); outline-offset: 2px; }
svg { width: 22px; height: 22px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }

.stage { position: relative; aspect-ratio: 16 / 9; background: #0b0e12; color: #fff; border-radius: var(--swarmcast-radius, 10px); overflow: hidden; }
.stage:fullscreen { border-radius: 0; aspect-ratio: auto; }
video { width: 100%; height: 100%; display: block; object-fit: contain; }
.curtain { position: absolute; inset: 0; display: flex; flex-direction: column; gap: 14px; align-items: center; justify-content: center; padding: 0 16px; text-align: center; color: #c4ccd6; font-size: 17px; background: #0b0e12; transition: opacity .2s; pointer-events: none; }
[data-pictured="true"] .curtain { background: #0b0e1266; }
[data-state="live"][data-pictured="true"] .curtain { opacity: 0; }
.spinner { width: 30px; height: 30px; border-radius: 50%; border: 3px solid #ffffff2b; border-top-color: #fff; animation: turn 1s linear infinite; }
:is([data-state="offline"], [data-state="idle"], [data-state="locked"], [data-state="lapsed"], [data-state="refused"], [data-state="unsupported"], [data-state="failed"]) .spinner { display: none; }
.begin { width: 72px; height: 72px; display: grid; place-items: center; border-radius: 50%; background: #fff; color: #14181f; }
.begin svg { width: 34px; height: 34px; fill: currentColor; stroke: none; }
:not([data-state="idle"]) > .curtain .begin { display: none; }
.curtain small { display: none; max-width: 46ch; font-size: 14px; line-height: 1.4; color: #9aa5b3; }
@keyframes turn { to { transform: rotate(1turn); } }

.unmute { position: absolute; top: 14px; left: 14px; display: flex; gap: 8px; align-items: center; padding: 9px 16px 9px 12px; border-radius: 99px; background: #fff; color: #14181f; font-weight: 600; box-shadow: 0 2px 12px #0006; }
.controls { position: absolute; inset: auto 0 0; display: flex; align-items: center; gap: 4px; padding: 26px 8px 6px; background: linear-gradient(transparent, #000b); opacity: 0; transition: opacity .2s; }
.stage:hover .controls, .stage:focus-within .controls, .stage:not([data-state="live"]) .controls { opacity: 1; }
@media (hover: none) { .controls { opacity: 1; } }
.controls button { width: 40px; height: 40px; display: grid; place-items: center; border-radius: 8px; flex: none; }
.controls button:hover { background: #fff2; }
.controls button:focus-visible { outline-color: #fff; outline-offset: -3px; }
[data-icon="play"] svg, [data-icon="pause"] svg { fill: currentColor; stroke: none; }
.gap { flex: 1; }
.badge { margin-left: 6px; padding: 2px 9px; border-radius: 5px; background: #ffffff2e; font-size: 13px; font-weight: 600; white-space: nowrap; }
.badge[data-live="true"] { background: var(--own-live); }
.lag { margin-left: 8px; font-size: 13px; color: #e3e8ee; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }

.under { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 8px 28px; padding: 12px 2px; }
.state { margin: 0; min-height: 1.45em; flex: 1 1 260px; }
.state strong { margin-right: 4px; }
.state strong::before { content: ""; display: inline-block; width: 9px; height: 9px; margin-right: 8px; border-radius: 50%; background: var(--own-quiet); }
.state[data-state="live"] strong::before { background: var(--own-live); }
.state span, .why { color: var(--own-quiet); }
.sharing { display: flex; align-items: flex-start; gap: 12px; flex: 0 1 auto; }
.why { font-size: 13px; line-height: 1.35; max-width: 27ch; padding-top: 2px; }
.why select { font: inherit; color: inherit; background: none; border: 1px solid currentColor; border-radius: 5px; padding: 0 2px; }
.why select option { color: initial; }
.switch { display: flex; align-items: center; gap: 9px; font-weight: 600; flex: none; min-height: 28px; border-radius: 6px; }
.switch:disabled { opacity: .6; }
.knob { width: 40px; height: 24px; border-radius: 12px; background: var(--own-relay); position: relative; transition: background .15s; }
.knob::after { content: ""; position: absolute; top: 3px; left: 3px; width: 18px; height: 18px; border-radius: 50%; background: #fff; transition: transform .15s; }
.switch[aria-checked="true"] .knob { background: var(--own-viewers); }
.switch[aria-checked="true"] .knob::after { transform: translateX(16px); }

.panel { border: 1px solid var(--own-line); border-radius: 10px; background: var(--own-raised); padding: 16px; margin-bottom: 12px; display: grid; gap: 18px; min-width: 0; }
.panel dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 14px 20px; margin: 0; }
.panel dt { color: var(--own-quiet); font-size: 13px; }
.panel dd { margin: 1px 0 0; font-weight: 600; }
.panel h2 { margin: 0 0 8px; font-size: 13px; font-weight: 400; color: var(--own-quiet); }
.bar { display: flex; height: 12px; border-radius: 6px; overflow: hidden; background: var(--own-line); gap: 2px; }
.part { flex: 0 1 0; transition: flex-grow .4s; }
.part.viewers { background: var(--own-viewers); } .part.source { background: var(--own-source); } .part.relay { background: var(--own-relay); }
.origins ul { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 22px; margin: 9px 0 0; padding: 0; }
.origins li::before { content: ""; display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 7px; }
.origins .viewers::before { background: var(--own-viewers); } .origins .source::before { background: var(--own-source); } .origins .relay::before { background: var(--own-relay); }
.origins b { font-weight: 600; white-space: nowrap; }
.links { overflow-x: auto; min-width: 0; }
table { border-collapse: collapse; width: 100%; font-size: 13px; white-space: nowrap; }
th { text-align: left; font-weight: 400; color: var(--own-quiet); }
th, td { padding: 5px 18px 5px 0; border-bottom: 1px solid var(--own-line); }
tr:last-child td { border-bottom: 0; }

:host([controls="off"]) .controls { display: none; }
:host([fill]) { position: relative; height: 100%; }
:host([fill]) .stage { height: 100%; aspect-ratio: auto; border-radius: var(--swarmcast-radius, 0); }
:host([fill]) .curtain small { display: block; }
:host([fill]) .below { display: none; position: absolute; inset: auto 8px 58px; max-height: calc(100% - 66px); overflow: auto; padding: 0 14px; border-radius: 10px; background: var(--own-raised); }
:host([fill]) .below:has(.panel:not([hidden])) { display: block; }
:host([fill]) .panel { border: 0; padding: 4px 0 14px; margin: 0; }
@media (max-width: 560px) { .under { padding: 12px 14px; } .sharing { width: 100%; } .why { max-width: none; } .panel { margin: 0 14px 12px; padding: 14px; } }
@media (prefers-reduced-motion: reduce) { *, *::after { transition: none !important; } .spinner { animation-duration: 4s; } }
`;
