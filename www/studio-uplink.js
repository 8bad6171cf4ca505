// What this line carries upwards, measured by sending some megabytes that the server throws away; and which quality that
// is enough for.

import { sendToNobody } from './studio-account.js';
import { bitrate, QUALITIES } from './studio-encoder.js';

/** A first look, and then as much as takes a while: the first bytes of a connection are slow on any line. */
const FIRST_BYTES = 128 << 10;
const LASTS_MS = 2_500;
const BYTES_MAX = 6 << 20;

/** Copies that leave this tab at most: one for the server, and one of each stripe, or two, for viewers. */
const COPIES = 3;

/** Bits of picture a second are a multiple of this. */
const STEP_KILOBITS = 50;

/** Assumed where nothing was measured. */
const USUAL = QUALITIES.find(({ id }) => id === '720');

/** Bits a second that this line carries upwards. */
export async function measureUplink(seed, signal) {
  const first = FIRST_BYTES / (await sendToNobody(FIRST_BYTES, seed, signal));
  const more = Math.round(Math.min(BYTES_MAX, Math.max(FIRST_BYTES, first * LASTS_MS)));
  const second = more / (await sendToNobody(more, seed, signal));
  return Math.max(first, second) * 8_000;
}

/** The best quality whose copies the line carries, with as many bits as it has room for; `uplink` null: not measured. */
export function qualityFor(uplink) {
  if (uplink === null) return USUAL;
  const fitted = QUALITIES.map((quality) => ({ ...quality, kilobits: Math.min(quality.kilobits, room(uplink, quality)) }));
  const smallest = QUALITIES.at(-1);
  return fitted.find(({ kilobits, least }) => kilobits >= least) ?? { ...smallest, kilobits: smallest.least };
}

function room(uplink, quality) {
  const besides = bitrate({ ...quality, kilobits: 0 });
  return Math.floor((uplink / COPIES - besides) / 1000 / STEP_KILOBITS) * STEP_KILOBITS;
}

/** What the line means for the `chosen` quality, in words. */
export function lineInWords(uplink, chosen, byLine) {
  const carries = `Your line carries ${megabits(uplink)} up`;
  const wanted = bitrate(chosen) * COPIES;
  if (wanted <= uplink) return byLine ? `${carries}: ${inWords(chosen)}.` : `${carries}, which is enough for this.`;
  const copies = `With three copies, for the server and viewers, this wants ${megabits(wanted)}.`;
  return byLine ? `${carries}, which is little for ${inWords(chosen)}. ${copies}` : `${carries}. ${copies} ${inWords(qualityFor(uplink))} would fit.`;
}

export const inWords = ({ label, kilobits }) => `${label} at ${megabits(kilobits * 1000)}`;

const megabits = (bits) => `${(bits / 1e6).toFixed(bits < 1e7 ? 1 : 0)} Mb/s`;
