// Encoders differ: old and new FFmpeg, with and without B-frames, keyframes near and far apart, low and high
// bitrates. The viewer sees and hears all of them.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { onLan } from './lib/network.mjs';
import { ffmpegs } from './lib/paths.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const B_FRAMES = ['-tune', 'film', '-bf', '2', '-profile:v', 'high'];
const ENCODERS = {
  "Debian's ffmpeg with B-frames and a keyframe every four seconds": { options: [...B_FRAMES, '-g', '100', '-keyint_min', '100'] },
  'FFmpeg 9': { ffmpeg: ffmpegs.newest },
  'FFmpeg 9 with B-frames at 4 Mb/s': { ffmpeg: ffmpegs.newest, size: '640x360', kilobits: 4000, options: B_FRAMES },
};

for (const [name, encoder] of Object.entries(ENCODERS)) {
  if (encoder.ffmpeg && !existsSync(encoder.ffmpeg)) continue;
  scenario(`${name} is seen and heard`, async (world) => {
    await world.broadcast(encoder);
    const viewer = await world.viewer();
    await viewer.firstFrame();
    await viewer.sees('a moving picture');
    assert.ok(await viewer.loudness(1.5) > 0.05, 'the sound can be heard');
    assert.equal((await viewer.frames()).unreadable, 0, 'every picture is whole');
  });
}
