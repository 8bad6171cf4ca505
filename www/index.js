// The front page: what is live, asked again every few seconds while somebody looks.

import { element, setText } from './elements.js';

const REFRESH_MS = 4000;

const page = {
  summary: document.getElementById('summary'),
  channels: document.getElementById('channels'),
  nothing: document.getElementById('nothing'),
};
document.getElementById('uploader').textContent = [
  'swarmcast-uploader keygen',
  `swarmcast-uploader live --tracker ${location.origin} --name my-channel`,
].join('\n');

let shown = '';

async function refresh() {
  const state = await fetchState();
  const text = JSON.stringify(state);
  if (text !== shown) {
    shown = text;
    render(view(state));
  }
}

async function fetchState() {
  try {
    const answer = await fetch('/api/v1/channels', { cache: 'no-store' });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return { channels: await answer.json() };
  } catch {
    return { unreachable: true, channels: [] };
  }
}

/** What to show for what is known. */
function view({ channels, unreachable }) {
  if (unreachable) return { summary: 'The server does not answer. Asking again every few seconds.', cards: [], nothing: false };
  const cards = [...channels].sort((a, b) => b.live - a.live || b.viewers - a.viewers || a.name.localeCompare(b.name));
  const live = cards.filter((channel) => channel.live).length;
  const summary = live === 0 ? '' : live === 1 ? 'One channel is live.' : `${live} channels are live.`;
  return { summary, cards, nothing: live === 0 };
}

function render({ summary, cards, nothing }) {
  setText(page.summary, summary);
  page.summary.hidden = !summary;
  page.channels.replaceChildren(...cards.map(card));
  page.nothing.hidden = !nothing;
}

function card({ name, live, viewers }) {
  const audience = live ? `${viewers.toLocaleString('en')} watching` : 'not on air';
  const link = element(
    'a',
    { href: `/watch/${encodeURIComponent(name)}`, className: live ? 'channel live' : 'channel' },
    element('span', { className: 'badge' }, live ? 'Live' : 'Off air'),
    element('span', { className: 'name' }, name),
    element('span', { className: 'audience' }, audience),
  );
  return element('li', {}, link);
}

refresh();
setInterval(() => document.hidden || refresh(), REFRESH_MS);
document.addEventListener('visibilitychange', () => document.hidden || refresh());
