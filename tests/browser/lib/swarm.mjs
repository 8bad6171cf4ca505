// Questions about the swarm, asked of the viewers' own statistics: who feeds whom, where the bytes come from.

import assert from 'node:assert/strict';
import { until } from './until.mjs';

const STRIPES = 6;
const COMMON_LAG_WITHIN_S = 0.15;

const fromPeers = ({ links }) => new Set(links.filter(({ kind }) => kind !== 'relay').flatMap(({ stripes_in }) => stripes_in));

/** Waits until no stripe of `viewer` depends on the relay. */
export const standsOnPeers = (viewer, seconds = 20) =>
  until(`${viewer.name} has every stripe from viewers or the source`, seconds, async () => fromPeers(await viewer.stats()).size >= STRIPES);

/** Waits until `viewer` plays where all viewers aim: what the start of so many browsers on one machine cost has been made up for. */
export const isAtTheCommonLag = (viewer, seconds = 40) =>
  until(`${viewer.name} plays at the common lag`, seconds, async () => {
    const { lag_s, target_lag_s } = await viewer.stats();
    return lag_s !== null && Math.abs(lag_s - target_lag_s) < COMMON_LAG_WITHIN_S;
  });

/** How many stripes `stats` says are passed on to other viewers. */
export const stripesFed = ({ links }) =>
  links.filter(({ kind }) => kind === 'viewer').reduce((sum, { stripes_out }) => sum + stripes_out.length, 0);

/** The one who passes on the most stripes. */
export async function busiestFeeder(viewers) {
  const fed = await Promise.all(viewers.map(async (viewer) => ({ viewer, stripes: stripesFed(await viewer.stats()) })));
  fed.sort((a, b) => b.stripes - a.stripes);
  return fed[0];
}

/** Bytes by origin that `viewers` took together since `before` (an earlier answer of this function). */
export async function bytesTaken(viewers, before = { viewers: 0, source: 0, relay: 0 }) {
  const all = await Promise.all(viewers.map((viewer) => viewer.bytes()));
  const sum = (origin) => all.reduce((total, bytes) => total + bytes[origin], 0) - before[origin];
  return { viewers: sum('viewers'), source: sum('source'), relay: sum('relay') };
}

export const shareOfViewers = ({ viewers, source, relay }) => viewers / (viewers + source + relay);

export const STALL_MS = 300;

/** Sets a stop-watch on the pictures of `viewers`; the function it returns says how still they stood since then. */
export async function watchForStalls(viewers) {
  const since = await Promise.all(viewers.map((viewer) => viewer.now()));
  return async (world) => {
    const freezes = await Promise.all(viewers.map((viewer, index) => viewer.longestFreezeMs(since[index])));
    const named = viewers.map(({ name }, index) => `${name} ${Math.round(freezes[index])} ms`).join(', ');
    world.note(`longest time that the picture stood still: ${named}`);
    assert.ok(Math.max(...freezes) <= STALL_MS, `a picture stood still for more than ${STALL_MS} ms: ${named}`);
  };
}
