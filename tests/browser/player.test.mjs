// The player's controls, by keyboard alone: a viewer pauses, goes back over the last minute and is left there, returns to
// the live edge, and finds the volume again on the next visit.

import assert from 'node:assert/strict';
import { freshPage } from './lib/browser.mjs';
import { onLan } from './lib/network.mjs';
import { until, watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const BACK_S = 2.5; // behind the common lag: further than a busy machine drifts
const PAUSED_S = BACK_S + 1; // the common lag itself may grow on a busy machine

const badge = ({ page }) => page.locator('[data-action="live"]');
const behind = async (viewer) => {
  const { lag_s: lag, target_lag_s: target } = await viewer.stats();
  return lag - target;
};
const isAtTheEdge = async (viewer) => (await viewer.stats()).following && await badge(viewer).evaluate((button) => button.matches('[mediatimeislive]:not([mediapaused])'));

async function watching(world) {
  await world.broadcast();
  const viewer = await world.viewer({ name: 'Anna' });
  await viewer.firstFrame();
  await viewer.until('is at the live edge', 20, () => isAtTheEdge(viewer));
  return viewer;
}

scenario('a viewer pauses, goes back, is left there, and returns to the edge', async (world) => {
  const viewer = await watching(world);
  const { keyboard } = viewer.page;
  await watch(8);

  const onLockScreen = () => viewer.page.evaluate(() => `${navigator.mediaSession.metadata?.title} ${navigator.mediaSession.playbackState}`);
  assert.equal(await onLockScreen(), 'demo playing');
  await viewer.page.evaluate(() => {
    const { setActionHandler } = MediaSession.prototype;
    window.mediaKeys = {};
    MediaSession.prototype.setActionHandler = function (name, act) {
      window.mediaKeys[name] = act;
      setActionHandler.call(this, name, act);
    };
  });
  await keyboard.press('Space');
  await viewer.until('has paused', 15, () => viewer.page.evaluate(() => window.underTest.video().paused));
  await viewer.until('tells the lock screen', 15, async () => (await onLockScreen()) === 'demo paused');
  await viewer.until('is far behind by pausing', 15, async () => (await behind(viewer)) > PAUSED_S);
  await keyboard.press('k');
  await viewer.sees('the picture from where it was left');
  const left = await behind(viewer);
  assert.ok(left > BACK_S, `only ${left} s behind`);
  assert.equal((await viewer.stats()).following, false);

  await keyboard.press('ArrowLeft');
  await viewer.until('has gone back', 15, async () => (await behind(viewer)) > left + BACK_S);
  await watch(5);
  const there = await behind(viewer);
  world.note(`left ${left.toFixed(1)} s behind the others, then ${there.toFixed(1)} s`);
  assert.ok(there > left + BACK_S, 'nobody took the viewer forward');
  assert.match(await badge(viewer).innerText(), /go live/i);
  const seek = viewer.page.locator('[data-action="seek"] input');
  assert.match(await seek.getAttribute('aria-valuetext'), /^[1-9]\d* seconds behind live$/);
  const shown = (await viewer.lagsMs(0)).at(-1) / 1000;
  assert.ok(shown > left + BACK_S, `the picture says ${shown} s`);

  // The media keys of the device go back and forth as well, and no further than the edge.
  const mediaKey = (name) => viewer.page.evaluate((key) => window.mediaKeys[key]({ seekOffset: 3 }), name);
  await mediaKey('seekbackward');
  await viewer.until('has gone back by a media key', 15, async () => (await behind(viewer)) > there + 1);
  await mediaKey('seekforward');
  await viewer.until('has come forward by a media key', 15, async () => (await behind(viewer)) < there + 1);

  await badge(viewer).focus();
  await keyboard.press('Enter');
  await viewer.until('is at the live edge again', 10, () => isAtTheEdge(viewer));
  await viewer.sees('the picture at the edge');
  await viewer.until('is near the camera', 10, async () => (await viewer.lagsMs(0)).at(-1) < 3_500);
});

scenario('volume and sound are remembered, and keys are left to who is typing', async (world) => {
  const viewer = await watching(world);
  const { page } = viewer;
  const sound = () => page.evaluate(() => {
    const { volume, muted } = window.underTest.video();
    return { volume: Math.round(volume * 100), muted };
  });
  for (let presses = 0; presses < 4; presses++) await page.keyboard.press('ArrowDown');
  assert.deepEqual(await sound(), { volume: 80, muted: false });
  await page.keyboard.press('m');
  assert.deepEqual(await sound(), { volume: 80, muted: true });
  await page.reload({ waitUntil: 'commit' });
  await viewer.firstFrame();
  assert.deepEqual(await sound(), { volume: 80, muted: true });
  assert.equal(await page.locator('[data-action="unmute"]').isVisible(), false, 'the viewer wanted it silent');
  await page.keyboard.press('m');
  assert.deepEqual(await sound(), { volume: 80, muted: false });

  await page.locator('[data-action="upload-cap"]').focus();
  await page.keyboard.press('m');
  assert.deepEqual(await sound(), { volume: 80, muted: false }, 'a letter in a list is not the player’s');

  await page.keyboard.press('Escape');
  await page.locator('[data-action="mute"]').focus();
  await page.keyboard.press('t');
  await until('the picture is wide', 15, () => page.evaluate(() => document.querySelector('swarmcast-player').hasAttribute('theatre')));
  const isOut = () => page.evaluate(() => document.pictureInPictureElement !== null);
  await page.keyboard.press('p');
  await until('the picture is out of the page', 15, isOut);
  await page.keyboard.press('p');
  await until('the picture is back in the page', 15, async () => !(await isOut()));
  await page.keyboard.press('f');
  await until('the picture fills the screen', 15, () => page.evaluate(() => document.fullscreenElement !== null));
  await page.keyboard.press('f');
  await until('it has left the full screen', 15, () => page.evaluate(() => document.fullscreenElement === null));
});

scenario('sound that the browser holds back is offered, and so is the start', async (world) => {
  await world.broadcast();
  // As browsers do where the page was not touched yet: first sound is refused, then everything.
  for (const [name, refuses, offer] of [['no sound', 'sound', 'unmute'], ['nothing', 'all', 'begin']]) {
    const page = await freshPage(await world.browser());
    await page.addInitScript((what) => {
      const { play } = HTMLMediaElement.prototype;
      HTMLMediaElement.prototype.play = function () {
        const touched = navigator.userActivation.hasBeenActive;
        if (!touched && (what === 'all' || !this.muted)) return Promise.reject(new DOMException('as asked', 'NotAllowedError'));
        return play.call(this);
      };
      window.awake = 0;
      Object.defineProperty(navigator, 'wakeLock', { value: { request: async () => (window.awake++, Object.assign(new EventTarget(), { release: async () => window.awake-- })) } });
    }, refuses);
    await page.goto(`${world.url}/watch/${world.name}`);
    const button = page.locator(`[data-action="${offer}"]`);
    await button.waitFor({ state: 'visible', timeout: 10_000 });
    if (offer === 'begin') assert.match(await page.locator('[data-role="state"]').innerText(), /^Press play/);
    await button.click();
    await until(`${name} was allowed, and it plays with sound`, 10, () => page.evaluate(() => {
      const video = document.querySelector('swarmcast-player').shadowRoot.querySelector('video');
      return !video.paused && !video.muted && video.currentTime > 0;
    }));
    await button.waitFor({ state: 'hidden', timeout: 15_000 });
    await until('the screen stays on', 15, () => page.evaluate(() => window.awake === 1));
    await page.keyboard.press('k');
    await until('the screen may go dark', 15, () => page.evaluate(() => window.awake === 0));
    await page.context().close();
  }
});
