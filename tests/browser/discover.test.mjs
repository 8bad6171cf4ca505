// The front page: what is live with a poster of the stream, found by a search, and what was live lately; installable, with
// words of its own where there is no way to the server. Leaves pictures of the pages in target/browser-tests/pages.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { freshPage, launch } from './lib/browser.mjs';
import { onLan } from './lib/network.mjs';
import { path, program } from './lib/paths.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const SCREENS = {
  desktop: { viewport: { width: 1280, height: 860 } },
  phone: { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

async function describe(world) {
  const settings = ['title=Harbour at dawn', 'category=Nature', 'language=pt-BR'];
  const set = [program('swarmcast-tracker'), 'channel', 'set', world.name, '--data', `${world.scratch}/tracker`, ...settings];
  assert.equal((await world.run('owner', set).mayEnd().exit).code, 0);
  await world.until('the list knows the title', 10, async () => (await world.channels())[0]?.title === 'Harbour at dawn');
}

const cards = (page, list = '#channels') => page.locator(`${list} .channel`);

/** How many different colours the poster has, or 0 while there is none. */
const colours = (page) => page.evaluate(() => {
  const canvas = document.querySelector('#channels canvas');
  if (!canvas || canvas.hidden) return 0;
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
});

async function picture(page, name) {
  const folder = path('target/browser-tests/pages');
  mkdirSync(folder, { recursive: true });
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.screenshot({ path: `${folder}/${name}-${scheme}.png`, fullPage: true });
  }
  const { content, screen } = await page.evaluate(() => ({ content: document.documentElement.scrollWidth, screen: window.innerWidth }));
  assert.ok(content <= screen, `${name} is ${content} px wide on a screen of ${screen} px`);
}

scenario('the front page shows what is live, with its picture, and what was', async (world) => {
  await world.broadcast();
  await describe(world);
  const viewer = await world.viewer();
  await viewer.firstFrame();
  const browser = await world.browser();
  const pages = await Promise.all(Object.values(SCREENS).map((screen) => freshPage(browser, screen)));
  await Promise.all(pages.map((page) => page.goto(world.url)));
  const [page] = pages;

  await world.until('the channel is there', 10, async () => (await cards(page).count()) === 1);
  const text = await cards(page).innerText();
  for (const said of ['Harbour at dawn', 'Nature', 'Brazilian Portuguese', '1 watching']) assert.ok(text.includes(said), `${said}: ${text}`);
  await world.until('its poster is a picture', 20, async () => (await colours(page)) > 100);
  assert.equal(await page.locator('video').count(), 0, 'no decoder stays');

  const search = page.getByRole('searchbox');
  await search.fill('nature portuguese');
  assert.equal(await cards(page).count(), 1);
  await search.fill('nature klingon');
  assert.equal(await cards(page).count(), 0);
  await page.getByText('0 of 1 live channels.').waitFor({ timeout: 15_000 });
  await search.fill('');
  assert.equal(await cards(page).count(), 1);

  for (const [at, name] of Object.keys(SCREENS).entries()) {
    await world.until('the poster is there', 20, async () => (await colours(pages[at])) > 100);
    await picture(pages[at], `discover-${name}`);
    await pages[at].goto(`${world.url}/embed`);
    await world.until('the snippet has a hash', 10, async () => /integrity="sha384-/.test(await pages[at].locator('#snippet').innerText()));
    await world.until('the preview plays', 20, () => pages[at].evaluate(() => document.querySelector('#preview swarmcast-player')?.stats?.().state === 'live'));
    await picture(pages[at], `embed-${name}`);
    await pages[at].goto(world.url);
  }

  await page.emulateMedia({ colorScheme: 'light' });
  await world.uploader.kill('SIGTERM');
  await world.encoder.kill();
  await world.until('it was live lately', 20, async () => (await cards(page, '#recent').count()) === 1 && (await cards(page).count()) === 0);
  assert.match(await cards(page, '#recent').innerText(), /live this minute|live \d+ minutes? ago/);
  await picture(page, 'discover-nothing-desktop');
});

scenario('the pages can be installed, and say so when there is no way to the server', async (world) => {
  await world.broadcast();
  const browser = await launch({ scratch: world.scratch, args: [`--unsafely-treat-insecure-origin-as-secure=${world.url}`] });
  try {
    const page = await freshPage(browser, SCREENS.phone);
    await page.goto(world.url);
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
    const devtools = await page.context().newCDPSession(page);
    const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors');
    // The test's own context is one that keeps nothing.
    assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito'), []);

    // Watching goes past the worker, and it keeps nothing.
    await page.goto(`${world.url}/watch/${world.name}`);
    await world.until('a page with the worker plays', 15, () => page.evaluate(() => window.underTest.frames.firstAtMs));
    assert.equal(await page.evaluate(() => navigator.serviceWorker.controller !== null), true);
    assert.deepEqual(await page.evaluate(() => caches.keys()), []);

    await world.tracker.kill();
    await page.goto(world.url);
    await page.getByRole('heading', { name: 'No way to the server' }).waitFor({ timeout: 10_000 });
    await picture(page, 'offline-phone');
    await world.startTracker();
    await page.getByRole('link', { name: 'Try now' }).click();
    await page.getByRole('heading', { name: 'What is on' }).waitFor({ timeout: 10_000 });
  } finally {
    await browser.close();
  }
});
