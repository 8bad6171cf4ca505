// The watch page: tells the player which channel, and the page what the player knows of it.
// Address: /watch/NAME, with #key=CHANNEL-ID where the link itself says whose key must have signed the picture.

import './player.js';

const player = document.querySelector('swarmcast-player');
const name = decodeURIComponent(location.pathname.split('/').filter(Boolean).at(-1) ?? '');
const key = new URLSearchParams(location.hash.slice(1)).get('key');

if (key) player.setAttribute('key', key);
player.setAttribute('channel', name);

document.getElementById('name').textContent = name;
document.title = `${name} · swarmcast`;

player.addEventListener('swarmcast-stats', ({ detail: stats }) => {
  document.title = `${stats.state === 'live' ? '● ' : ''}${name} · swarmcast`;
  const count = document.getElementById('viewers');
  const text = audience(stats);
  if (count.textContent !== text) count.textContent = text;
});

function audience({ state, viewers }) {
  if (state === 'offline' || state === 'connecting' || !viewers) return '';
  return viewers === 1 ? 'You are the only one watching' : `${viewers.toLocaleString('en')} watching`;
}
