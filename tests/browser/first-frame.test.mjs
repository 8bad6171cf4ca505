// Impatience on the local network: half of five fresh viewers see a picture within a second of opening the page.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { median } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

scenario('the first frame comes within a second on the local network', async (world) => {
  await world.broadcast();
  await (await world.viewer({ name: 'the one who was there before' })).firstFrame();

  const firstFrames = [];
  for (let visit = 1; visit <= 5; visit++) {
    const viewer = await world.viewer({ name: `visitor ${visit}` });
    firstFrames.push(Math.round(await viewer.firstFrame()));
    await viewer.close();
  }
  world.note(`first frames after ${firstFrames.join(', ')} ms`);
  assert.ok(median(firstFrames) <= 1_000, `median ${median(firstFrames)} ms of ${firstFrames}`);
});
