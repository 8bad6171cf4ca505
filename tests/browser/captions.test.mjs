// Captions that an encoder sends inside of its pictures: there is a button for them when there are any, they change with the picture
// that they belong to, and a viewer finds them again as last time. Leaves a picture in target/browser-tests/pages.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { captionedEncoder, WORDS } from './lib/captioned.mjs';
import { onLan } from './lib/network.mjs';
import { path } from './lib/paths.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const PICTURES = path('target/browser-tests/pages');
/** Collects what is seen with each picture: its brightness, and the cue of the track that is shown, by the picture's own time. */
function collect() {
  const video = window.underTest.video();
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  window.seen = [];
  const look = (_, { mediaTime }) => {
    context.drawImage(video, 0, 0, 1, 1);
    const shown = [...video.textTracks].find(({ mode }) => mode === 'showing');
    const cue = [...(shown?.cues ?? [])].find(({ startTime, endTime }) => startTime <= mediaTime + 0.001 && mediaTime + 0.001 < endTime);
    window.seen.push({ light: context.getImageData(0, 0, 1, 1).data[0] > 128 ? 'light' : 'dark', text: cue?.getCueAsHTML().textContent });
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
}

scenario('captions change with their picture, in the language chosen, and are remembered', async (world) => {
  mkdirSync(PICTURES, { recursive: true });
  await world.startTracker();
  await world.startUploader();
  captionedEncoder(world);
  await world.goesLive();
  const viewer = await world.viewer();
  await viewer.firstFrame();
  const { page } = viewer;
  const button = page.locator('[data-action="captions"]');
  await button.waitFor({ state: 'visible' });
  const showing = () => page.evaluate(() => [...window.underTest.video().textTracks].filter(({ mode }) => mode === 'showing').map(({ label }) => label));
  assert.deepEqual(await showing(), [], 'nobody has asked for them yet');

  await page.keyboard.press('c');
  await viewer.until('has captions', 15, async () => (await button.getAttribute('aria-checked')) === 'true');
  await page.reload({ waitUntil: 'commit' });
  await viewer.firstFrame();
  await viewer.until('has captions as before', 10, async () => (await showing()).join() === 'CC1');

  for (const language of [0, 1]) {
    await page.evaluate(collect);
    const seen = () => page.evaluate(() => window.seen.filter(({ text }) => text !== undefined));
    const right = (pictures) => pictures.filter(({ light, text }) => text === WORDS[light][language]);
    for (const words of [WORDS.dark, WORDS.light]) {
      await viewer.until(`reads ${words[language]}`, 10, async () => right(await seen()).some(({ text }) => text === words[language]));
    }
    const all = await seen();
    const fitting = right(all);
    world.note(`${fitting.length} of ${all.length} pictures with the words that belong to them`);
    // Where it changes, a picture may be told with the next one's time.
    assert.ok(all.length - fitting.length <= 2, JSON.stringify(all));
    if (language === 0) await page.screenshot({ path: `${PICTURES}/captions.png` });
    await page.keyboard.press('c');
  }
  assert.deepEqual(await showing(), [], 'after the last language there are none');
  assert.equal(await button.getAttribute('aria-checked'), 'false');
});
