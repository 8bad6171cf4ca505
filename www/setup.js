// The setup guide of one channel. The link's token stands behind `#` and goes nowhere but into this server's requests.

import { element, setText } from './elements.js';

const TEST_BYTES = 2 << 20;

const at = (id) => document.getElementById(id);
const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';

let guide = null;
let streamKey = null;

/** An answer as JSON; a refusal is thrown in its own words. */
async function ask(path, options = {}) {
  const answer = await fetch(path, { cache: 'no-store', ...options, headers: { authorization: `Bearer ${token}` } });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.detail);
  return said;
}

async function load(uplink) {
  guide = await ask(`/api/v1/setup${uplink ? `?uplink_kbps=${uplink}` : ''}`);
  render();
}

function render() {
  const { name, encoder, server, ffmpeg, uploader, watch } = guide;
  const withKey = (text) => (streamKey ? text.replace(guide.stream_key, streamKey) : text);
  setText(at('name'), name);
  at('status').hidden = true;
  at('guide').hidden = false;
  at('hosted').hidden = !server;
  at('settings').replaceChildren(...lines(encoder).map((line) => element('li', {}, line)));
  setText(at('server'), server ?? '');
  setText(at('key'), streamKey ?? 'one that you have, or make one now');
  setText(at('ffmpeg'), withKey(ffmpeg ?? ''));
  setText(at('uploader'), uploader);
  at('watch').href = watch;
}

function lines({ width, height, frames_per_second: rate, video_kbps: video, audio_kbps: audio, keyframe_interval_s: keys }) {
  return [
    `H.264, ${width} × ${height}, ${rate} frames a second, tune zerolatency`,
    `Constant bitrate (CBR): ${video} kb/s, keyframe interval ${keys} s`,
    `AAC at 48 kHz: ${audio} kb/s`,
  ];
}

async function measure() {
  setText(at('line'), 'Measuring …');
  const began = performance.now();
  const { bytes } = await ask('/api/v1/setup/upload-test', { method: 'POST', body: new Uint8Array(TEST_BYTES) });
  const kbps = Math.round((bytes * 8) / (performance.now() - began));
  setText(at('line'), `About ${kbps.toLocaleString('en')} kb/s upwards.`);
  await load(Math.min(kbps, 10_000_000));
}

async function make() {
  const label = encodeURIComponent(at('label').value.trim());
  const made = await ask(`/api/v1/setup/stream-keys/${label}`, { method: 'PUT' });
  streamKey = made.stream_key;
  render();
}

function download() {
  const service = JSON.stringify(guide.obs_service, null, 2).replace(guide.stream_key, streamKey ?? guide.stream_key);
  const href = URL.createObjectURL(new Blob([service], { type: 'application/json' }));
  element('a', { href, download: 'service.json' }).click();
  URL.revokeObjectURL(href);
}

/** Runs what a button does, and says what went wrong. */
const saying = (work) => async () => {
  try {
    await work();
  } catch (error) {
    at('status').hidden = false;
    setText(at('status'), error.message);
  }
};

at('measure').addEventListener('click', saying(measure));
at('make').addEventListener('click', saying(make));
at('obs').addEventListener('click', saying(download));
saying(load)();
