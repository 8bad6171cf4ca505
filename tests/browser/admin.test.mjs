// The operator's page: a wrong token is refused in words, the right one shows a live channel, its viewers and its swarm.
// Leaves pictures of the page in target/browser-tests/pages.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { freshPage } from './lib/browser.mjs';
import { onLan } from './lib/network.mjs';
import { path } from './lib/paths.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const DESKTOP = { viewport: { width: 1280, height: 900 } };

scenario('an operator looks at a live channel', async (world) => {
  const pictures = path('target/browser-tests/pages');
  mkdirSync(pictures, { recursive: true });
  await world.broadcast();
  const [, token] = await world.tracker.says(/its token ([0-9a-f]+)/);
  const viewers = await world.viewers(3);
  for (const viewer of viewers) await viewer.firstFrame();

  const page = await freshPage(await world.browser(), DESKTOP);
  await page.goto(`${world.url}/admin`);
  await page.getByLabel('Token').fill('0123456789');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('This is not the token.').waitFor({ timeout: 15_000 });
  assert.equal(await page.locator('#inside').isVisible(), false);

  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('button', { name: world.name }).waitFor({ timeout: 15_000 });
  assert.ok(!page.url().includes(token));
  const cell = (column) => page.locator('#channels tbody tr').first().locator('td').nth(column).innerText();
  await world.until('the page counts three viewers', 10, async () => (await cell(1)) === '3');
  await world.until('the picture has three viewers', 10, async () => (await page.locator('#picture .node').count()) === 3);
  await world.until('every viewer is fed', 20, async () => (await page.locator('#picture path').count()) >= 3 * 2);
  await world.until('the charts are drawn', 30, async () => (await page.locator('#charts canvas').count()) === 4);
  assert.doesNotMatch(await page.locator('body').innerText(), /\b\d+\.\d+\.\d+\.\d+\b/);

  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.screenshot({ path: `${pictures}/admin-desktop-${scheme}.png`, fullPage: true });
  }
  const cookies = await page.context().cookies();
  const login = cookies.find(({ name }) => name === 'swarmcast_admin');
  assert.ok(login.httpOnly && login.sameSite === 'Strict' && login.path === '/admin');

  const phone = await freshPage(await world.browser(), PHONE);
  await phone.context().addCookies([{ name: login.name, value: login.value, domain: login.domain, path: '/admin' }]);
  await phone.goto(`${world.url}/admin`);
  await phone.getByRole('button', { name: world.name }).waitFor({ timeout: 15_000 });
  await phone.locator('#picture .node').first().waitFor({ timeout: 15_000 });
  await phone.locator('#charts canvas').first().waitFor({ timeout: 15_000 });
  await phone.screenshot({ path: `${pictures}/admin-phone-light.png`, fullPage: true });
  const { content, screen } = await phone.evaluate(() => ({ content: document.documentElement.scrollWidth, screen: window.innerWidth }));
  assert.ok(content <= screen, `the page is ${content} px wide on a screen of ${screen} px`);

  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('Token').waitFor({ timeout: 15_000 });
  await phone.getByLabel('Token').waitFor({ timeout: 10_000 });
  await phone.emulateMedia({ colorScheme: 'dark' });
  await phone.screenshot({ path: `${pictures}/admin-login-phone-dark.png` });
});
