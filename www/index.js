// The front page: what is live, asked again every few seconds while somebody looks, what was live lately, and a search
// among them.

import { ChannelCard, about } from './channel-card.js';
import { element, setText } from './elements.js';

const REFRESH_MS = 4000;

const page = Object.fromEntries(['summary', 'search', 'categories', 'channels', 'nothing', 'lately', 'recent']
  .map((id) => [id, document.getElementById(id)]));
document.getElementById('uploader').textContent = [
  'swarmcast-uploader keygen',
  `swarmcast-uploader live --tracker ${location.origin} --name my-channel`,
].join('\n');

let state = { channels: [], recent: [] };
let category = ''; // the chosen one; none: all
const shelves = { live: new Map(), recent: new Map() }; // cards by channel

async function refresh() {
  state = await fetchState();
  render();
}

async function fetchState() {
  const ask = async (path) => {
    const answer = await fetch(path, { cache: 'no-store' });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.json();
  };
  try {
    const [channels, recent] = await Promise.all([ask('/api/v1/channels'), ask('/api/v1/lately')]);
    return { channels, recent };
  } catch {
    return { unreachable: true, channels: [], recent: [] };
  }
}

/** What to show for what is known and looked for. */
function view({ channels, recent, unreachable }, words, chosen) {
  if (unreachable) return { summary: 'The server does not answer. Asking again every few seconds.', cards: [], recent: [], categories: [], nothing: false };
  const categories = [...new Set(channels.map((channel) => channel.category).filter(Boolean))].sort();
  const wanted = (channel) => matches(channel, words) && (!categories.includes(chosen) || channel.category === chosen);
  const cards = channels.filter(wanted).sort((a, b) => b.viewers - a.viewers || a.name.localeCompare(b.name));
  return { summary: summary(channels.length, cards.length), cards, recent: recent.filter(wanted), categories, nothing: !channels.length };
}

function summary(all, found) {
  if (!all) return '';
  if (found < all) return `${found} of ${all} live channels.`;
  return all === 1 ? 'One channel is live.' : `${all} channels are live.`;
}

/** Every word somewhere in what is said of the channel. */
function matches(channel, words) {
  const text = `${channel.name} ${channel.title ?? ''} ${about(channel)} ${channel.language ?? ''}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function render() {
  const words = page.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const { summary: text, cards, recent, categories, nothing } = view(state, words, category);
  setText(page.summary, text);
  page.summary.hidden = !text;
  page.search.hidden = nothing && !state.recent.length;
  showCategories(categories);
  fill(page.channels, shelves.live, cards);
  fill(page.recent, shelves.recent, recent);
  page.lately.hidden = !recent.length;
  page.nothing.hidden = !nothing;
}

/** Cards stay while their channel does: a picture is not drawn again for a number. */
function fill(list, shelf, channels) {
  const ids = new Set(channels.map(({ id }) => id));
  for (const id of shelf.keys()) if (!ids.has(id)) shelf.delete(id);
  const cards = channels.map((channel) => {
    if (!shelf.has(channel.id)) shelf.set(channel.id, new ChannelCard(channel));
    return shelf.get(channel.id);
  });
  const roots = cards.map(({ root }) => root);
  if (roots.length !== list.children.length || roots.some((root, at) => root !== list.children[at])) list.replaceChildren(...roots);
  cards.forEach((card, at) => card.update(channels[at], Date.now()));
}

function showCategories(names) {
  page.categories.hidden = names.length < 2;
  if (page.categories.dataset.names !== names.join()) {
    page.categories.dataset.names = names.join();
    page.categories.replaceChildren(...['', ...names].map((name) => {
      const chip = element('button', { type: 'button', value: name }, name || 'All');
      chip.onclick = () => {
        category = name;
        render();
      };
      return chip;
    }));
  }
  const chosen = names.includes(category) ? category : '';
  for (const chip of page.categories.children) chip.setAttribute('aria-pressed', String(chip.value === chosen));
}

refresh();
setInterval(() => document.hidden || refresh(), REFRESH_MS);
document.addEventListener('visibilitychange', () => document.hidden || refresh());
page.search.addEventListener('input', render);
// Where the browser has none, or the address is not secure, the page is as good, but not installable.
navigator.serviceWorker?.register('/sw.js').catch(() => {});
