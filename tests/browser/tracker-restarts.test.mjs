// The tracker is killed, and its relay with it: those who watch go on watching, and when it is back, others can come. When it is
// ended in order, all come back by themselves.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { isAtTheCommonLag, standsOnPeers, watchForStalls } from './lib/swarm.mjs';
import { watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

scenario('the tracker is killed and restarted under a running broadcast', async (world) => {
  await world.broadcast();
  const viewers = await world.audience(3);
  for (const viewer of viewers) await standsOnPeers(viewer);
  for (const viewer of viewers) await isAtTheCommonLag(viewer);
  await Promise.all(viewers.map((viewer) => viewer.mark()));
  const noneStalled = await watchForStalls(viewers);

  await world.tracker.kill('SIGKILL');
  await watch(8);
  await world.startTracker();
  const back = performance.now();

  const newcomer = await world.viewer({ name: 'newcomer' });
  await newcomer.firstFrame(5);
  const joinedMs = performance.now() - back;
  world.note(`a newcomer had a picture ${Math.round(joinedMs)} ms after the tracker's return`);
  assert.ok(joinedMs <= 5_000, `the newcomer waited ${joinedMs} ms`);
  await newcomer.sees('a moving picture');
  await watch(5);

  assert.equal((await world.tracker.kill('SIGTERM')).code, 0);
  await world.startTracker();
  await world.until('all are back', 10, async () => (await world.channels())[0]?.viewers === viewers.length + 1);
  await watch(3);

  await noneStalled(world);
  for (const viewer of viewers) {
    assert.ok(await viewer.isMarked(), `${viewer.name}'s page was reloaded`);
    assert.equal(await viewer.state(), 'live');
  }
});
