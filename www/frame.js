// The page inside of a site's frame: /embed/NAME?autoplay=0&muted=1&controls=0&chat=1&accent=%23b4472e&origin=https://site#key=...
// The player fills the frame; the page around it steers it by messages (npm/frame.js is the other end).
//
// Only the page that holds this frame is listened to, and only if it is of the site that `origin` names, where that is
// given. What is said goes to the site that asked, and to nobody who takes its place.

import './player.js';
import { EVENTS } from './player-events.js';

const VERSION = 1; // of the messages

const asked = new URLSearchParams(location.search);
const fragment = new URLSearchParams(location.hash.slice(1));
const name = decodeURIComponent(location.pathname.split('/').filter(Boolean).at(-1) ?? '');

const player = document.createElement('swarmcast-player');
const attributes = {
  fill: '',
  keys: 'page',
  key: fragment.get('key'),
  secret: fragment.get('secret'),
  token: asked.get('token'),
  sharing: asked.get('sharing'),
  'upload-cap': asked.get('upload-cap'),
  autoplay: asked.get('autoplay') === '0' ? 'off' : null,
  muted: asked.get('muted') === '1' ? '' : null,
  controls: asked.get('controls') === '0' ? 'off' : null,
  channel: name,
};
for (const [attribute, value] of Object.entries(attributes)) if (value !== null) player.setAttribute(attribute, value);
if (CSS.supports('color', asked.get('accent') ?? '')) player.style.setProperty('--swarmcast-accent', asked.get('accent'));
document.title = `${name} · swarmcast`;
document.body.append(player);
addEventListener('hashchange', () => location.reload());

if (asked.get('chat') === '1') showChat();

const METHODS = {
  hello: () => player.stats().state,
  play: () => player.play(),
  pause: () => player.pause(),
  mute: (muted) => player.mute(muted !== false),
  seekToLive: () => player.seekToLive(),
  stats: () => player.stats(),
};

let site = null; // the origin that said hello

addEventListener('message', async ({ source, origin, data }) => {
  if (source !== parent || parent === window || data?.swarmcast !== VERSION) return;
  if (asked.has('origin') && asked.get('origin') !== origin) return;
  if (!Object.hasOwn(METHODS, data.call)) return;
  if (data.call === 'hello') site = origin;
  const answer = { swarmcast: VERSION, id: data.id };
  try {
    answer.result = await METHODS[data.call](data.argument);
  } catch (error) {
    answer.error = String(error?.message ?? error);
  }
  parent.postMessage(answer, origin);
});

for (const event of EVENTS) {
  player.addEventListener(event, ({ detail }) => {
    if (site !== null) parent.postMessage({ swarmcast: VERSION, event, detail }, site);
  });
}

// That there is somebody to talk to is no secret.
if (parent !== window) parent.postMessage({ swarmcast: VERSION, event: 'ready' }, '*');

async function showChat() {
  await import('./chat.js');
  const chat = document.createElement('swarmcast-chat');
  chat.setAttribute('channel', name);
  if (fragment.get('secret')) chat.setAttribute('secret', fragment.get('secret'));
  chat.addEventListener('swarmcast-chat-close', () => {
    chat.remove();
    document.body.classList.remove('chatting');
  });
  document.body.append(chat);
  document.body.classList.add('chatting');
}
