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
const LIMIT_MS = 600_000;

scenario('every page is photographed', async (world) => {
  const folder = path('target/screenshots');
  mkdirSync(folder, { recursive: true });
  await world.broadcast({ size: '640x360', kilobits: 1000 });
  const [, token] = await world.tracker.says(/its token ([0-9a-f]+)/);
  const audience = await world.viewers(3);
  for (const viewer of audience) await viewer.firstFrame(30);

  const shows = (page) => page.waitForFunction(() => {
    const { state, first_frame_ms: first } = document.querySelector('swarmcast-player').stats();
    return state === 'live' && first !== null;
  });
  const watching = async (page) => {
    await shows(page);
    await watch(2);
    await page.locator('.stage').hover();
  };
  const pages = {
    'watch-first-visit': [`/watch/${world.name}`, watching],
    'watch-panel': [`/watch/${world.name}`, async (page) => {
      await watching(page);
      await page.keyboard.press('i');
      await watch(12);
    }],
    'watch-share': [`/watch/${world.name}`, async (page) => {
      await watching(page);
      await page.locator('[data-action="share"]').press('Enter');
      await page.locator('dialog').waitFor();
    }],
    'watch-offline': ['/watch/nobody', () => watch(1)],
    front: ['/', (page) => page.getByText(world.name).first().waitFor()],
    embed: [`/embed/${world.name}`, watching],
    'embed-builder': ['/embed', () => watch(1)],
    admin: ['/admin', async (page) => {
      await page.getByLabel('Token').fill(token);
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.getByRole('button', { name: world.name }).waitFor();
      await watch(2);
    }],
  };
  for (const [name, [address, ready]] of Object.entries(pages)) {
    for (const [device, options] of Object.entries(DEVICES)) {
      for (const colorScheme of ['light', 'dark']) {
        const page = await freshPage(await world.browser(), { ...options, colorScheme });
        await page.goto(world.url + address);
        await ready(page);
        const whole = name !== 'watch-share';
        await page.screenshot({ path: `${folder}/${name}-${device}-${colorScheme}.png`, fullPage: whole });
        await page.context().close();
      }
    }
  }
}, { limitMs: LIMIT_MS });
