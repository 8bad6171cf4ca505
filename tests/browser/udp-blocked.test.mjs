// An office whose firewall lets no UDP through: the viewer there watches by the relay's WebSocket.

import assert from 'node:assert/strict';
import { onWan } from './lib/network.mjs';
import { bytesTaken, watchForStalls } from './lib/swarm.mjs';
import { watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onWan('homes');

scenario('a viewer without UDP watches through the relay', async (world) => {
  await world.broadcast();
  const home = await world.viewer({ name: 'at home', host: 'home1' });
  const office = await world.viewer({ name: 'in the office', host: 'office' });
  for (const viewer of [home, office]) await viewer.firstFrame();

  await watch(5);
  const before = await bytesTaken([office]);
  const noneStalled = await watchForStalls([office, home]);
  await watch(10);
  await noneStalled(world);
  const taken = await bytesTaken([office], before);
  const own = await office.stats();
  world.note(`in the office: ${JSON.stringify(taken)}, lag ${own.lag_s} s`);
  assert.equal(own.state, 'live');
  assert.ok(taken.relay > 500_000, 'the media came from the relay');
  assert.equal(taken.viewers + taken.source, 0, 'nothing came over a data channel');
  assert.ok(await home.state() === 'live', 'the home viewer is not disturbed');
});
