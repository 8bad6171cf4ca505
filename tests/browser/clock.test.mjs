// The burnt-in clock: a frame stamped at T reads T in the browser, after a real encoder and a real decoder; a strip
// that is not clear is refused; and the harness hears sound. Everything else here reads lag with this reader.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { freshPage, launch } from './lib/browser.mjs';
import { address, onLan } from './lib/network.mjs';
import { ffmpegs, path } from './lib/paths.mjs';

await onLan();

const STAMP_AT_START_S = 1000;
const scratch = mkdtempSync(`${tmpdir()}/clock-`);
let browser;
let server;
let origin;

before(async () => {
  browser = await launch({ scratch });
  server = createServer((request, response) => {
    const isVideo = request.url.endsWith('.mp4');
    response.setHeader('Content-Type', isVideo ? 'video/mp4' : 'text/html');
    if (isVideo) createReadStream(`${scratch}${request.url}`).pipe(response);
    else response.end('<!doctype html><div id="player"></div>');
  });
  await new Promise((resolve) => server.listen(0, address(), resolve));
  origin = `http://${address()}:${server.address().port}`;
});

after(async () => {
  await browser?.close();
  server?.close();
  rmSync(scratch, { recursive: true, force: true });
});

for (const [size, kilobits] of [['320x180', 500], ['640x360', 800], ['1280x720', 1500]]) {
  test(`every frame of a ${size} programme at ${kilobits} kb/s reads as the time it was stamped with`, async () => {
    const file = `${size}.mp4`;
    execFileSync(path('demo/programme.sh'), [`${scratch}/${file}`, size, kilobits], {
      env: { ...process.env, CLOCK: `${STAMP_AT_START_S}+t`, LENGTH: '4' },
    });
    const page = await freshPage(browser);
    await page.goto(origin);
    const readings = await page.evaluate(playAndRead, `${origin}/${file}`);
    await page.context().close();

    assert.ok(readings.length > 40, `only ${readings.length} frames were seen`);
    for (const { mediaTime, stamp } of readings) {
      const expected = Math.floor((STAMP_AT_START_S + mediaTime) * 100 + 0.5) % 65536;
      assert.ok(stamp !== null && Math.abs(stamp - expected) <= 1, `at ${mediaTime} s read ${stamp}, stamped ${expected}`);
    }
  });
}

/** In the page: plays `source` inside of a shadow root, as the player does, and reads each frame that is shown. */
async function playAndRead(source) {
  const video = document.createElement('video');
  document.querySelector('#player').attachShadow({ mode: 'open' }).append(video);
  const readings = [];
  const read = (now, { mediaTime }) => {
    readings.push({ mediaTime, stamp: window.underTest.readStamp(video) });
    video.requestVideoFrameCallback(read);
  };
  video.requestVideoFrameCallback(read);
  video.src = source;
  await video.play();
  await new Promise((resolve) => (video.onended = resolve));
  return readings;
}

test('a strip with one grey cell is refused, a clear one is read, and the lag survives the wrap', async () => {
  const page = await freshPage(browser);
  await page.goto(origin);
  const answers = await page.evaluate(() => {
    const picture = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
    Object.assign(picture, { videoWidth: 320, videoHeight: 180 });
    const paint = (colours) => {
      colours.forEach((colour, cell) => {
        picture.getContext('2d').fillStyle = colour;
        picture.getContext('2d').fillRect(cell * 20, 0, 20, 15);
      });
      return window.underTest.readStamp(picture);
    };
    const cells = (grey) => [...grey].map((bit) => ({ 0: '#000', 1: '#fff', '?': '#808080' })[bit]);
    const { lagMs } = window.underTest;
    return {
      one: paint(cells('0000000000000001')),
      highest: paint(cells('1000000000000000')),
      unclear: paint(cells('0000?00000000001')),
      lags: [lagMs(100, 2_500), lagMs(65530, 655_360 + 1_000), lagMs(20, 100)],
    };
  });
  await page.context().close();
  assert.deepEqual(answers, { one: 1, highest: 65535, unclear: null, lags: [1_500, 1_060, -100] });
});

test('the watch on the picture and the ear notice a real programme', async () => {
  const page = await freshPage(browser);
  await page.goto(origin);
  const seen = await page.evaluate(async (source) => {
    const video = document.createElement('video');
    document.body.append(video);
    video.src = source;
    await video.play();
    const loudness = await window.underTest.loudness(2);
    const whilePlaying = window.underTest.longestFreezeMs(performance.now() - 1_000);
    video.pause();
    const pausedAt = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 600));
    const { frames } = window.underTest;
    return { loudness, whilePlaying, whilePaused: window.underTest.longestFreezeMs(pausedAt), count: frames.count, unreadable: frames.unreadable };
  }, `${origin}/320x180.mp4`);
  await page.context().close();
  assert.ok(seen.loudness > 0.05, `loudness ${seen.loudness}`);
  assert.ok(seen.count > 25, `${seen.count} frames`);
  assert.equal(seen.unreadable, 0);
  assert.ok(seen.whilePlaying < 200, `froze ${seen.whilePlaying} ms while playing`);
  assert.ok(seen.whilePaused > 500, `froze only ${seen.whilePaused} ms while paused`);
});

test('the watch on the picture tells media that does not come from frames that were not painted', async () => {
  const fragmented = `${scratch}/fragmented.mp4`;
  execFileSync(ffmpegs.debian, ['-v', 'error', '-i', `${scratch}/320x180.mp4`, '-an', '-c', 'copy',
    '-movflags', 'frag_keyframe+empty_moov+default_base_moof', fragmented]);
  const page = await freshPage(browser);
  await page.goto(origin);
  const seen = await page.evaluate(async (source) => {
    const media = await (await fetch(source)).arrayBuffer();
    const profile = new TextDecoder('latin1').decode(media.slice(0, 2_000)).match(/avcC.(...)/s)[1];
    const codec = `avc1.${[...profile].map((letter) => letter.charCodeAt(0).toString(16).padStart(2, '0')).join('')}`;
    const video = document.createElement('video');
    document.body.append(video);
    const stream = new MediaSource();
    video.src = URL.createObjectURL(stream);
    await new Promise((resolve) => (stream.onsourceopen = resolve));
    stream.addSourceBuffer(`video/mp4; codecs="${codec}"`).appendBuffer(media);
    video.muted = true;
    await video.play();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const startedAt = performance.now();
    // The page is busy for longer than a stall: frames go unseen, the picture goes on.
    while (performance.now() < startedAt + 600);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const whileBusy = window.underTest.longestFreezeMs(startedAt);
    await new Promise((resolve) => (video.onwaiting = resolve));
    await new Promise((resolve) => setTimeout(resolve, 600));
    return { whileBusy, whileWaiting: window.underTest.longestFreezeMs(startedAt) };
  }, `${origin}/fragmented.mp4`);
  await page.context().close();
  assert.ok(seen.whileBusy < 200, `froze ${seen.whileBusy} ms while the page was busy`);
  assert.ok(seen.whileWaiting > 500, `froze only ${seen.whileWaiting} ms without media`);
});
