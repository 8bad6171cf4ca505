// The first broadcast: one broadcaster, six viewers who pass the picture on to each other for forty seconds.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { STALL_MS, bytesTaken, shareOfViewers } from './lib/swarm.mjs';
import { median, watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const LAG_TOLD_WITHIN_MS = 500; // of the lag that the picture shows
const CEILING = 5 / 6; // one copy of each piece has to come from the source
const CALM_MS = 5_000;
const CALM_WITHIN_S = 30;

/** Nobody has stood still for a while: what it costs to start six browsers on one machine is over. */
async function isCalm(viewers) {
  const calm = await Promise.all(viewers.map(async (viewer) => {
    const { at_s: at, duration_ms: lasted } = (await viewer.stats()).stalls.at(-1) ?? { at_s: 0, duration_ms: 0 };
    return await viewer.now() - at * 1000 - lasted > CALM_MS;
  }));
  return calm.every(Boolean);
}

scenario('six viewers watch for forty seconds', async (world) => {
  await world.broadcast();
  const viewers = await world.audience(6);
  for (let waited = 0; waited < CALM_WITHIN_S && !await isCalm(viewers); waited++) await watch(1);
  const settled = await Promise.all(viewers.map(async (viewer) => ({
    viewer, atMs: await viewer.now(), sound: await viewer.decodedSoundBytes(),
  })));

  await watch(10);
  const takenBefore = await bytesTaken(viewers);
  const sentBefore = world.uploaderStats();

  await watch(25);
  const taken = await bytesTaken(viewers, takenBefore);
  const sent = world.uploaderStats();
  const share = shareOfViewers(taken);
  const copies = (sent.source_upload_bytes + sent.relay_upload_bytes - sentBefore.source_upload_bytes
    - sentBefore.relay_upload_bytes) / (sent.payload_bytes - sentBefore.payload_bytes);

  const lags = [];
  for (const { viewer, atMs, sound } of settled) {
    const [freeze, own, frames, lagsMs] = [
      await viewer.longestFreezeMs(atMs), await viewer.stats(), await viewer.frames(), await viewer.lagsMs(atMs)];
    lags.push(...lagsMs);
    const name = viewer.name;
    world.note(`${name}: longest freeze ${Math.round(freeze)} ms, lag ${Math.round(median(lagsMs))} ms by the picture, `
      + `${Math.round(own.lag_s * 1000)} ms by the player`);
    assert.equal(own.state, 'live', `${name}'s state`);
    assert.ok(freeze <= STALL_MS, `${name}'s picture stood still for ${freeze} ms`);
    assert.ok(Math.abs(own.lag_s * 1000 - lagsMs.at(-1)) <= LAG_TOLD_WITHIN_MS, `${name}'s player says a lag that is not so`);
    assert.deepEqual(own.stalls.filter(({ at_s }) => at_s * 1000 > atMs), [], `${name}'s own account of stalls`);
    assert.equal(frames.unreadable, 0, `${name} saw frames without a readable clock`);
    // 35 s of 48 kHz AAC at 96 kb/s are some 400,000 bytes.
    assert.ok(await viewer.decodedSoundBytes() - sound > 150_000, `${name} has sound`);
  }
  assert.ok(await viewers[0].loudness(1.5) > 0.05, 'the sound can be heard');

  world.note(`lag p50 ${Math.round(median(lags))} ms; from viewers ${share.toFixed(3)} (ceiling ${CEILING.toFixed(3)}); `
    + `source upload ${copies.toFixed(2)} copies, relay included`);
  assert.ok(median(lags) <= 2_000, `median lag ${median(lags)} ms`);
  assert.ok(share >= 0.7, `only ${share} of the bytes came from viewers (${JSON.stringify(taken)})`);
  assert.ok(copies <= 3, `the source sent ${copies} copies`);
});
