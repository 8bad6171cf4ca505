// What happens to tabs in real life: a full buffer, a decoder that refuses, a machine that sleeps, a tab out of sight.
// Each time the same page goes on by itself, live, at the common lag.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const LAG_MAX_S = 2.5;

/** The page goes on: the picture moves, the player says live and is near the common lag, and nothing was reloaded. */
async function goesOn(viewer, what) {
  await viewer.sees(what, 15);
  await viewer.until(`is live again ${what}`, 15, async () => {
    const { state, lag_s } = await viewer.stats();
    return state === 'live' && lag_s !== null && lag_s < LAG_MAX_S;
  });
  assert.ok(await viewer.isMarked(), 'the page was reloaded');
}

async function watching(world) {
  await world.broadcast();
  const viewer = await world.viewer({ name: 'Anna' });
  await viewer.firstFrame();
  await viewer.mark();
  return viewer;
}

/** Makes the next `times` appends to a source buffer throw `error`, and counts them. */
const failAppends = (viewer, error, times) => viewer.page.evaluate(([name, count]) => {
  const original = SourceBuffer.prototype.appendBuffer;
  window.failedAppends = 0;
  SourceBuffer.prototype.appendBuffer = function (...data) {
    if (window.failedAppends >= count) return original.apply(this, data);
    window.failedAppends += 1;
    throw new DOMException('made by the test', name);
  };
}, [error, times]);

scenario('a full buffer is trimmed and play goes on', async (world) => {
  const viewer = await watching(world);
  await failAppends(viewer, 'QuotaExceededError', 3);
  await viewer.until('has met the full buffer', 10, () => viewer.page.evaluate(() => window.failedAppends === 3));
  await goesOn(viewer, 'after the buffer was full');
});

scenario('a source buffer that refuses is built anew', async (world) => {
  const viewer = await watching(world);
  await failAppends(viewer, 'InvalidStateError', 1);
  await viewer.until('has met the refusal', 10, () => viewer.page.evaluate(() => window.failedAppends === 1));
  await goesOn(viewer, 'after the refusal');
});

scenario('a page that was frozen is live again when it wakes', async (world) => {
  const viewer = await watching(world);
  const devtools = await viewer.page.context().newCDPSession(viewer.page);
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
  await watch(8);
  await devtools.send('Page.setWebLifecycleState', { state: 'active' });
  await goesOn(viewer, 'after its sleep');
});

scenario('a tab out of sight plays on, and is live when it is seen again', async (world) => {
  const viewer = await watching(world);
  const other = await viewer.page.context().newPage();
  await other.goto('about:blank');
  await other.bringToFront();
  const before = (await viewer.stats()).chunks;
  await watch(8);
  assert.ok((await viewer.stats()).chunks > before + 50, 'media went on coming in');
  await viewer.page.bringToFront();
  await goesOn(viewer, 'when it is seen again');
});
