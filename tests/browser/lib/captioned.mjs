// A film with captions: two seconds dark, two seconds light, over and over, and captions that say so in two languages (CEA-608,
// services CC1 and CC3), changing in the very picture in which the light does. ffmpeg writes the pictures, this file the captions
// between them, as no encoder at hand takes captions from a text; a real encoder then carries them on (`a53cc`).

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { ffmpegs } from './paths.mjs';

const FPS = 25;
const PHASE = 2 * FPS; // pictures
const LOADED_BEFORE = 15; // pictures: so long before the change its caption begins to be sent
const [RESUME_LOADING, ERASE_LOADED, SHOW] = [0x20, 0x2e, 0x2f]; // pop-on captions, CTA-608 §F.1.1
const LOWEST_ROW = [0x14, 0x70]; // and no indent
export const WORDS = { dark: ['It is <dark>', 'Il fait sombre'], light: ['Light & bright', 'Il fait jour'] };

const ENCODING = ['-c:v', 'libx264', '-preset', 'superfast', '-bf', '2', '-rc-lookahead', '0', '-g', '25', '-b:v', '300k', '-a53cc', '1', '-c:a', 'aac'];

/** An encoder that sends the film over and over to the uploader of the `world`. */
export const captionedEncoder = (world) => world.run('encoder', [ffmpegs.debian, '-nostdin', '-v', 'warning', ...captionedFilm(world.scratch),
  '-re', '-f', 'lavfi', '-i', 'sine=r=48000', ...ENCODING, '-f', 'flv', world.encoderAddress]);

/** Makes the film at `folder`, and returns what ffmpeg has to be told to read it without an end. */
function captionedFilm(folder) {
  const [plain, marked, film] = ['plain.h264', 'marked.h264', 'film.mp4'].map((name) => `${folder}/${name}`);
  const light = (color) => `color=${color}:s=320x180:r=${FPS}:d=${PHASE / FPS}`;
  ffmpeg('-f', 'lavfi', '-i', light('0x101010'), '-f', 'lavfi', '-i', light('0xe0e0e0'), '-filter_complex', 'concat=n=2',
    '-c:v', 'libx264', '-bf', '0', '-pix_fmt', 'yuv420p', plain);
  let picture = 0;
  const parts = units(readFileSync(plain)).flatMap((unit) => [...(isPicture(unit) ? captionsOf(picture++) : []), START, unit]);
  writeFileSync(marked, Buffer.concat(parts));
  ffmpeg('-r', String(FPS), '-i', marked, '-c', 'copy', film);
  return ['-re', '-stream_loop', '-1', '-i', film];
}

function ffmpeg(...options) {
  execFileSync(ffmpegs.debian, ['-nostdin', '-v', 'error', '-y', ...options]);
}

const START = Buffer.from([0, 0, 0, 1]);
const isPicture = (unit) => [1, 5].includes(unit[0] & 0x1f);

/** The NAL units of a byte stream (ITU-T H.264, annex B). */
function units(stream) {
  const found = [];
  for (let at = stream.indexOf('000001', 0, 'hex') + 3; at > 2; ) {
    const next = stream.indexOf('000001', at, 'hex');
    const end = next < 0 ? stream.length : stream[next - 1] === 0 ? next - 1 : next;
    found.push(stream.subarray(at, end));
    at = next + 3;
  }
  return found;
}

/** The SEI of a picture, where there is something to send with it: a pair of bytes for each field (ANSI/SCTE 128 §8.2). */
function captionsOf(picture) {
  const sent = [0, 1].map((field) => script(field)[picture]);
  if (!sent.some(Boolean)) return [];
  const pairs = sent.flatMap((pair, field) => [0xfc + field, ...(pair ?? [0, 0]).map(withParity)]);
  const data = [0xb5, 0, 0x31, ...Buffer.from('GA94'), 3, 0x40 + pairs.length / 3, 0xff, ...pairs, 0xff];
  return [START, Buffer.from([6, 4, data.length, ...data, 0x80])];
}

/** What is sent with each picture of the film, in one field. */
function script(field) {
  const control = (code) => [0x14 + field, code];
  const load = (text) => [control(RESUME_LOADING), control(ERASE_LOADED), [LOWEST_ROW[0] + field, LOWEST_ROW[1]], ...[...text].flatMap((char, at) => (at % 2 ? [] : [[char.charCodeAt(0), text.charCodeAt(at + 1) || 0]]))];
  const sent = { 0: control(SHOW), [PHASE]: control(SHOW) };
  load(WORDS.light[field]).forEach((pair, at) => (sent[PHASE - LOADED_BEFORE + at] = pair));
  load(WORDS.dark[field]).forEach((pair, at) => (sent[2 * PHASE - LOADED_BEFORE + at] = pair));
  return sent;
}

function withParity(byte) {
  const ones = byte.toString(2).replaceAll('0', '').length;
  return ones % 2 ? byte : byte | 0x80;
}
