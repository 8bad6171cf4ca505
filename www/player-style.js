// The player's style, inside its shadow DOM. Colours may be set from outside by the custom properties of :host.

export const STYLE = `
:host {
  --own-ink: var(--swarmcast-ink, #171b22);
  --own-quiet: var(--swarmcast-quiet, #59636f);
  --own-line: var(--swarmcast-line, #d9dee5);
  --own-raised: var(--swarmcast-raised, #fff);
  --own-live: var(--swarmcast-live, #d32a1f);
  --own-viewers: var(--swarmcast-accent, #1b8a6b);
  --own-source: #d08a1d;
  --own-relay: #6d7887;
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

.stage { position: relative; container-type: inline-size; aspect-ratio: 16 / 9; background: #0b0e12; color: #fff; border-radius: var(--swarmcast-radius, 10px); overflow: hidden; }
.stage:fullscreen { border-radius: 0; aspect-ratio: auto; }
:host([theatre]) .stage { border-radius: 0; aspect-ratio: auto; height: min(56.25vw, calc(100vh - 150px)); }
.stage :focus-visible { outline-color: #fff; }
video { width: 100%; height: 100%; display: block; object-fit: contain; }
.curtain { position: absolute; inset: 0; display: flex; flex-direction: column; gap: 12px; align-items: center; justify-content: center; padding: 0 16px; text-align: center; isolation: isolate; color: #fff; background: radial-gradient(circle at 50% 40%, #1a212b, #0b0e12 70%); transition: opacity .2s; pointer-events: none; }
.curtain button { pointer-events: auto; }
.curtain .word { font-size: clamp(17px, 3.2vw, 24px); font-weight: 600; letter-spacing: -.01em; }
.curtain small { max-width: 46ch; font-size: 14px; line-height: 1.45; color: #b6c0cc; }
[data-pictured="true"] .curtain { background: #0b0e12a6; }
[data-curtain="open"] .curtain { opacity: 0; visibility: hidden; }
.spinner { width: 34px; height: 34px; border-radius: 50%; border: 3px solid #ffffff2b; border-top-color: #fff; animation: turn 1s linear infinite; }
:is([data-state="offline"], [data-state="ended"], [data-state="idle"], [data-state="locked"], [data-state="lapsed"], [data-state="refused"], [data-state="uninvited"], [data-state="banned"], [data-state="unsupported"], [data-state="failed"], [data-curtain="begin"]) .spinner { display: none; }
.begin { width: 76px; height: 76px; display: none; place-items: center; border-radius: 50%; background: #fff; color: #14181f; }
.begin svg { width: 36px; height: 36px; fill: currentColor; stroke: none; }
[data-curtain="begin"] .begin { display: grid; }
:is([data-state="offline"], [data-state="ended"]) .curtain { padding-bottom: 50px; gap: 8px; }
.curtain > canvas { position: absolute; inset: 0; z-index: -1; width: 100%; height: 100%; object-fit: cover; transform: scale(1.04); filter: blur(6px) brightness(.35); }
.offair { display: grid; gap: 8px; justify-items: center; }
@container (max-width: 600px) { :is([data-state="offline"], [data-state="ended"]) .curtain small { display: none; } }
:host(:not([fill])) :is([data-state="offline"], [data-state="ended"]) .curtain small { display: none; }
:is([data-state="offline"], [data-state="ended"])[data-curtain="closed"] .controls :is([data-action="play"], [data-action="mute"], [data-action="volume"], [data-action="pip"], [data-action="theatre"]) { display: none; }
.offair p { margin: 0; font-size: 14px; color: #d3dae2; }
.offair p:empty { display: none; }
.alert { padding: 8px 16px; border-radius: 99px; border: 1px solid #ffffff59; font-weight: 600; font-size: 14px; background: #0b0e1280; }
.alert:hover { background: #fff2; }
.alert[aria-pressed="true"] { background: #fff; color: #14181f; }
.started { position: absolute; z-index: 1; top: 14px; right: 14px; display: flex; gap: 10px; align-items: center; padding: 8px 10px 8px 16px; border-radius: 99px; background: #fff; color: #14181f; font-weight: 600; box-shadow: 0 2px 12px #0006; }
.started:empty { display: none; }
.started button { display: grid; outline-color: #14181f !important; border-radius: 50%; }
@keyframes turn { to { transform: rotate(1turn); } }

.unmute { position: absolute; z-index: 1; top: 14px; left: 14px; display: flex; gap: 8px; align-items: center; padding: 9px 16px 9px 12px; border-radius: 99px; background: #fff; color: #14181f; font-weight: 600; box-shadow: 0 2px 12px #0006; }
media-controller { position: absolute; inset: 0; display: block; line-height: inherit; --media-background-color: none; --media-primary-color: #fff; --media-font: inherit; --media-control-background: none; --media-control-hover-background: #fff2; --media-control-height: 22px; --media-control-padding: 9px; --media-focus-box-shadow: none; --media-tooltip-display: none; --media-range-padding: 7px; --media-range-track-border-radius: 2px; --media-range-track-background: #ffffff47; --media-time-range-buffered-color: none; --media-range-thumb-width: 14px; --media-range-thumb-height: 14px; --media-range-thumb-box-shadow: 0 1px 4px #0008; --media-control-transition-in: opacity .2s; --media-control-transition-out: opacity .2s; }
media-controller[userinactive]:not([mediapaused]) { cursor: none; }
.stage:not([data-curtain="open"]) media-controller { pointer-events: none; }
.controls { align-self: stretch; box-sizing: border-box; padding: 34px 10px 6px; background: linear-gradient(transparent, #000c); pointer-events: none; }
.controls:focus-within { opacity: 1; }
.stage:has(media-controller:not([userinactive])) video::-webkit-media-text-track-container { transform: translateY(-44px); }
.controls > * { pointer-events: auto; }
.row { display: flex; align-items: center; gap: 2px; }
.row > :is(button, [role]:not(.badge)) { width: 40px; height: 40px; display: grid; place-items: center; border-radius: 8px; flex: none; }
.row > button:hover { background: #fff2; }
.row > [aria-checked="true"] { box-shadow: inset 0 -3px #fff; }
.row > :focus-visible { outline-offset: -3px; }
.row > [data-action="play"] svg { fill: currentColor; stroke: none; }
.row > :is([mediavolumeunavailable], [mediapipunavailable], [mediafullscreenunavailable]) { display: none !important; }
.gap { flex: 1; }
.badge { display: flex; align-items: center; margin: 0 4px 0 8px; padding: 3px 10px; border-radius: 5px; background: #ffffff33; font-size: 13px; line-height: 1.45; font-weight: 700; white-space: nowrap; flex: none; cursor: pointer; }
.badge span { text-transform: none; }
.dot { width: 7px; height: 7px; margin-right: 7px; border-radius: 50%; background: #c4ccd6; }
.badge[mediatimeislive]:not([mediapaused]) { background: var(--own-live); }
.badge[mediatimeislive]:not([mediapaused]) .dot { background: #fff; }
.lag { margin-left: 6px; font-size: 13px; color: #e3e8ee; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }

:is(media-time-range, media-volume-range) { background: none; }
:is(media-time-range, media-volume-range)::part(track) { clip-path: none; } /* Chromium's cache of styles keeps what one refers to, and so a whole player that was removed. */
media-time-range { display: flex; width: 100%; height: 22px; }
media-volume-range { width: 84px; height: 22px; min-height: 0; }
:is(media-time-range, media-volume-range):focus-within { border-radius: 6px; outline: 2px solid #fff; }
@media (hover: none) { media-volume-range { display: none; } }

.notice { display: flex; align-items: center; gap: 8px 18px; justify-content: space-between; margin: 10px 0 0; padding: 10px 10px 10px 14px; border-radius: 10px; border: 1px solid var(--own-line); background: var(--own-raised); font-size: 14px; }
.notice button, .plain { flex: none; padding: 6px 14px; border-radius: 7px; border: 1px solid var(--own-line); font-weight: 600; background: var(--own-raised); }
.notice button:hover, .plain:hover { border-color: var(--own-quiet); }
.under { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 8px 28px; padding: 12px 2px; }
.state { margin: 0; min-height: 1.45em; flex: 1 1 260px; padding-top: 5px; }
.state strong { margin-right: 4px; }
.state strong::before { content: ""; display: inline-block; width: 9px; height: 9px; margin-right: 8px; border-radius: 50%; background: var(--own-relay); }
.state[data-live="true"] strong::before { background: var(--own-live); }
.state span, .why { color: var(--own-quiet); }
.sharing { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 14px; padding: 4px 16px 4px 5px; border: 1px solid var(--own-line); border-radius: 20px; background: var(--own-raised); }
.why { display: flex; flex-wrap: wrap; gap: 0 12px; font-size: 13px; line-height: 1.5; }
.why select { font: inherit; color: inherit; background: none; border: 1px solid currentColor; border-radius: 5px; padding: 0 2px; }
.why select option { color: initial; }
.switch { display: flex; align-items: center; gap: 9px; font-weight: 600; flex: none; min-height: 30px; border-radius: 15px; }
.switch:disabled { opacity: .7; }
.knob { width: 40px; height: 24px; border-radius: 12px; background: var(--own-relay); position: relative; transition: background .15s; }
.knob::after { content: ""; position: absolute; top: 3px; left: 3px; width: 18px; height: 18px; border-radius: 50%; background: #fff; transition: transform .15s; }
.switch[aria-checked="true"] .knob { background: var(--own-viewers); }
.switch[aria-checked="true"] .knob::after { transform: translateX(16px); }

.panel { border: 1px solid var(--own-line); border-radius: 10px; background: var(--own-raised); padding: 16px; margin-bottom: 12px; display: grid; gap: 18px; min-width: 0; }
.panel dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 14px 20px; margin: 0; }
.panel dt { color: var(--own-quiet); font-size: 13px; }
.panel dd { margin: 1px 0 0; font-weight: 600; }
.panel h2 { margin: 0 0 8px; font-size: 13px; font-weight: 400; color: var(--own-quiet); display: flex; flex-wrap: wrap; gap: 0 14px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); gap: 18px 24px; }
.chart { min-width: 0; }
.chart i { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 6px; }
.swarm canvas { display: block; width: 100%; height: 210px; color: var(--own-ink); }
.foot { margin: 0; }
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
:host([fill]) .notice { position: absolute; inset: 8px 8px auto; z-index: 1; flex-wrap: wrap; justify-content: flex-end; margin: 0; }
:host([fill]) .notice span { flex: 1 1 240px; }
:host([fill]) .below { display: none; position: absolute; inset: auto 8px 58px; max-height: calc(100% - 66px); overflow: auto; padding: 0 14px; border-radius: 10px; background: var(--own-raised); }
:host([fill]) .below:has(.panel-place:not([hidden])) { display: block; }
:host([fill]) .panel { border: 0; padding: 4px 0 14px; margin: 0; }
dialog.share { width: min(640px, calc(100vw - 32px)); box-sizing: border-box; padding: 20px; border: 1px solid var(--own-line); border-radius: 14px; background: var(--own-raised); color: var(--own-ink); }
dialog.share::backdrop { background: #000a; }
dialog.share header { display: flex; align-items: center; justify-content: space-between; margin-bottom: 14px; }
dialog.share h2 { margin: 0; font-size: 20px; letter-spacing: -.01em; }
dialog.share h3 { margin: 0 0 6px; font-size: 14px; }
dialog.share header button { width: 36px; height: 36px; display: grid; place-items: center; border-radius: 8px; }
dialog.share .columns { display: flex; flex-wrap: wrap; justify-content: center; gap: 20px; }
dialog.share canvas { width: 176px; height: 176px; image-rendering: pixelated; border-radius: 8px; flex: none; }
dialog.share .fields { flex: 1 1 260px; min-width: 0; }
dialog.share .when { display: inline-flex; align-items: center; gap: 8px; margin-top: 8px; font-size: 13px; }
dialog.share .when input { margin: 0; width: 16px; height: 16px; }
dialog.share .quiet { margin: 8px 0 16px; font-size: 13px; color: var(--own-quiet); }
.field { display: flex; gap: 8px; align-items: flex-start; }
.field input, .field textarea { flex: 1; min-width: 0; font: 13px/1.5 ui-monospace, monospace; color: inherit; background: none; border: 1px solid var(--own-line); border-radius: 7px; padding: 6px 9px; resize: none; }
@media (max-width: 560px) { .row > :is(button, [role]:not(.badge)) { width: 38px; } .controls { padding: 26px 6px 4px; } .lag, media-volume-range, [data-action="theatre"] { display: none !important; } :host(:not([fill])) .notice { margin: 0; border-width: 0 0 1px; border-radius: 0; } .under { padding: 12px 14px; }  .panel { margin: 0 14px 12px; padding: 14px; } }
@media (prefers-reduced-motion: reduce) { *, *::after { transition: none !important; } .spinner { animation-duration: 4s; } }
`;
