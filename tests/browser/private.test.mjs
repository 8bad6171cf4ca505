// A private channel: with the whole link there is a picture; without its key there are words, and nothing of what came
// over the network shows what is in it.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

// What stands in any H.264 broadcast's description and in its chunks when they travel in the clear.
const RECORDED_BYTES = 50_000;
const TELLTALES = ['avcC', 'avc1', 'ftyp', 'moof', 'mdat', 'video/mp4'];

/** The first bytes that come over the session of one more viewer with the whole link. */
async function recording(world, address) {
  const page = await (await world.browser()).newPage();
  const frames = [];
  page.on('websocket', (session) => session.on('framereceived', ({ payload }) => frames.push(Buffer.from(payload))));
  await page.goto(address);
  await world.until('the relay has fed one more', 10, () => Buffer.concat(frames).length > RECORDED_BYTES);
  return Buffer.concat(frames).subarray(0, RECORDED_BYTES);
}

scenario('a private channel is seen with its key and is words without', async (world) => {
  await world.startTracker();
  await world.startUploader(['--private']);
  const [, link] = await world.uploader.says(/watch page: (\S+)/);
  await world.startEncoder();
  const { pathname, hash } = new URL(link);
  assert.match(hash, /^#key=[\w-]{43}&secret=[\w-]{43}$/);
  const secret = hash.split('secret=')[1];

  const friend = await world.viewer({ name: 'Anna, who has the link', watchPage: pathname + hash });
  await friend.firstFrame();
  await friend.sees('the picture');
  assert.equal(await friend.state(), 'live');
  assert.deepEqual(await world.channels(), [], 'it is not in the list');

  const links = { 'Ben, who has no key': hash.split('&')[0], 'Chloe, who has another': hash.replace(secret, 'A'.repeat(43)) };
  for (const [name, fragment] of Object.entries(links)) {
    const stranger = await world.viewer({ name, watchPage: pathname + fragment });
    await stranger.until('is told why', 10, async () => (await stranger.state()) === 'locked');
    await stranger.until('reads it', 15, () => stranger.page.evaluate(() => (
      document.querySelector('swarmcast-player').shadowRoot.textContent.includes('encrypted'))));
    const { chunks } = await stranger.stats();
    const pieces = async () => (await stranger.stats()).pieces.received;
    const before = await pieces();
    await friend.sees('the picture still');
    assert.equal(await pieces(), before, 'nothing is sent to who cannot open it');
    assert.equal(chunks, 0);
  }

  const wire = await recording(world, world.url + pathname + hash);
  for (const telltale of TELLTALES) assert.equal(wire.indexOf(telltale), -1, `${telltale} travels in the clear`);
  for (const program of [world.tracker, world.uploader]) {
    const said = program.lines.filter((line) => !line.startsWith('watch page: ')).join('\n');
    assert.ok(!said.includes(secret), 'the key is in no log');
  }
});
