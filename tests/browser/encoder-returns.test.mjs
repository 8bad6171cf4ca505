// The encoder drops and returns within the minute: the same broadcast goes on in the same page, also when the picture
// has another size.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { watchForStalls } from './lib/swarm.mjs';
import { watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const CONTINUES_WITHIN_S = 10;

scenario('the encoder drops and returns, the second time with another resolution', async (world) => {
  await world.broadcast({ size: '320x180' });
  const viewers = await world.viewers(2);
  for (const viewer of viewers) {
    await viewer.firstFrame();
    await viewer.mark();
  }
  const { epoch } = await viewers[0].stats();

  for (const [size, awaySeconds] of [['320x180', 3], ['480x270', 6]]) {
    await world.encoder.kill('SIGKILL');
    await watch(awaySeconds);
    await world.startEncoder({ size });
    const back = performance.now();
    for (const viewer of viewers) {
      await viewer.sees(`the picture again (${size})`, CONTINUES_WITHIN_S);
      await viewer.until(`has a picture of ${size}`, CONTINUES_WITHIN_S, async () => (await viewer.pictureSize()) === size);
      await viewer.until('is close to the live edge', 10, async () => (await viewer.lagsMs(0)).at(-1) < 3_000);
      world.note(`${viewer.name} is back at the live edge ${Math.round(performance.now() - back)} ms after the encoder (${size})`);
    }
  }

  for (const viewer of viewers) {
    assert.ok(await viewer.isMarked(), `${viewer.name}'s page was reloaded`);
    const own = await viewer.stats();
    assert.equal(own.epoch, epoch, `${viewer.name} saw another broadcast begin`);
  }
  const noneStalled = await watchForStalls(viewers);
  await watch(5);
  await noneStalled(world);
});

scenario('a second encoder with the same key takes over', async (world) => {
  await world.broadcast({ size: '320x180' });
  const viewer = await world.viewer();
  await viewer.firstFrame();
  await viewer.mark();
  const { epoch } = await viewer.stats();

  const first = world.encoder.mayEnd();
  await world.startEncoder({ size: '480x270' });
  await world.until('the first encoder was sent away', 10, () => first.ended);
  await viewer.until('has the picture of the second', CONTINUES_WITHIN_S, async () => (await viewer.pictureSize()) === '480x270');
  await viewer.sees('a moving picture');
  assert.ok(await viewer.isMarked(), 'the page was reloaded');
  assert.equal((await viewer.stats()).epoch, epoch, 'another broadcast began');
});
