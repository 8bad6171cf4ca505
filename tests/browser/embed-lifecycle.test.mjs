// Players come and go on one page: two play side by side, and one that is removed takes everything of its own along.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { countOpen, memoryOf } from './lib/open.mjs';
import { openSite } from './lib/site.mjs';
import { watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const OPENS = 10;
const WARM_UP = 3; // opens until everything that is made once has been made
// Between opening 3 and 10. A player that stayed would hold its pieces and its picture: megabytes each time.
const HEAP_GROWTH_MAX_BYTES = 1_500_000;
const NODES_GROWTH_MAX = 200; // a player is about 300

async function sitePage(world) {
  const { origin } = await openSite({ '/': `<!doctype html><script type="module" src="${world.url}/embed.js"></script>` });
  // Not watched from outside, as elsewhere: that holds the video it looked at last.
  const page = await (await world.browser()).newPage();
  await page.addInitScript(countOpen);
  await page.goto(origin);
  await page.evaluate(() => customElements.whenDefined('swarmcast-player').then(() => {}));
  return page;
}

const add = (page, id, channel, attributes = {}) => page.evaluate(([wanted, all]) => {
  const player = Object.assign(document.createElement('swarmcast-player'), { id: wanted });
  for (const [name, value] of Object.entries(all)) player.setAttribute(name, value);
  document.body.append(player);
}, [id, { channel, ...attributes }]);

const plays = (world, page, id) => world.until(`player ${id} plays`, 15, () => page.evaluate((wanted) => {
  const player = document.getElementById(wanted);
  return player.stats().state === 'live' && player.shadowRoot.querySelector('video').currentTime > 0;
}, id));

scenario('two players on one page play side by side, and one goes on without the other', async (world) => {
  await world.broadcast();
  const page = await sitePage(world);
  await add(page, 'one', world.name);
  await add(page, 'two', world.name);
  await plays(world, page, 'one');
  await plays(world, page, 'two');

  // Keys are for the one that has the focus.
  const muted = () => page.evaluate(() => ['one', 'two'].map((id) => document.getElementById(id).shadowRoot.querySelector('video').muted));
  const before = await muted();
  await page.locator('#two [data-action=mute]').focus();
  await page.keyboard.press('m');
  assert.deepEqual(await muted(), [before[0], !before[1]]);

  await page.evaluate(() => document.getElementById('one').remove());
  const at = () => page.evaluate(() => document.getElementById('two').shadowRoot.querySelector('video').currentTime);
  const left = await at();
  await world.until('the other one plays on', 10, async () => (await at()) > left + 2);
  assert.equal((await page.evaluate(() => window.countsOpen())).sockets, 1);
});

scenario('a player that does not start by itself connects to nobody until somebody presses play', async (world) => {
  await world.broadcast();
  const page = await sitePage(world);
  await add(page, 'player', world.name, { autoplay: 'off' });
  await watch(2);
  assert.deepEqual(await page.evaluate(() => [document.getElementById('player').stats().state, window.countsOpen().sockets]), ['idle', 0]);
  await page.locator('#player [data-action=begin]').click();
  await plays(world, page, 'player');
});

scenario('ten opens and closes leave no link, no worker and no growing heap', async (world) => {
  await world.broadcast();
  const neighbor = await world.viewer({ name: 'Anna, on the watch page' });
  await neighbor.firstFrame();
  const page = await sitePage(world);
  const measure = await memoryOf(page);

  const before = await page.evaluate(() => window.countsOpen());
  let warm;
  for (let round = 1; round <= OPENS; round++) {
    await add(page, 'player', world.name);
    await plays(world, page, 'player');
    await world.until('it has a link', 20, () => page.evaluate(() => document.getElementById('player').stats().links.some(({ kind }) => kind !== 'relay')));
    assert.ok((await page.evaluate(() => window.countsOpen())).connections > 0);
    await page.evaluate(() => document.getElementById('player').remove());
    await world.until('all is let go', 15, async () => {
      const open = await page.evaluate(() => window.countsOpen());
      return JSON.stringify(open) === JSON.stringify(before);
    });
    if (round === WARM_UP) warm = await measure();
  }
  // A decoder takes its time to end, and holds its element until then.
  let end;
  await world.until('nothing of the players is left', 15, async () => {
    end = await measure();
    return end.heap - warm.heap < HEAP_GROWTH_MAX_BYTES && end.nodes - warm.nodes < NODES_GROWTH_MAX;
  });
  world.note(`heap after ${WARM_UP} opens ${(warm.heap / 1e6).toFixed(2)} MB, after ${OPENS} ${(end.heap / 1e6).toFixed(2)} MB; nodes ${warm.nodes} and ${end.nodes}`);
  assert.equal(page.workers().length, 0);
  await neighbor.sees('the picture still');
});
