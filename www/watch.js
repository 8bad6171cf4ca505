// The watch page: tells the player which channel, and the page what the player knows of it.
// Address: /watch/NAME, with #key=CHANNEL-ID where the link itself says whose key must have signed the picture, and
// &secret=KEY where it opens a private channel, &token=JWT where the channel asks for one, and &at=UNIX-SECONDS where it says when it
// was passed on. What is behind # reaches no server but in a session.

import './player.js';

const player = document.querySelector('swarmcast-player');
const name = decodeURIComponent(location.pathname.split('/').filter(Boolean).at(-1) ?? '');
const fragment = new URLSearchParams(location.hash.slice(1));
for (const attribute of ['key', 'secret', 'token']) if (fragment.get(attribute)) player.setAttribute(attribute, fragment.get(attribute));
player.setAttribute('channel', name);

// Another link to the same channel: only the fragment differs, and no page is loaded.
addEventListener('hashchange', () => location.reload());

// Read by those who want to: a chat costs the server a connection, and the page its scripts.
const chat = document.getElementById('chat');
const openChat = () => import('./watch-chat.js').then(({ openChat: open }) => open(player, chat));
const wantsChat = () => localStorage.getItem('swarmcast-chat') === 'open';
chat.addEventListener('click', openChat, { once: true });
player.addEventListener('swarmcast-live', () => wantsChat() && openChat(), { once: true });

// A live picture has gone on since: who opens an old link reads how old it is.
const at = Number(fragment.get('at'));
if (at > 0) {
  import('./ago.js').then(({ ago }) => {
    const sent = document.getElementById('sent');
    sent.textContent = `Passed on to you ${ago(Date.now() - 1000 * at)}`;
    sent.hidden = false;
  });
}

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
