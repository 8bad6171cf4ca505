// Every page, dark and light, before axe-core: no serious fault; and all that the watch page offers is reached by keyboard.

import assert from 'node:assert/strict';
import { faults } from './lib/axe.mjs';
import { freshPage } from './lib/browser.mjs';
import { onLan } from './lib/network.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

scenario('no page has a serious fault, dark or light', async (world) => {
  await world.broadcast();
  const [, token] = await world.tracker.says(/its token ([0-9a-f]+)/);
  const login = async (page) => {
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('button', { name: world.name }).waitFor();
  };
  const watches = (page) => page.waitForFunction(() => document.querySelector('swarmcast-player').stats().first_frame_ms !== null);
  const pages = {
    '/': (page) => page.getByText(world.name).first().waitFor(),
    [`/watch/${world.name}`]: async (page) => {
      await watches(page);
      await page.keyboard.press('i');
      await page.locator('[data-role="panel"] table').waitFor();
    },
    [`/watch/${world.name}#sharing`]: async (page) => {
      await watches(page);
      await page.locator('[data-action="share"]').press('Enter');
      await page.locator('dialog').waitFor();
    },
    '/watch/nobody': (page) => page.waitForFunction(() => document.querySelector('swarmcast-player').stats().state === 'offline'),
    [`/embed/${world.name}`]: watches,
    '/admin': login,
  };
  for (const [address, ready] of Object.entries(pages)) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await freshPage(await world.browser(), { colorScheme, reducedMotion: 'reduce', viewport: { width: 1000, height: 800 } });
      await page.goto(world.url + address);
      await ready(page);
      assert.deepEqual(await faults(page), [], `${address}, ${colorScheme}`);
      await page.context().close();
    }
  }
});

scenario('everything on the watch page is reached by keyboard and has a name', async (world) => {
  await world.broadcast();
  const viewer = await world.viewer({ viewport: { width: 1000, height: 800 } });
  await viewer.firstFrame();
  const names = new Set();
  for (let presses = 0; presses < 40; presses++) {
    await viewer.page.keyboard.press('Tab');
    const name = await viewer.page.evaluate(() => {
      const focused = document.activeElement?.shadowRoot?.activeElement ?? document.activeElement;
      if (focused === document.body) return null;
      const { outlineStyle } = getComputedStyle(focused);
      return { name: focused.getAttribute('aria-label') ?? focused.textContent.trim(), action: focused.dataset.action ?? focused.tagName, seen: outlineStyle !== 'none' };
    });
    if (!name) continue;
    assert.ok(name.name, `${name.action} has a name`);
    assert.ok(name.seen, `${name.action} shows that it has the focus`);
    names.add(name.action);
  }
  world.note(`reached: ${[...names].join(', ')}`);
  for (const action of ['seek', 'play', 'mute', 'volume', 'live', 'share', 'panel', 'pip', 'theatre', 'fullscreen', 'noticed', 'sharing', 'upload-cap']) {
    assert.ok(names.has(action), `${action} is not reached`);
  }
});
