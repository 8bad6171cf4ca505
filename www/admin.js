// The operator's page: logs in, then asks every few seconds how the server does while somebody looks.

import { element, setText } from './elements.js';
import { drawSwarm } from './swarm-picture.js';

const REFRESH_MS = 3000;

// Apart, so that a server built without the charts' library still shows everything else.
const charts = import('./admin-charts.js').catch(() => null);

const page = Object.fromEntries([...document.querySelectorAll('[id]')].map((each) => [each.id, each]));
let chosen = null; // the channel whose swarm is shown, `{ id, name }`
let timer = 0;

async function refresh() {
  clearTimeout(timer);
  try {
    const answer = await fetch('/admin/state', { cache: 'no-store' });
    if (answer.status === 401) return show(false);
    if (!answer.ok) throw new Error(await answer.text());
    show(true);
    render(await answer.json());
    await showSwarm();
  } catch {
    condition('The server does not answer. Asking again every few seconds.', true);
  }
  timer = setTimeout(() => document.hidden || refresh(), REFRESH_MS);
}

function show(inside) {
  page.login.hidden = inside;
  page.inside.hidden = !inside;
  page.leave.hidden = !inside;
  if (!inside && document.activeElement === document.body) page.token.focus();
}

function condition(text, bad) {
  setText(page.condition, text);
  page.condition.classList.toggle('bad', bad);
}

function render(state) {
  condition(state.unready ? `Not ready: ${state.unready}.` : `Version ${state.version}, up for ${duration(state.uptime_s)}.`, Boolean(state.unready));
  const last = state.history.at(-1);
  const live = state.channels.filter((channel) => channel.live).length;
  const viewers = state.channels.reduce((sum, channel) => sum + channel.viewers, 0);
  page.figures.replaceChildren(
    figure('viewers', viewers.toLocaleString('en')),
    figure('channels live', live.toLocaleString('en')),
    figure('from viewers', last?.offload == null ? '–' : percent(last.offload)),
    figure('relay sends', ...rate(last?.relay_bps ?? 0)),
    figure('sessions', state.sessions.toLocaleString('en'), ` of ${state.sessions_max.toLocaleString('en')}`),
  );
  charts.then((module) => (module ? module.drawCharts(page.charts, state.history, state.sample_every_s) : setText(page.charts, 'This server was built without charts; `make build` brings them.')));
  renderChannels(state.channels);
  page.none.hidden = state.refusals.length > 0;
  const refusals = [...state.refusals].sort((one, other) => other[2] - one[2]);
  page.refusals.replaceChildren(...refusals.map(([door, reason, count]) =>
    element('li', {}, `${door}: ${reason.replaceAll('_', ' ')}`, element('b', {}, count.toLocaleString('en')))));
}

function figure(name, value, unit = '') {
  return element('div', {}, element('dt', {}, name), element('dd', {}, value, element('small', {}, unit)));
}

function renderChannels(channels) {
  const focused = document.activeElement?.dataset?.channel;
  chosen = channels.find((channel) => channel.id === chosen?.id) ?? channels[0] ?? null;
  page.nobody.hidden = channels.length > 0;
  page.channels.hidden = channels.length === 0;
  page.channels.tBodies[0].replaceChildren(...channels.map(row));
  if (focused) page.channels.querySelector(`[data-channel="${CSS.escape(focused)}"]`)?.focus();
}

function row(channel) {
  const pick = element('button', { type: 'button', onclick: () => choose(channel) }, channel.name);
  pick.dataset.channel = channel.id;
  pick.setAttribute('aria-pressed', String(channel.id === chosen?.id));
  const badge = channel.live ? [element('span', { className: 'badge' }, 'Live')] : [];
  return element('tr', { className: channel.id === chosen?.id ? 'chosen' : '' },
    element('td', {}, pick, ...badge),
    element('td', { className: 'number' }, channel.viewers.toLocaleString('en')),
    element('td', { className: 'number' }, channel.offload === null || channel.viewers === 0 ? '–' : percent(channel.offload)),
    element('td', {}, ...encoder(channel.encoder)));
}

function encoder(figures) {
  if (!figures) return ['–'];
  const [bps, keyframeMs] = figures;
  const far = keyframeMs > 4000;
  const keyframes = keyframeMs ? `, keyframe every ${(keyframeMs / 1000).toFixed(1)} s` : '';
  return [rate(bps).join(''), element('span', { className: far ? 'warning' : '' }, keyframes)];
}

async function choose(channel) {
  chosen = channel;
  await refresh();
}

async function showSwarm() {
  const channel = chosen;
  page.swarm.hidden = !channel;
  if (!channel) return;
  const answer = await fetch(`/admin/swarm/${channel.id}`, { cache: 'no-store' });
  if (!answer.ok) return void (page.swarm.hidden = true);
  const swarm = await answer.json();
  setText(page['swarm-title'], `The swarm of ${channel.name}`);
  page.picture.hidden = page.legend.hidden = swarm.viewers === 0;
  if (swarm.viewers === 0) return void setText(page['swarm-summary'], 'Nobody is watching just now.');
  const shown = swarm.viewers > swarm.peers.length ? `, ${swarm.peers.length} of them shown` : '';
  const passing = swarm.peers.filter((peer) => peer.sharing).length;
  setText(page['swarm-summary'], `${swarm.viewers.toLocaleString('en')} watching${shown}; ${passing} pass it on. A line is a stripe, in the direction away from the source.`);
  drawSwarm(page.picture, page.legend, swarm);
}

page.login.addEventListener('submit', async (event) => {
  event.preventDefault();
  page.refused.hidden = true;
  try {
    const answer = await fetch('/admin/login', {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token: page.token.value.trim() }),
    });
    if (answer.ok) {
      page.login.reset();
      return void refresh();
    }
    setText(page.refused, answer.status === 401 ? 'This is not the token.' : answer.status === 429 ? 'Too many attempts. Wait a few seconds.' : 'The server cannot check it now.');
  } catch {
    setText(page.refused, 'The server does not answer.');
  }
  page.refused.hidden = false;
  page.token.select();
});

page.leave.addEventListener('click', async () => {
  clearTimeout(timer);
  await fetch('/admin/logout', { method: 'POST' }).catch(() => {});
  show(false);
});

document.addEventListener('visibilitychange', () => document.hidden || page.inside.hidden || refresh());

const percent = (share) => `${Math.round(share * 100)} %`;

/** `[number, unit]` of bits a second. */
function rate(bps) {
  if (bps >= 1e9) return [(bps / 1e9).toFixed(2), ' Gb/s'];
  return [(bps / 1e6).toFixed(bps >= 1e8 ? 0 : 1), ' Mb/s'];
}

function duration(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${seconds} s`;
}

refresh();
