// A wrong stream key: the encoder is told and ends at once, and nothing goes live.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { onLan } from './lib/network.mjs';
import { ffmpegs } from './lib/paths.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

for (const [which, ffmpeg] of Object.entries(ffmpegs)) {
  if (which === 'newest' && !existsSync(ffmpeg)) continue;
  scenario(`an encoder with a wrong key ends with an error (${which} ffmpeg)`, async (world) => {
    await world.startTracker();
    await world.startUploader();
    const stranger = world.encodeTo('not-the-key', { ffmpeg }).mayEnd();
    const ended = await world.until('the encoder has ended', 15, () => stranger.ended);
    assert.notEqual(ended.code, 0, 'the encoder reports a failure');
    assert.equal(ended.signal, null, 'it ended by itself');
    assert.ok(stranger.lines.length > 0, 'and said something');
    world.note(`ffmpeg said: ${stranger.lines.at(-1)}`);
    assert.ok(!(await world.channels()).some(({ live }) => live), 'nothing is live');
    await world.uploader.says(/(wrong|bad|refus|reject|unknown|invalid)/i);

    await world.startEncoder({ ffmpeg });
    await world.goesLive();
  });
}
