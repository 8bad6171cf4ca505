// Sharing switched off: no ICE candidate is gathered, so no address leaves the machine, and the picture still comes.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { watchForStalls } from './lib/swarm.mjs';
import { watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

scenario('a viewer who does not share gathers no candidate and still watches', async (world) => {
  await world.broadcast();
  const sharer = await world.viewer({ name: 'Anna, who shares' });
  const viewer = await world.viewer({ name: 'Ben, who does not' });
  await viewer.firstFrame();
  await viewer.stopSharing();

  // The choice is remembered: the page that is opened next gathers nothing from its first moment.
  await viewer.page.reload({ waitUntil: 'commit' });
  await viewer.firstFrame();
  const noneStalled = await watchForStalls([viewer]);
  await watch(10);
  await noneStalled(world);

  assert.deepEqual(await viewer.network(), { connections: 0, candidates: 0 });
  const own = await viewer.stats();
  assert.equal(own.candidates_gathered, 0, 'the player says so too');
  assert.equal(own.uploaded_bytes, 0, 'nothing was passed on');
  assert.equal(own.state, 'live');
  assert.ok((await sharer.network()).connections > 0, 'the others do connect');
});

scenario('switching sharing off while watching closes what is open', async (world) => {
  await world.broadcast();
  const viewers = await world.viewers(2);
  for (const viewer of viewers) {
    await viewer.until('has a link to another peer', 20, async () => (await viewer.stats()).links.some(({ kind }) => kind !== 'relay'));
  }
  const [anna] = viewers;
  await anna.stopSharing();
  await anna.until('has no link but the relay', 5, async () => (await anna.stats()).links.every(({ kind }) => kind === 'relay'));
  const { candidates } = await anna.network();
  const uploaded = (await anna.stats()).uploaded_bytes;
  await anna.sees('the picture still');
  await watch(5);
  assert.equal((await anna.network()).candidates, candidates, 'no candidate after the switch');
  assert.equal((await anna.stats()).uploaded_bytes, uploaded, 'nothing passed on after the switch');
});
