// Going live from a browser: Chromium's fake camera, seen and heard by three others, and its fake screen; what happens on the page
// when the server goes away, when the broadcast ends, and when the name is somebody else's; from a phone, whose line is slow; and
// what the page says where it cannot be done.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { onLan } from './lib/network.mjs';
import { path } from './lib/paths.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const CAMERAS = ['--use-fake-device-for-media-stream=device-count=3', '--use-fake-ui-for-media-stream'];
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const PICTURES = path('target/browser-tests/pages');

/** The studio's page in a browser that has cameras, and takes the server's address for a safe one. */
async function studio(world, { uplinkBps, script, ...options } = {}) {
  const browser = await world.browser('', [...CAMERAS, `--unsafely-treat-insecure-origin-as-secure=${world.url}`]);
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  if (script) await page.addInitScript(script);
  const problems = [];
  page.on('pageerror', (error) => problems.push(error.stack ?? String(error)));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  if (uplinkBps) {
    const devtools = await context.newCDPSession(page);
    await devtools.send('Network.emulateNetworkConditions', { offline: false, latency: 20, downloadThroughput: -1, uploadThroughput: uplinkBps / 8 });
  }
  await page.goto(`${world.url}/studio`);
  return { page, problems };
}

async function goLive(page, name, quality = '240') {
  await page.locator('#quality').selectOption(quality);
  await page.locator('#go:enabled').waitFor({ timeout: 20_000 });
  await page.locator('#name').fill(name);
  await page.locator('#go').click();
  await page.locator('#onair').waitFor({ timeout: 20_000 });
  return page.locator('#link').inputValue();
}

const watched = (world, name, link) => {
  const { pathname, hash } = new URL(link);
  return world.viewer({ name, watchPage: pathname + hash });
};

const moves = async (viewer) => {
  const { count } = await viewer.frames();
  await viewer.until('sees the picture move', 20, async () => (await viewer.frames()).count > count + 20);
};

/** What sets a phone apart, for Chromium on a desk: it has two cameras and shows no screen; and whether it stays awake is counted. */
function asOnAPhone() {
  const { enumerateDevices } = MediaDevices.prototype;
  // Of three fake cameras the second sees depths, which nobody encodes.
  MediaDevices.prototype.enumerateDevices = async function () {
    return (await enumerateDevices.call(this)).filter(({ label }) => label !== 'fake_device_1');
  };
  delete MediaDevices.prototype.getDisplayMedia;
  window.awake = 0;
  const request = async () => (window.awake++, Object.assign(new EventTarget(), { release: async () => window.awake-- }));
  Object.defineProperty(navigator, 'wakeLock', { value: { request } });
}

/** Which microphones a page has opened. */
function notesMicrophones() {
  const { getUserMedia } = MediaDevices.prototype;
  window.microphones = [];
  MediaDevices.prototype.getUserMedia = async function (asked) {
    const stream = await getUserMedia.call(this, asked);
    for (const track of stream.getAudioTracks()) window.microphones.push(track.getSettings().deviceId);
    return stream;
  };
}

/** In the page: whatever can be pressed or filled in, and no finger gets at: beside the screen, covered, or too small. */
function outOfReach() {
  const all = [...(document.querySelector('dialog[open]') ?? document).querySelectorAll('a, button, input, select, summary')];
  const isInReach = (each) => {
    const target = each.closest('label') ?? each;
    target.scrollIntoView({ block: 'center' });
    const { left, right, top, bottom, width, height } = target.getBoundingClientRect();
    const isHit = target.contains(document.elementFromPoint((left + right) / 2, (top + bottom) / 2));
    return isHit && left >= 0 && right <= innerWidth && Math.min(width, height) >= 24;
  };
  return all.filter((each) => each.checkVisibility() && !isInReach(each)).map((each) => each.id || each.textContent);
}

/** Chromium's fake screen and camera both show a bright face on a darker ground: what is at the middle of each, and left of it. */
function facesAndGrounds() {
  const video = window.underTest.video();
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  const points = [[0.45, 0.5], [0.25, 0.5], [0.84, 0.845], [0.765, 0.845]];
  const greens = points.map(([x, y]) => context.getImageData(x * canvas.width, y * canvas.height, 1, 1).data[1]);
  return greens.map((green) => (green > 195 ? 'face' : 'ground')).join(' ');
}

scenario('a browser goes live with its camera, and three others see and hear it', async (world) => {
  mkdirSync(PICTURES, { recursive: true });
  await world.startTracker();
  const { page, problems } = await studio(world, { script: notesMicrophones });
  await page.locator('#go:enabled').waitFor({ timeout: 20_000 });
  await page.screenshot({ path: `${PICTURES}/studio-desktop.png` });

  // The level meter shows what the microphone hears, and then what another one does.
  const level = () => page.locator('#level').evaluate(({ value }) => value);
  const meterMoves = async () => {
    const before = await level();
    await world.until('the level meter moves', 10, async () => (await level()) !== before);
  };
  await meterMoves();
  const opened = () => page.evaluate(() => window.microphones.at(-1));
  const first = await opened();
  const offered = await page.locator('#microphone option').evaluateAll((options) => options.map(({ value }) => value));
  const another = offered.findLast((id) => id !== 'none');
  assert.notEqual(another, first);
  await page.locator('#microphone').selectOption(another);
  await world.until('the other microphone is open', 10, async () => (await opened()) === another);
  await meterMoves();
  const link = await goLive(page, 'from-a-tab');
  assert.match(link, /\/watch\/from-a-tab#key=[\w-]{43}$/);
  await world.goesLive(20);

  const viewers = [];
  for (const name of ['Anna', 'Ben', 'Chloe']) viewers.push(await watched(world, name, link));
  for (const viewer of viewers) {
    await viewer.firstFrame(20);
    await moves(viewer);
    await viewer.until('hears it', 10, async () => (await viewer.decodedSoundBytes()) > 2_000);
    await viewer.until('is live', 15, async () => (await viewer.state()) === 'live');
  }
  const mimes = new Set(await Promise.all(viewers.map(async (viewer) => (await viewer.stats()).mime)));
  world.note(`sent as ${[...mimes].join()}`);
  assert.match([...mimes][0], /codecs="(avc1|vp09)[^"]*,opus"/);
  await world.until('the studio counts its viewers', 10, async () => (await page.locator('#viewers').textContent()) === '3');
  await viewers[0].until('takes stripes from others than the server', 30, async () => {
    const { bytes } = await viewers[0].stats();
    return bytes.source + bytes.viewers > 0;
  });
  const { lag_s: lag } = await viewers[0].stats();
  world.note(`${lag.toFixed(2)} s behind the camera`);
  assert.ok(lag < 4, `${lag} s behind the camera`);
  await page.locator('#health li').first().waitFor();
  await page.screenshot({ path: `${PICTURES}/studio-live-desktop.png` });

  // The server goes away and comes back: the same broadcast goes on, and nobody reloads.
  const { epoch } = await viewers[0].stats();
  await world.tracker.kill();
  await page.getByText('The server is out of reach').waitFor({ timeout: 20_000 });
  for (const viewer of viewers) await moves(viewer);
  await world.startTracker();
  await world.until('the studio is back', 30, async () => (await page.locator('.studio').getAttribute('data-connected')) === 'true');
  await moves(viewers[1]);
  assert.equal((await viewers[1].stats()).epoch, epoch);

  // Closing the tab asks first.
  const [asked] = await Promise.all([page.waitForEvent('dialog'), page.close({ runBeforeUnload: true })]);
  assert.equal(asked.type(), 'beforeunload');
  await asked.dismiss();

  // Stopping asks first, and then viewers hear of it.
  await page.locator('#stop').click();
  await page.locator('#sure button[value=no]').click();
  assert.ok(await page.locator('#onair').isVisible());
  await page.locator('#stop').click();
  await page.locator('#sure button[value=yes]').click();
  for (const viewer of viewers) {
    await viewer.until('hears that it has ended', 15, async () => ['offline', 'ended'].includes(await viewer.state()));
  }
  // A name that is free is one that the server does not know (404).
  assert.deepEqual(problems.filter((problem) => !/WebSocket|ERR_CONNECTION|404/.test(problem)), []);
});

scenario('a phone goes live on a slow line, by another name than somebody else’s, and turns its camera', async (world) => {
  await world.broadcast();
  const { page } = await studio(world, { ...PHONE, script: asOnAPhone, uplinkBps: 4_100_000 });

  // The line is measured, and decides until somebody else does.
  const line = page.locator('#uplink');
  const [words, carries, quality] = await world.until('the line is measured', 30, async () => /carries ([\d.]+) Mb\/s up: (\d+)p at/.exec(await line.textContent()));
  world.note(words);
  assert.ok(Number(carries) <= 4.5 && Number(quality) <= 480, words);
  await page.locator('#quality').selectOption('1080');
  assert.match(await line.textContent(), /wants 12 Mb\/s\. \d+p at [\d.]+ Mb\/s would fit\.$/);
  await page.locator('#quality').selectOption('240');
  await page.locator('#go:enabled').waitFor({ timeout: 20_000 });
  await page.locator('#name').fill(world.name);
  await page.locator('#go').click();
  await page.locator('#status p[data-kind=trouble]').waitFor({ timeout: 20_000 });
  world.note(`told: ${await page.locator('#status').textContent()}`);
  await page.screenshot({ path: `${PICTURES}/studio-phone.png`, fullPage: true });
  assert.ok(await page.locator('#setup').isVisible());
  assert.equal(await page.locator('.choice').isVisible(), false, 'there is no screen to choose');

  // The key is saved as a file, which opens the channel again.
  await page.locator('.key summary').tap();
  assert.deepEqual(await page.evaluate(outOfReach), []);
  const channel = await page.locator('#channel').innerText();
  const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#export').tap()]);
  const copy = { name: 'channel.key', mimeType: 'text/plain', buffer: readFileSync(await download.path()) };
  const [sure] = await Promise.all([page.waitForEvent('dialog'), page.locator('#import').setInputFiles(copy)]);
  await sure.accept();
  await page.reload();
  await world.until('the key is still there', 10, async () => (await page.locator('#channel').textContent()) === channel);

  const link = await goLive(page, 'another-name', '360');
  assert.ok(link.endsWith(`#key=${channel}`));
  const viewer = await watched(world, 'Anna', link);
  await viewer.firstFrame(20);
  assert.deepEqual(await page.evaluate(outOfReach), []);
  assert.equal(await page.evaluate(() => window.awake), 1, 'the phone stays awake');
  const camera = () => page.evaluate(() => document.getElementById('preview').srcObject.getVideoTracks()[0].getSettings().deviceId);
  const front = await camera();
  await page.locator('#turn').tap();
  await world.until('the other camera is on', 10, async () => (await camera()) !== front);
  const { chunks } = await viewer.stats();
  await viewer.until('takes its pictures', 20, async () => (await viewer.stats()).chunks > chunks + 20);
  await moves(viewer);
  await page.screenshot({ path: `${PICTURES}/studio-live-phone.png`, fullPage: true });

  // A line on which nothing moves is told of in words, for as long as that lasts; and less can be sent.
  const slow = page.getByText(/^Your uplink is too slow for (one direct viewer and the server|the server alone)/);
  await page.evaluate(() => {
    window.unsent = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'bufferedAmount');
    Object.defineProperty(WebSocket.prototype, 'bufferedAmount', { configurable: true, get: () => 1_000_000 });
  });
  await slow.waitFor({ timeout: 15_000 });
  const size = await viewer.pictureSize();
  await page.locator('#lower').tap();
  await page.evaluate(() => Object.defineProperty(WebSocket.prototype, 'bufferedAmount', window.unsent));
  await slow.waitFor({ state: 'detached', timeout: 15_000 });
  await viewer.until('has a smaller picture', 20, async () => parseInt(await viewer.pictureSize()) < parseInt(size));
  await moves(viewer);
  assert.equal(await page.locator('#lower').isVisible(), false, 'nothing is lower');
  await page.locator('#stop').tap();
  assert.deepEqual(await page.evaluate(outOfReach), []);
  await page.locator('#sure button[value=yes]').tap();
  await world.until('the phone may sleep', 15, () => page.evaluate(() => window.awake === 0));
});

scenario('a private broadcast of screen and camera opens with the whole link alone, and so does its chat', async (world) => {
  await world.startTracker();
  // In VP9, as from a browser that does not encode H.264.
  const { page } = await studio(world, { script: () => {
    const { isConfigSupported } = VideoEncoder;
    VideoEncoder.isConfigSupported = async (config) => (config.codec.startsWith('avc1') ? { supported: false } : isConfigSupported.call(VideoEncoder, config));
  } });
  await page.locator('#go:enabled').waitFor({ timeout: 20_000 });
  await page.locator('input[name=picture][value=both]').check();
  await page.locator('#inset').waitFor();
  await page.locator('#private').check();
  const link = await goLive(page, 'family');
  assert.match(link, /#key=[\w-]{43}&secret=[\w-]{43}$/);
  const friend = await watched(world, 'Anna', link);
  await friend.firstFrame(20);
  await friend.until('sees the screen, and the camera in its corner', 10, () => friend.page.evaluate(facesAndGrounds).then((seen) => seen === 'face ground face ground'));
  assert.match((await friend.stats()).mime, /codecs="vp09[^"]*,opus"/);
  const stranger = await watched(world, 'Ben', link.split('&')[0]);
  await stranger.until('is told that it is encrypted', 10, async () => (await stranger.state()) === 'locked');

  // Two friends in the studio's browser, to which the address is a safe one: others have no cryptography to open a line with.
  const chats = [page];
  const wire = [];
  for (const name of ['Chloe', 'David']) {
    const friends = await page.context().browser().newPage();
    friends.on('websocket', (socket) => {
      for (const way of ['framesent', 'framereceived']) socket.on(way, ({ payload }) => wire.push(String(payload)));
    });
    await friends.goto(link);
    await friends.locator('#chat').click();
    await friends.getByLabel('Your name in this chat').fill(name);
    await friends.keyboard.press('Enter');
    chats.push(friends);
  }
  await chats[1].getByLabel('Write to everybody').fill('Only for us');
  await chats[1].keyboard.press('Enter');
  for (const each of chats) await each.locator('.chat-line', { hasText: 'Only for us' }).getByText('Chloe').waitFor({ timeout: 10_000 });
  await chats[1].screenshot({ path: `${PICTURES}/chat-private.png` });
  assert.ok(wire.some((text) => text.includes('"sealed"')) && !wire.some((text) => /Only for us|Chloe/.test(text)), 'the server reads neither line nor name');
  await stranger.page.locator('#chat').click();
  await stranger.page.locator('.chat-status', { hasText: /encrypted|whole link/ }).waitFor({ timeout: 15_000 });
  assert.equal(await stranger.page.locator('.chat-line').count(), 0);
});

scenario('where it cannot be done the page says why, as it does when a broadcast goes badly', async (world) => {
  await world.startTracker();
  const browser = await world.browser();
  const page = await browser.newPage();
  await page.goto(`${world.url}/studio`);
  await page.getByText('Browsers give cameras only to pages with https:').waitFor({ timeout: 10_000 });
  assert.ok(await page.locator('#go').isDisabled());
  for (const [script, words] of [[() => delete window.VideoEncoder, 'encode video (WebCodecs)'], [() => delete window.AudioEncoder, 'encode sound (WebCodecs)']]) {
    const { page: lacking } = await studio(world, { script });
    await lacking.getByText(words).waitFor({ timeout: 10_000 });
    assert.ok(await lacking.locator('#go').isDisabled());
    await lacking.context().close();
  }

  const told = (trouble) => page.evaluate(async (what) => {
    const { health } = await import('/assets/studio-health.js');
    const well = { unsentBytes: 0, sentBytes: 100_000, left: 0, encoded: 30, links: 2, level: -20, muted: false, keyframeMs: 1_000, trouble: '', state: 'live' };
    return health(Array.from({ length: 3 }, () => ({ ...well, ...what })), 1_000_000, 1_500_000).map(({ text }) => text).join(' ');
  }, trouble);
  for (const [trouble, words] of [
    [{}, /^All is well\.$/],
    [{ unsentBytes: 100_000 }, /^Your uplink is too slow for 2 direct viewers and the server.* It carried 1\.5 Mb\/s before/],
    [{ encoded: 0 }, /^No picture goes out/],
    [{ left: 10, encoded: 20 }, /^This machine is too slow: 33 % of the pictures are left out/],
    [{ keyframeMs: 4_000 }, /^Keyframes are 4\.0 s apart/],
    [{ level: -90 }, /^There is no sound/],
    [{ muted: true }, /^You are muted\.$/],
  ]) assert.match(await told(trouble), words);
});
