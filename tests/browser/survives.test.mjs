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

async function watches(world, name) {
  const viewer = await world.viewer({ name });
  await viewer.firstFrame();
  await viewer.mark();
  return viewer;
}

/** Makes the next `times` appends to a source buffer throw `error`, and waits until they have. */
async function failAppends(viewer, error, times) {
  await viewer.page.evaluate(([name, count]) => {
    const original = (window.nativeAppend ??= SourceBuffer.prototype.appendBuffer);
    window.failedAppends = 0;
    SourceBuffer.prototype.appendBuffer = function (...data) {
      if (window.failedAppends >= count) return original.apply(this, data);
      window.failedAppends += 1;
      throw new DOMException('made by the test', name);
    };
  }, [error, times]);
  await viewer.until(`has met ${error}`, 10, () => viewer.page.evaluate((count) => window.failedAppends === count, times));
}

scenario('a full buffer is trimmed, one that refuses is built anew, and play goes on', async (world) => {
  await world.broadcast();
  const viewer = await watches(world, 'Anna');
  await failAppends(viewer, 'QuotaExceededError', 3);
  await goesOn(viewer, 'after the buffer was full');
  await failAppends(viewer, 'InvalidStateError', 1);
  await goesOn(viewer, 'after the refusal');
});

scenario('a page that was frozen is live again when it wakes, and a tab out of sight plays on', async (world) => {
  await world.broadcast();
  const [sleeper, hidden] = [await watches(world, 'Anna, who sleeps'), await watches(world, 'Ben, who looks elsewhere')];
  const devtools = await sleeper.page.context().newCDPSession(sleeper.page);
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
  const other = await hidden.page.context().newPage();
  await other.goto('about:blank');
  await other.bringToFront();
  const before = (await hidden.stats()).chunks;
  await watch(8);
  assert.ok((await hidden.stats()).chunks > before + 50, 'media went on coming in');
  await devtools.send('Page.setWebLifecycleState', { state: 'active' });
  await hidden.page.bringToFront();
  await goesOn(sleeper, 'after its sleep');
  await goesOn(hidden, 'when it is seen again');
});
