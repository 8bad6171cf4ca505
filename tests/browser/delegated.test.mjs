// A delegated broadcast: the owner's key stays at home, the server signs with one of its own that the owner vouches for,
// and viewers who have the owner's key in their link believe that.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, renameSync } from 'node:fs';
import { onLan } from './lib/network.mjs';
import { program } from './lib/paths.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

scenario('the server broadcasts with a key that the owner vouches for', async (world) => {
  await world.startTracker([], { rtmp: '127.0.0.1:1935' });
  const key = `${world.scratch}/channel.key`;
  const uploader = async (...command) => {
    const run = world.run('uploader', [program('swarmcast-uploader'), ...command]).mayEnd();
    assert.equal((await run.exit).code, 0, run.tail());
    return run.lines;
  };
  const channel = async (...command) => JSON.parse(
    (await uploader('channel', '--tracker', world.url, '--key', key, ...command)).join('\n'));

  await uploader('keygen', '--key', key);
  const { id } = await channel('claim', world.name);
  const { delegate } = await channel('host', '--days', '1');
  assert.notEqual(delegate, id);
  const { stream_key: streamKey } = await channel('stream-key', 'add', 'van');
  const { delegated_until_ms: until } = await channel('show');
  assert.ok(until > Date.now(), 'it is told until when');

  const seed = Buffer.from(readFileSync(key, 'utf8').trim().split(/\s+/).at(-1), 'base64url');
  assert.equal(seed.length, 32);
  for (const file of readdirSync(`${world.scratch}/tracker`)) {
    assert.ok(!readFileSync(`${world.scratch}/tracker/${file}`).includes(seed), `the owner's key is in ${file}`);
  }
  renameSync(key, `${key}.away`);

  world.encodeTo(streamKey);
  await world.goesLive();
  const viewer = await world.viewer({ watchPage: `/watch/${world.name}#key=${id}` });
  await viewer.firstFrame();
  await viewer.sees('the picture');

  const other = `${id.slice(0, -2)}AA`;
  const doubter = await world.viewer({ name: 'Ben, whose link has another key', watchPage: `/watch/${world.name}#key=${other}` });
  await viewer.sees('the picture still');
  assert.equal((await doubter.frames()).clock.length, 0, 'nothing is believed that the key in the link does not vouch for');
});
