// The viewer on whom the others stand the most closes the tab: nobody else notices.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { busiestFeeder, standsOnPeers } from './lib/swarm.mjs';
import { watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

scenario('a viewer that feeds others leaves and nobody else stalls', async (world) => {
  await world.broadcast();
  const viewers = await world.viewers(5);
  for (const viewer of viewers) await viewer.firstFrame();
  for (const viewer of viewers) await standsOnPeers(viewer);

  const { viewer: feeder, stripes } = await busiestFeeder(viewers);
  assert.ok(stripes >= 1, 'somebody feeds somebody');
  world.note(`${feeder.name} passed on ${stripes} stripes when the tab was closed`);

  const others = viewers.filter((viewer) => viewer !== feeder);
  const before = await Promise.all(others.map((viewer) => viewer.now()));
  await feeder.close();
  await watch(10);

  for (const [index, viewer] of others.entries()) {
    const freeze = await viewer.longestFreezeMs(before[index]);
    world.note(`${viewer.name}: longest freeze ${Math.round(freeze)} ms`);
    assert.ok(freeze <= 300, `${viewer.name}'s picture stood still for ${freeze} ms`);
  }
});
