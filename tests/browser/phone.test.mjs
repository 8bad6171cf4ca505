// A phone: the pages fit the screen without scrolling sideways, and the picture plays on it. Leaves pictures of the
// pages in target/browser-tests/pages.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { onLan } from './lib/network.mjs';
import { path } from './lib/paths.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const DESKTOP = { viewport: { width: 1280, height: 800 } };

scenario('the pages fit a phone', async (world) => {
  mkdirSync(path('target/browser-tests/pages'), { recursive: true });
  await world.broadcast({ size: '640x360', kilobits: 1000 });
  for (const [device, options] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
    const viewer = await world.viewer({ name: `on a ${device}`, ...options });
    await viewer.firstFrame();
    await viewer.until('is live', 10, async () => (await viewer.state()) === 'live');
    await fits(viewer.page);
    await viewer.page.locator('[data-action="panel"]').first().evaluate((button) => button.click());
    await viewer.page.locator('[data-role="panel"]').first().waitFor({ state: 'visible', timeout: 15_000 });
    await viewer.page.screenshot({ path: path(`target/browser-tests/pages/watch-${device}.png`) });
    await fits(viewer.page);

    await viewer.page.goto(world.url);
    await viewer.page.getByText(world.name).first().waitFor({ timeout: 15_000 });
    await viewer.page.screenshot({ path: path(`target/browser-tests/pages/live-${device}.png`) });
    await fits(viewer.page);
  }
});

async function fits(page) {
  const { content, screen } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth, screen: window.innerWidth,
  }));
  assert.ok(content <= screen, `${page.url()} is ${content} px wide on a screen of ${screen} px`);
}
