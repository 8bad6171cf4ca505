// The page that writes a snippet: choices -> snippet, policy, and a preview that is the very thing.

import '/embed.js';
import { element, setText } from './elements.js';
import { SwarmcastFrame } from './npm/frame.js';
import { EVENTS } from './player-events.js';
import { attributesOf, frameAddress, policy, snippet, styleOf } from './snippet.js';

const LINES_MAX = 200; // of what the preview said
const SETTLE_MS = 300; // between a choice and a new preview: nobody wants one for each letter
const host = location.origin;
const usual = { accent: '#1b8a6b', radius: '10' };

const form = document.getElementById('choices');
const page = Object.fromEntries(['preview', 'heard', 'snippet', 'policy', 'integrity', 'live', 'pin-why'].map((id) => [id, document.getElementById(id)]));

let known = new Map(); // the keys of channels, by name
let integrity = '';
let steered = null; // the preview's methods
let shown = '';
let settling = 0;

/** What the form says. Values that hold anyway are null. */
function choices() {
  const { channel, kind, autoplay, muted, controls, pin, accent, radius } = form.elements;
  const name = channel.value.trim();
  return {
    channel: name,
    key: pin.checked ? known.get(name) ?? null : null,
    kind: kind.value,
    autoplay: autoplay.checked,
    muted: muted.checked,
    controls: controls.checked,
    accent: accent.value === usual.accent ? null : accent.value,
    radius: radius.value === usual.radius ? null : radius.value,
  };
}

function render() {
  const chosen = choices();
  const named = { ...chosen, channel: chosen.channel || 'NAME' };
  setText(page.snippet, snippet(host, integrity, named));
  setText(page.policy, policy(host, chosen));
  setText(page['pin-why'], chosen.channel && !known.has(chosen.channel)
    ? 'Its key is known here while it is live; else take it from the link that the broadcaster gives out.' : '');
  clearTimeout(settling);
  settling = setTimeout(() => preview(chosen), SETTLE_MS);
}

function preview(chosen) {
  const text = JSON.stringify(chosen);
  if (text === shown) return;
  shown = text;
  steered?.close?.();
  steered = null;
  if (!chosen.channel) return page.preview.replaceChildren(element('p', {}, 'The channel appears here'));
  const made = chosen.kind === 'frame' ? framed(chosen) : inPage(chosen);
  for (const event of EVENTS) made.addEventListener(event, ({ detail }) => say(`${event}: ${detail.message}`));
  steered = made;
}

function inPage(chosen) {
  const player = document.createElement('swarmcast-player');
  for (const [name, value] of Object.entries(attributesOf(chosen))) player.setAttribute(name, value);
  player.style.cssText = styleOf(chosen);
  page.preview.replaceChildren(player);
  return player;
}

function framed(chosen) {
  const frame = element('iframe', { src: frameAddress(host, chosen), title: 'Preview', allow: 'autoplay; fullscreen; picture-in-picture' });
  frame.style.borderRadius = `${chosen.radius ?? usual.radius}px`;
  page.preview.replaceChildren(frame);
  return new SwarmcastFrame(frame);
}

function say(line) {
  const lines = page.heard.textContent.split('\n').slice(-LINES_MAX);
  page.heard.textContent = [...lines, `${new Date().toLocaleTimeString('en-GB')} ${line}`].join('\n').trimStart();
  page.heard.scrollTop = page.heard.scrollHeight;
}

const CALLS = {
  play: (player) => player.play(),
  pause: (player) => player.pause(),
  mute: (player) => player.mute(),
  unmute: (player) => player.mute(false),
  seekToLive: (player) => player.seekToLive(),
  stats: async (player) => {
    const { state, lag_s, buffer_s, viewers, links } = await player.stats();
    say(`stats: ${JSON.stringify({ state, lag_s, buffer_s, viewers, links: links.length, '…': '…' })}`);
  },
};

for (const button of document.querySelectorAll('[data-call]')) {
  button.onclick = () => steered && Promise.resolve(CALLS[button.dataset.call](steered)).catch((error) => say(error.message));
}
for (const button of document.querySelectorAll('[data-copies]')) {
  button.onclick = async () => {
    const copied = await copy(document.getElementById(button.dataset.copies));
    button.textContent = copied ? 'Copied' : 'Marked: copy it';
    setTimeout(() => (button.textContent = 'Copy'), 2000);
  };
}

/** Into the clipboard; where the browser does not allow that, the text is marked for the visitor to copy. */
async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return false;
  }
}

async function begin() {
  const ask = async (path) => (await fetch(path, { cache: 'no-store' })).json();
  const [channels, loader] = await Promise.all([ask('/api/v1/channels').catch(() => []), ask('/api/v1/embed').catch(() => ({}))]);
  known = new Map(channels.map(({ name, id }) => [name, id]));
  integrity = loader.integrity ?? '';
  setText(page.integrity, integrity || 'not known: the server does not answer');
  page.live.replaceChildren(...[...known.keys()].map((name) => element('option', { value: name })));
  form.elements.channel.value = new URLSearchParams(location.search).get('channel') ?? channels[0]?.name ?? '';
  render();
}

form.addEventListener('input', render);
form.addEventListener('submit', (event) => event.preventDefault());
begin();
