// Sharing switched off, before and while watching: no ICE candidate is gathered, so no address leaves the machine, and the picture
// still comes.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { watchForStalls } from './lib/swarm.mjs';
import { watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

scenario('who does not share gathers no candidate and still watches, and the switch closes what is open', async (world) => {
  await world.broadcast();
  const sharer = await world.viewer({ name: 'Anna, who shares for a while' });
  const neighbor = await world.viewer({ name: 'Chloe, who shares' });
  const viewer = await world.viewer({ name: 'Ben, who does not' });
  await viewer.firstFrame();
  await viewer.stopSharing();

  // The choice is remembered: the page that is opened next gathers nothing from its first moment.
  await viewer.page.reload({ waitUntil: 'commit' });
  await viewer.firstFrame();

  for (const each of [sharer, neighbor]) {
    await each.until('has a link to another peer', 20, async () => (await each.stats()).links.some(({ kind }) => kind !== 'relay'));
  }
  assert.ok((await sharer.network()).connections > 0, 'the others do connect');
  await sharer.stopSharing();
  await sharer.until('has no link but the relay', 15, async () => (await sharer.stats()).links.every(({ kind }) => kind === 'relay'));
  const { candidates } = await sharer.network();
  const uploaded = (await sharer.stats()).uploaded_bytes;
  await sharer.sees('the picture still');
  const noneStalled = await watchForStalls([viewer]);
  await watch(10);
  await noneStalled(world);

  assert.equal((await sharer.network()).candidates, candidates, 'no candidate after the switch');
  assert.equal((await sharer.stats()).uploaded_bytes, uploaded, 'nothing passed on after the switch');
  assert.deepEqual(await viewer.network(), { connections: 0, candidates: 0 });
  const own = await viewer.stats();
  assert.equal(own.candidates_gathered, 0, 'the player says so too');
  assert.equal(own.uploaded_bytes, 0, 'nothing was passed on');
  assert.equal(own.state, 'live');
});
