// Pictures of every page as people see it, phone and desktop, dark and light, into target/screenshots: to be looked at.

import { mkdirSync } from 'node:fs';
import { freshPage } from './lib/browser.mjs';
import { onLan } from './lib/network.mjs';
import { path } from './lib/paths.mjs';
import { watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const DEVICES = {
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  desktop: { viewport: { width: 1280, height: 860 } },
};
const CAMERA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
const CHAT = { phone: ['Anna', 'Good evening from the harbour!'], desktop: ['Ben', 'Good evening. The picture is clear here.'] };
const FADED_IN_S = 0.5;
const LIMIT_MS = 600_000;

scenario('every page is photographed', async (world) => {
  const folder = path('target/screenshots');
  mkdirSync(folder, { recursive: true });
  await world.broadcast({ size: '640x360', kilobits: 1000 });
  const [, token] = await world.tracker.says(/its token ([0-9a-f]+)/);
  const audience = await world.viewers(3, DEVICES.desktop);
  for (const viewer of audience) await viewer.firstFrame(30);
  const browser = await world.browser('', [...CAMERA, `--unsafely-treat-insecure-origin-as-secure=${world.url}`]);

  const watching = async (page) => {
    await page.waitForFunction(() => {
      const { state, first_frame_ms: first } = document.querySelector('swarmcast-player').stats();
      return state === 'live' && first !== null;
    });
    await watch(2);
    await page.locator('.stage').hover();
    await watch(FADED_IN_S);
  };
  const listed = (page) => page.getByText(world.name).first().waitFor();
  const live = {
    'watch-first-visit': [`/watch/${world.name}`, watching],
    'watch-panel': [`/watch/${world.name}`, async (page) => {
      await watching(page);
      await page.keyboard.press('i');
      await watch(12);
    }],
    'watch-chat': [`/watch/${world.name}`, async (page, device) => {
      await watching(page);
      await page.locator('[data-action="noticed"]').press('Enter');
      await page.locator('#chat').click();
      const [who, line] = CHAT[device];
      await page.getByLabel('Your name in this chat').fill(who);
      await page.keyboard.press('Enter');
      await page.getByLabel('Write to everybody').fill(line);
      await page.keyboard.press('Enter');
      await page.locator('.chat-line', { hasText: line }).waitFor();
      await page.locator('.stage').hover();
      await watch(FADED_IN_S);
    }],
    'watch-share': [`/watch/${world.name}`, async (page) => {
      await watching(page);
      await page.locator('[data-action="share"]').press('Enter');
      await page.locator('dialog').waitFor();
    }],
    'watch-offline': ['/watch/nobody', () => watch(1)],
    front: ['/', async (page) => {
      await listed(page);
      await page.locator('#channels canvas:visible').waitFor();
    }],
    embed: [`/embed/${world.name}`, watching],
    'embed-builder': ['/embed', () => watch(3)],
    admin: ['/admin', async (page) => {
      await page.getByLabel('Token').fill(token);
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.getByRole('button', { name: world.name }).waitFor();
      await watch(2);
    }],
    studio: ['/studio', async (page) => {
      await page.locator('#go:enabled').waitFor();
      await page.getByText('Your line carries').waitFor();
    }],
    'studio-live': ['/studio', async (page, device) => {
      await page.locator('#quality').selectOption('360');
      await page.locator('#go:enabled').waitFor();
      await page.locator('#name').fill(`from-a-${device}`);
      await page.locator('#go').click();
      await page.locator('#onair').waitFor();
      await watch(3);
    }],
  };
  const over = {
    'watch-off-air': [`/watch/${world.name}`, (page) => page.locator('.curtain canvas:visible').waitFor()],
    'embed-off-air': [`/embed/${world.name}`, (page) => page.locator('.curtain canvas:visible').waitFor()],
    'front-lately': ['/', listed],
  };
  const inBothLights = async (page, name, fullPage = true) => {
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${folder}/${name}-${colorScheme}.png`, fullPage });
    }
  };
  const photograph = async (pages) => {
    for (const [name, [address, ready]] of Object.entries(pages)) {
      for (const [device, options] of Object.entries(DEVICES)) {
        const page = await freshPage(browser, options);
        await page.goto(world.url + address);
        await ready(page, device);
        await inBothLights(page, `${name}-${device}`, name !== 'watch-share');
        await page.context().close();
      }
    }
  };
  await photograph(live);
  // Who has watched for long has more to look at.
  const [{ page: regular }] = audience;
  await regular.locator('[data-action="noticed"]').press('Enter');
  await regular.keyboard.press('i');
  await watch(3);
  await inBothLights(regular, 'watch-long-desktop');
  world.encoder.mayEnd();
  await world.uploader.kill('SIGINT');
  await world.until('it is off air', 10, async () => !(await world.channels()).some(({ name }) => name === world.name));
  await photograph(over);
}, { limitMs: LIMIT_MS });
