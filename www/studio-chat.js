// The chat in the studio: the owner reads and moderates, and sets what holds for it. Loaded when a broadcast begins.

import './chat.js';
import { authorize, channelOf, chatProof } from './dist/studio.js';
import { element, setText } from './elements.js';
import { reason } from './studio-account.js';

/** Shows the chat of the channel `name`, whose key is `seed`, in `place`. */
export function showChat(place, { name, seed, secret }) {
  const chat = element('swarmcast-chat', { channel: name });
  if (secret) chat.setAttribute('secret', secret);
  chat.prove = ({ nonce, channel }) => ({ key: channelOf(seed), proof: chatProof(seed, channel, nonce) });
  const settings = element('details', { className: 'chat-settings' }, element('summary', {}, 'Chat settings'));
  const body = element('div');
  settings.append(body);
  settings.addEventListener('toggle', () => {
    if (settings.open && !body.childElementCount) fill(body, seed).catch((error) => setText(body, error.message));
  });
  place.replaceChildren(chat, settings);
}

async function fill(body, seed) {
  const said = element('p', { className: 'quiet', role: 'status' });
  const saying = (work) => async () => {
    try {
      await work();
      setText(said, 'Saved.');
    } catch (error) {
      setText(said, error.message);
    }
  };
  const path = `/api/v1/channels/${channelOf(seed)}`;
  const answer = await fetch(path, { cache: 'no-store' });
  if (!answer.ok) throw new Error(await reason(answer));
  const { settings } = await answer.json();
  const on = element('input', { type: 'checkbox', checked: settings.chat !== 'off' });
  const links = element('input', { type: 'checkbox', checked: settings.chat_links === 'on' });
  on.onchange = saying(() => change(seed, path, { chat: on.checked ? 'on' : 'off' }));
  links.onchange = saying(() => change(seed, path, { chat_links: links.checked ? 'on' : 'off' }));
  const key = element('input', { maxLength: 43, pattern: '[A-Za-z0-9_\\-]{43}', placeholder: 'Their key', 'aria-label': 'Key of a moderator', spellcheck: false, autocomplete: 'off', required: true });
  const list = element('ul', { className: 'chat-moderators' });
  let keys = settings.chat_moderators ?? [];
  const keep = (wanted) => saying(async () => {
    await change(seed, path, { chat_moderators: wanted() });
    keys = wanted();
    key.value = '';
    show();
  });
  const show = () => list.replaceChildren(...keys.map((each) => element('li', {},
    element('code', {}, `${each.slice(0, 12)}…`),
    element('button', { type: 'button', 'aria-label': `Remove the moderator ${each.slice(0, 12)}`, onclick: keep(() => keys.filter((other) => other !== each)) }, 'Remove'))));
  const add = element('form', { className: 'share' }, key, element('button', { type: 'submit' }, 'Add'));
  add.onsubmit = (event) => (event.preventDefault(), keep(() => [...new Set([...keys, key.value])])());
  show();
  body.replaceChildren(
    element('label', { className: 'tick' }, on, element('span', {}, 'Viewers can write to each other')),
    element('label', { className: 'tick' }, links, element('span', {}, 'Guests may write links')),
    element('p', {}, 'Moderators delete lines and ban. Each finds a key under “Moderate” in the chat, and sends it to you.'),
    list, add, said,
  );
}

/** Changes the channel's settings, signed with its key (docs/api.md). */
async function change(seed, path, wanted) {
  const challenge = await fetch('/api/v1/challenges', { method: 'POST' });
  if (!challenge.ok) throw new Error(await reason(challenge));
  const { nonce } = await challenge.json();
  const body = new TextEncoder().encode(JSON.stringify(wanted));
  const headers = { authorization: authorize(seed, 'PATCH', path, nonce, body), 'content-type': 'application/json' };
  const answer = await fetch(path, { method: 'PATCH', headers, body });
  if (!answer.ok) throw new Error(await reason(answer));
}
