// The broadcaster's program dies and comes back: the viewers are told, and the picture returns without a reload.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const TELLS_WITHIN_S = 8;
const RETURNS_WITHIN_S = 10;

scenario('the uploader is killed and restarted', async (world) => {
  await world.broadcast();
  const viewers = await world.viewers(3);
  for (const viewer of viewers) {
    await viewer.firstFrame();
    await viewer.until('is live', 10, async () => (await viewer.state()) === 'live');
    await viewer.mark();
  }

  world.encoder.mayEnd();
  await world.uploader.kill('SIGKILL');
  for (const viewer of viewers) {
    await viewer.until('says that the broadcast is away', TELLS_WITHIN_S, async () => (await viewer.state()) !== 'live');
    const line = await viewer.page.locator('[data-role="state"]').first().innerText();
    world.note(`${viewer.name} reads: ${line.trim()}`);
    assert.ok(line.trim().length > 0, 'the state line says something');
  }

  await world.encoder.exit;
  await world.startUploader();
  await world.startEncoder();
  const back = performance.now();
  for (const viewer of viewers) {
    await viewer.sees('the picture again', RETURNS_WITHIN_S);
    await viewer.until('is live again', RETURNS_WITHIN_S, async () => (await viewer.state()) === 'live');
    world.note(`${viewer.name} watches again ${Math.round(performance.now() - back)} ms after the encoder's return`);
    assert.ok(await viewer.isMarked(), `${viewer.name}'s page was reloaded`);
  }
  // What plays is the new broadcast at its live edge, not the end of the old one.
  for (const viewer of viewers) {
    await viewer.until('is close to the live edge', 10, async () => (await viewer.lagsMs(0)).at(-1) < 3_000);
  }
});
