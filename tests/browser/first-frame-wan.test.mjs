// Impatience at home: 50 ms of round trip and 10 Mb/s between the viewer and everybody else.

import assert from 'node:assert/strict';
import { onWan } from './lib/network.mjs';
import { median } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onWan('homes');

scenario('the first frame comes within a second and a half over a home link', async (world) => {
  await world.broadcast();
  await (await world.viewer({ name: 'the neighbour', host: 'home2' })).firstFrame();

  const firstFrames = [];
  for (let visit = 1; visit <= 5; visit++) {
    const viewer = await world.viewer({ name: `visitor ${visit}`, host: 'home1' });
    firstFrames.push(Math.round(await viewer.firstFrame()));
    await viewer.close();
  }
  world.note(`first frames after ${firstFrames.join(', ')} ms`);
  assert.ok(median(firstFrames) <= 1_500, `median ${median(firstFrames)} ms of ${firstFrames}`);
});
