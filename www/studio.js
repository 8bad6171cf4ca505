// The studio: goes live from this browser. Chooses sources, keeps the key, and shows how it goes; encoding is in
// studio-encoder.js, and everything about the swarm in the wasm module.

import init, { Broadcaster, channelOf } from './dist/studio.js';
import { element, setText } from './elements.js';
import { keepAwake } from './player-device.js';
import { asksForInvite, claimIfFree } from './studio-account.js';
import { bitrate, Encoder, missing, QUALITIES } from './studio-encoder.js';
import { health } from './studio-health.js';
import { fromFile, mediaKey, ownKey, replaceKey, toFile } from './studio-key.js';
import { devices, Sources } from './studio-sources.js';
import { inWords, lineInWords, measureUplink, qualityFor } from './studio-uplink.js';

const SECOND_MS = 1_000;
const LEVEL_MS = 66;
const SECONDS_KEPT = 10;
const SERVER = `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/session`;
const REMEMBERED = 'swarmcast-studio';
const BY_LINE = 'line';

const at = (id) => document.getElementById(id);
const isByLine = () => at('quality').value === BY_LINE;
const chosen = () => (isByLine() ? qualityFor(uplink) : QUALITIES.find(({ id }) => id === at('quality').value));
const picture = () => document.querySelector('input[name=picture]:checked').value;

let seed = null;
let sources = null;
let uplink = null; // bits a second, once measured
let measuring = null; // AbortController
let turning = null; // promise of another camera
let broadcast = null; // { out, encoder, quality, began, seconds, before, loudest, awake }

async function start() {
  const reason = missing();
  if (reason) return say(reason, 'trouble');
  const byHand = QUALITIES.map((quality) => element('option', { value: quality.id }, inWords(quality)));
  at('quality').replaceChildren(element('option', { value: BY_LINE }, 'What my line carries'), ...byHand);
  recall();
  document.querySelector('.choice').hidden = !navigator.mediaDevices.getDisplayMedia; // Phones show no screen.
  await init({ module_or_path: new URL('./dist/studio_bg.wasm', import.meta.url) });
  await useKey(await ownKey());
  sources = new Sources({
    onPicture: (frame, atMs) => (broadcast ? broadcast.encoder.picture(frame, atMs) : frame.close()),
    onSound: (planes, atMs) => broadcast?.encoder.sound(planes, atMs),
    onEnded: (what) => say(`The ${what} was taken away. Choose again.`, 'trouble'),
  });
  asksForInvite().then((asks) => { at('invited').hidden = !asks; }, () => {}); // The claim will say what is wrong.
  setInterval(showLevel, LEVEL_MS);
  setInterval(everySecond, SECOND_MS);
  if (navigator.connection?.saveData) at('measure').hidden = false;
  else measure();
  await openSources();
}

/** Measures the line and follows what it shows; says itself what goes wrong. */
async function measure() {
  const { signal } = (measuring = new AbortController());
  setText(at('uplink'), 'Measuring your line …');
  at('measure').hidden = true;
  try {
    uplink = await measureUplink(seed, signal);
    showLine();
    if (isByLine()) await sources.resize(chosen());
  } catch (error) {
    const why = signal.aborted ? '' : `: ${error.message.replace(/\.$/, '')}`;
    setText(at('uplink'), `Your line was not measured${why}. ${inWords(chosen())} is ${isByLine() ? 'a guess' : 'your choice'}.`);
  }
  at('measure').hidden = false;
}

function showLine() {
  if (uplink !== null) setText(at('uplink'), lineInWords(uplink, chosen(), isByLine()));
}

/** Opens camera, screen and microphone as chosen, and shows them. */
async function openSources() {
  at('go').disabled = true;
  for (const field of document.querySelectorAll('[data-for]')) field.hidden = !field.dataset.for.split(' ').includes(picture());
  const { height, rate } = chosen();
  try {
    const microphone = at('microphone').value === 'none' ? null : at('microphone').value;
    await sources.open({ picture: picture(), camera: at('camera').value, microphone, height, rate });
  } catch (error) {
    at('blank').hidden = false;
    return say(refusal(error), 'trouble');
  }
  await showSources();
}

/** Another camera, before the broadcast or in it. */
async function lookThrough(camera) {
  at('go').disabled = true;
  const { height, rate } = broadcast?.quality ?? chosen();
  try {
    await sources.lookThrough({ camera, height, rate });
  } catch (error) {
    return say(refusal(error), 'trouble');
  }
  await showSources();
}

/** From the front to the back, and on a desk to the next one. */
function turnCamera() {
  const { options, selectedIndex } = at('camera');
  at('camera').selectedIndex = (selectedIndex + 1) % options.length;
  return lookThrough(at('camera').value);
}

/** The next smaller quality than what is sent, or none. */
const lower = () => QUALITIES[QUALITIES.findIndex(({ id }) => id === broadcast.quality.id) + 1];

function lowerQuality() {
  broadcast.quality = lower();
  broadcast.encoder.use(broadcast.quality);
  at('lower').hidden = !lower();
  return sources.resize(broadcast.quality);
}

async function showSources() {
  at('preview').srcObject = sources.preview;
  // As in a mirror, unless it looks away from who holds it.
  at('preview').classList.toggle('mirrored', picture() === 'camera' && sources.camera.facingMode !== 'environment');
  at('inset').srcObject = sources.inset;
  at('inset').hidden = !sources.inset;
  await at('preview').play().catch(() => {});
  at('blank').hidden = true;
  at('go').disabled = false;
  say('');
  await listDevices();
}

async function listDevices() {
  const { cameras, microphones } = await devices();
  offer(at('camera'), cameras, sources.camera?.deviceId);
  at('turn').hidden = !sources.camera || cameras.length < 2;
  offer(at('microphone'), [...microphones, { id: 'none', label: 'No microphone' }]);
}

function offer(select, options, present) {
  const before = select.value || present;
  select.replaceChildren(...options.map(({ id, label }) => element('option', { value: id }, label)));
  if (options.some(({ id }) => id === before)) select.value = before;
}

/** What the browser says when it gives no camera, in other words. */
function refusal({ name, message }) {
  switch (name) {
    case 'NotAllowedError': return 'This page was not allowed to use it. Allow it beside the address, then choose again.';
    case 'NotFoundError': return 'There is no such camera or microphone on this device.';
    case 'NotReadableError': return 'Another program is using the camera or the microphone.';
    default: return `The browser gives no picture: ${message}`;
  }
}

async function useKey(key) {
  seed = key;
  setText(at('channel'), channelOf(seed));
}

async function goLive() {
  const name = at('name').value;
  measuring?.abort(); // The line is needed.
  const quality = chosen();
  at('go').disabled = true;
  say('Taking the name …');
  try {
    await claimIfFree(name, seed, at('invite').value.trim());
  } finally {
    at('go').disabled = false;
  }
  const secret = at('private').checked ? await mediaKey() : undefined;
  const out = new Broadcaster(SERVER, name, seed, secret, bitrate(quality), () => showState());
  const encoder = new Encoder(quality, out, (text) => say(text, 'trouble'));
  const fragment = `key=${channelOf(seed)}${secret ? `&secret=${secret}` : ''}`;
  const link = new URL(`/watch/${name}#${fragment}`, location.href).href;
  broadcast = { out, encoder, quality, began: performance.now(), seconds: [], before: null, loudest: -Infinity, awake: new AbortController() };
  keepAwake(at('preview'), broadcast.awake.signal);
  at('lower').hidden = !lower();
  remember();
  setText(at('title'), name);
  at('link').value = link;
  import('./studio-chat.js').then(({ showChat }) => broadcast?.out === out && showChat(at('chat'), { name, seed, secret }));
  at('setup').hidden = true;
  at('live').hidden = false;
  at('title').focus(); // What had it is gone.
  setText(at('duration'), '0:00');
  showState();
}

function showState() {
  const stats = broadcast?.out.stats();
  if (!stats) return;
  document.querySelector('.studio').dataset.connected = String(stats.state === 'live');
  at('onair').hidden = stats.state !== 'live' && stats.state !== 'reconnecting';
  if (stats.state === 'refused') {
    const { reason } = stats;
    endBroadcast();
    say(reason, 'trouble');
  } else if (stats.state === 'connecting') {
    say('Connecting to the server …');
  } else if (stats.state === 'live' || stats.state === 'ready') {
    say('');
  }
}

function everySecond() {
  const stats = broadcast?.out.stats();
  if (!stats) return;
  const { encoder, before, seconds, quality } = broadcast;
  const counted = { uploaded: stats.uploaded_bytes, payload: stats.payload_bytes, encoded: encoder.encoded, left: encoder.left };
  const grown = Object.fromEntries(Object.entries(counted).map(([what, count]) => [what, count - (before?.[what] ?? count)]));
  broadcast.before = counted;
  const second = {
    state: stats.state, unsentBytes: stats.unsent_bytes, links: direct(stats), level: broadcast.loudest, muted: sources.muted,
    keyframeMs: stats.keyframe_interval_ms ?? 0, trouble: stats.trouble, encoded: grown.encoded, left: grown.left,
  };
  broadcast.loudest = -Infinity;
  setText(at('viewers'), String(stats.viewers));
  setText(at('audience'), stats.viewers === 1 ? '1 viewer' : `${stats.viewers} viewers`);
  setText(at('links'), String(second.links));
  setText(at('upload'), rate(grown.uploaded));
  setText(at('bitrate'), rate(grown.payload));
  setText(at('duration'), duration(performance.now() - broadcast.began));
  seconds.push(second);
  seconds.splice(0, seconds.length - SECONDS_KEPT);
  showHealth(health(seconds, bitrate(quality), uplink));
}

const direct = ({ links }) => links.filter(({ kind, stripes_out: out }) => kind === 'viewer' && out.length).length;
const rate = (bytes) => `${((bytes * 8) / 1e6).toFixed(1)} Mb/s`;

function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  const two = (number) => String(number).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  return `${hours ? `${hours}:` : ''}${hours ? two(Math.floor(seconds / 60) % 60) : Math.floor(seconds / 60)}:${two(seconds % 60)}`;
}

function showHealth(lines) {
  const list = at('health');
  const shown = [...list.children].map((line) => line.textContent);
  if (shown.length === lines.length && lines.every(({ text }, index) => text === shown[index])) return;
  list.replaceChildren(...lines.map(({ level, text }) => element('li', { 'data-level': level }, text)));
}

function showLevel() {
  const level = sources.loudest();
  at('level').value = Math.max(level, at('level').min);
  if (broadcast) broadcast.loudest = Math.max(broadcast.loudest, level);
}

function endBroadcast() {
  if (!broadcast) return;
  const { out, encoder, awake } = broadcast;
  broadcast = null;
  awake.abort();
  encoder.close();
  out.end();
  // What was said last is on its way when the page has been idle once.
  setTimeout(() => {
    out.close();
    out.free();
  }, 500);
  at('setup').hidden = false;
  at('live').hidden = true;
  at('onair').hidden = true;
  at('chat').replaceChildren();
  at('go').focus();
}

function say(text, kind = 'news') {
  const shown = at('status');
  if (shown.textContent === text) return;
  shown.replaceChildren(...(text ? [element('p', { 'data-kind': kind }, text)] : []));
}

function remember() {
  const { value: name } = at('name');
  localStorage.setItem(REMEMBERED, JSON.stringify({ name, quality: at('quality').value, picture: picture() }));
}

function recall() {
  try {
    const { name, quality, picture: kind } = JSON.parse(localStorage.getItem(REMEMBERED) ?? '{}');
    if (name) at('name').value = name;
    at('quality').value = QUALITIES.some(({ id }) => id === quality) ? quality : BY_LINE;
    // A screen is only ever given when the person has just asked for it.
    if (kind === 'camera') document.querySelector(`input[value=${kind}]`).checked = true;
  } catch {
    localStorage.removeItem(REMEMBERED);
  }
}

function save() {
  const href = URL.createObjectURL(toFile(seed));
  element('a', { href, download: 'channel.key' }).click();
  URL.revokeObjectURL(href);
}

async function load() {
  const [file] = at('import').files;
  at('import').value = '';
  if (!file || file.size > 1000) return file && say('That file holds no swarmcast key.', 'trouble');
  const has = 'The key that this browser has now is replaced. Have you saved a copy of it?';
  const other = fromFile(await file.text());
  if (confirm(has)) await useKey(await replaceKey(other));
}

/** Runs what somebody asked for, and says what went wrong. */
const saying = (work) => async (event) => {
  try {
    await work(event);
  } catch (error) {
    console.error('swarmcast:', error);
    say(error.message ?? String(error), 'trouble');
  }
};

at('setup').addEventListener('submit', saying((event) => (event.preventDefault(), goLive())));
at('setup').addEventListener('change', saying(({ target }) => {
  if (target.id === 'microphone') return sources.listenTo(target.value === 'none' ? null : target.value);
  if (target.id === 'camera' && sources.camera) return lookThrough(target.value);
  if (target.name === 'picture' || target.id === 'camera') return openSources();
  if (target.id !== 'quality') return;
  showLine();
  return sources?.resize(chosen());
}));
at('measure').addEventListener('click', measure);
at('export').addEventListener('click', save);
at('import').addEventListener('change', saying(load));
at('copy').addEventListener('click', saying(async () => {
  await navigator.clipboard.writeText(at('link').value);
  say('The link is copied.');
}));
at('mute').addEventListener('click', () => {
  sources.muted = !sources.muted;
  at('mute').setAttribute('aria-pressed', String(sources.muted));
  setText(at('mute'), sources.muted ? 'Sound on' : 'Mute');
});
at('turn').addEventListener('click', saying(() => (turning ??= turnCamera().finally(() => (turning = null)))));
at('lower').addEventListener('click', saying(lowerQuality));
at('stop').addEventListener('click', () => at('sure').showModal());
at('sure').addEventListener('close', () => at('sure').returnValue === 'yes' && endBroadcast());
addEventListener('beforeunload', (event) => broadcast && event.preventDefault());
addEventListener('pagehide', () => endBroadcast());
addEventListener('swarmcast-crashed', () => {
  broadcast?.awake.abort();
  broadcast = null;
  say('The broadcast has crashed. Reload this page and go live again.', 'trouble');
});
saying(start)();
