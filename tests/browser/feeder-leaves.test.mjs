// The viewer on whom the others stand the most closes the tab: nobody else notices.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { busiestFeeder, isAtTheCommonLag, standsOnPeers, watchForStalls } from './lib/swarm.mjs';
import { watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

scenario('a viewer that feeds others leaves and nobody else stalls', async (world) => {
  await world.broadcast();
  const viewers = await world.audience(5);
  for (const viewer of viewers) await standsOnPeers(viewer);
  for (const viewer of viewers) await isAtTheCommonLag(viewer);

  const { viewer: feeder, stripes } = await busiestFeeder(viewers);
  assert.ok(stripes >= 1, 'somebody feeds somebody');
  world.note(`${feeder.name} passed on ${stripes} stripes when the tab was closed`);

  const others = viewers.filter((viewer) => viewer !== feeder);
  const noneStalled = await watchForStalls(others);
  await feeder.close();
  await watch(10);
  await noneStalled(world);
});
