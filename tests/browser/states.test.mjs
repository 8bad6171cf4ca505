// What the player says of itself: every state provoked, and read on the page as a viewer reads it.

import assert from 'node:assert/strict';
import { freshPage } from './lib/browser.mjs';
import { onLan } from './lib/network.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const line = (page) => page.locator('[data-role="state"]').first().innerText();
const reads = (world, page, words, seconds = 15) => world.until(`the page reads ${words}`, seconds, async () => words.test(await line(page)));

async function open(world, { script, routes = [] } = {}) {
  const page = await freshPage(await world.browser());
  if (script) await page.addInitScript(script);
  for (const [address, answer] of routes) await page.route(address, answer);
  await page.goto(`${world.url}/watch/${world.name}`, { waitUntil: 'commit' });
  return page;
}

scenario('from connecting to the end of the broadcast', async (world) => {
  await world.startTracker();
  await world.startUploader();
  const viewer = await world.viewer({ name: 'Anna' });
  const { page } = viewer;
  await reads(world, page, /^Not on air/);

  // All that was said, so that a word that flashes up is noticed; and whether there was a picture to it.
  await page.evaluate(() => {
    const { shadowRoot } = document.querySelector('swarmcast-player');
    const [said, video] = [shadowRoot.querySelector('[data-role="state"] strong'), shadowRoot.querySelector('video')];
    window.said = [];
    new MutationObserver(() => window.said.push([said.textContent, video.readyState >= 2])).observe(said, { childList: true, characterData: true, subtree: true });
  });
  await world.startEncoder();
  await reads(world, page, /^Live/);
  await viewer.sees('the picture');
  const said = await page.evaluate(() => window.said);
  world.note(`said while it started: ${said.map(([word]) => word).join(', ')}`);
  assert.ok(said.some(([word]) => word === 'Finding the picture'));
  assert.ok(said.every(([word, picture]) => word !== 'Live' || picture), 'nothing is live before there is a picture');
  assert.ok(!said.some(([word]) => /^Reconnecting/.test(word)), 'nothing is lost before there was a picture');

  world.uploader.child.kill('SIGSTOP');
  await reads(world, page, /^Waiting for the picture/);
  world.uploader.child.kill('SIGCONT');
  await reads(world, page, /^Live/);

  world.encoder.mayEnd();
  await world.uploader.kill('SIGKILL');
  await reads(world, page, /^Reconnecting/);
  await world.encoder.exit;
  await world.startUploader();
  await world.startEncoder();
  await reads(world, page, /^Live/);

  await world.until('there is a picture to remember', 10, async () => (await fetch(`${world.url}/stills/${world.name}`)).ok);
  world.encoder.mayEnd();
  await world.uploader.kill('SIGINT');
  await reads(world, page, /^The broadcast has ended/);

  // Who comes now sees what was there last, and is told when it starts again: on the page, and by a notification where the
  // page is not looked at.
  const late = await world.viewer({ name: 'Ben' });
  await late.page.getByText('Last live this minute.').waitFor({ timeout: 10_000 });
  await late.until('sees the last picture', 10, () => late.page.locator('.curtain canvas').isVisible());
  await late.page.evaluate(() => {
    window.Notification = class {
      static permission = 'default';
      static requestPermission = async () => { window.Notification.permission = 'granted'; };
      constructor(title) { window.notified = title; }
    };
    Object.defineProperty(window, 'isSecureContext', { value: true });
    document.hasFocus = () => false;
  });
  for (const { page: waiting } of [viewer, late]) await waiting.getByRole('button', { name: 'Tell me when it starts' }).click();
  await page.getByText('there are no notifications on this page').waitFor({ timeout: 15_000 });
  await late.page.getByText('You get a notification').waitFor({ timeout: 15_000 });
  await world.startUploader();
  await world.startEncoder();
  for (const { page: told } of [viewer, late]) await told.getByText('demo is live').waitFor({ timeout: 20_000 });
  await late.until('is notified', 15, () => late.page.evaluate(() => window.notified === 'demo is live'));
  assert.equal(await page.evaluate(() => window.notified), undefined);
});

scenario('what keeps a page from playing is named, and what to do about it', async (world) => {
  await world.broadcast();
  // That no script comes is said after some seconds: other pages are looked at meanwhile.
  const lost = [];
  for (const [file, words] of [['player.js', 'The player has not loaded'], ['dist/viewer_bg.wasm', 'The player has stopped']]) {
    lost.push([await open(world, { routes: [[`**/assets/${file}`, (route) => route.abort()]] }), words]);
  }

  const tried = [];
  const page = await freshPage(await world.browser());
  await page.routeWebSocket(/\/session/, (socket) => {
    tried.push(socket);
    socket.close();
  });
  await page.goto(`${world.url}/watch/${world.name}`, { waitUntil: 'commit' });
  await reads(world, page, /^Connecting \(\d+\)/);
  assert.ok(tried.length > 1, 'the server was tried again');
  await page.context().close();

  const lacking = {
    'Media Source Extensions': () => {
      delete window.MediaSource;
      delete window.ManagedMediaSource;
    },
    WebAssembly: () => delete window.WebAssembly,
    'a decoder for video': () => (MediaSource.isTypeSupported = () => false),
  };
  for (const [what, script] of Object.entries(lacking)) {
    const without = await open(world, { script });
    await reads(world, without, new RegExp(`^Not supported here.*${what}`, 's'));
    assert.match(await line(without), /Current versions of/);
    await without.context().close();
  }
  for (const [without, words] of lost) await without.getByText(words).first().waitFor({ state: 'visible', timeout: 15_000 });
});
