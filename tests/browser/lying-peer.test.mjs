// A peer that alters what it passes on: its pieces are refused, nothing of them is shown or spread, it is dropped.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { program } from './lib/paths.mjs';
import { isAtTheCommonLag, watchForStalls } from './lib/swarm.mjs';
import { watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

scenario('a lying peer is refused and dropped', async (world) => {
  await world.broadcast();
  // It comes early, so that it is given children.
  const liar = world.run('lying peer', [program('lying-peer'), '--tracker', world.url, '--channel', world.name]);
  const [, liarId] = await liar.says(/peer:? ([0-9a-zA-Z_-]{8,})/);
  const viewers = await world.audience(4);

  const refusals = async () => (await Promise.all(viewers.map((viewer) => viewer.stats())))
    .reduce((sum, { pieces }) => sum + pieces.rejected, 0);
  await world.until('a viewer has refused an altered piece', 30, async () => (await refusals()) > 0);
  // Whom it has lied to has dropped it, and nobody is fed by it any more. (Who only feeds it has no way to know.)
  const dropped = ({ links, pieces }) => links.every(({ peer, stripes_in }) =>
    peer !== liarId || (pieces.rejected === 0 && stripes_in.length === 0));
  await world.until('the liar feeds nobody', 10, async () => (await Promise.all(viewers.map((viewer) => viewer.stats()))).every(dropped));
  for (const viewer of viewers) await isAtTheCommonLag(viewer);
  const noneStalled = await watchForStalls(viewers);
  world.note(`${await refusals()} altered pieces were refused`);

  await watch(10);
  await noneStalled(world);
  for (const viewer of viewers) {
    const [own, frames] = [await viewer.stats(), await viewer.frames()];
    assert.equal(own.state, 'live', `${viewer.name}'s state`);
    assert.equal(frames.unreadable, 0, `${viewer.name} saw an altered picture`);
    assert.ok(frames.clock.every(({ lagMs }) => lagMs > 0 && lagMs < 10_000), `${viewer.name} saw a clock that was tampered with`);
    const { received, verified, rejected, duplicates } = own.pieces;
    assert.equal(verified + rejected + duplicates, received, 'every piece was judged');
    assert.ok(dropped(own), `${viewer.name} took the liar back`);
  }
  // Nobody spread a lie: a viewer who did would have been dropped by its neighbours as a liar.
  for (const viewer of viewers) assert.ok((await viewer.stats()).links.length > 0, `${viewer.name} was dropped by all`);
});
