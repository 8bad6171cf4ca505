// What a viewer learns of sharing and is asked, and how they pass a channel on: the notice of the first visit, the pill's account, the
// panel with its charts, its picture and its copy, and the share dialog with its link, its code and its QR code.

import assert from 'node:assert/strict';
import { onLan } from './lib/network.mjs';
import { program } from './lib/paths.mjs';
import { until } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

/** Makes the page keep what it copies. */
const overhear = (page) => page.evaluate(() => {
  const { execCommand } = document;
  document.execCommand = function (command) {
    const field = document.activeElement?.shadowRoot?.activeElement ?? document.activeElement;
    window.copied = field.value;
    return execCommand.call(document, command);
  };
});

scenario('a viewer reads what sharing is, what it did, and to how many', async (world) => {
  await world.broadcast();
  const [anna, ben] = await world.viewers(2);
  for (const viewer of [anna, ben]) await viewer.firstFrame();

  const notice = anna.page.locator('[data-role="notice"]');
  assert.match(await notice.innerText(), /network address/);
  await notice.getByRole('button').press('Enter');
  await notice.waitFor({ state: 'hidden' });
  await anna.page.reload({ waitUntil: 'commit' });
  await anna.firstFrame();
  assert.equal(await notice.isVisible(), false, 'it is read once');

  const account = ({ page }) => page.locator('[data-role="shared"]').innerText();
  const feeds = async (viewer) => / to one person/.test(await account(viewer));
  await until('one of them says that it passes on to the other', 40, async () => (await feeds(anna)) || feeds(ben));
  world.note(`Anna reads: ${await account(anna)}; Ben: ${await account(ben)}`);
  await ben.stopSharing();
  await until('Ben reads that nothing leaves', 15, async () => /Nothing leaves this device/.test(await account(ben)));
  assert.equal(await ben.page.locator('[data-role="notice"]').isVisible(), false);

  // Where the owner has viewers asked, nothing is gathered before the answer, which is remembered.
  const ownerSets = async (sharing) => {
    const set = [program('swarmcast-tracker'), 'channel', 'set', world.name, '--data', `${world.scratch}/tracker`, `sharing=${sharing}`];
    assert.equal((await world.run('owner', set).mayEnd().exit).code, 0);
    await until('the server has noticed', 10, async () => (await world.get(`/api/v1/channels/${world.name}`)).settings.sharing === sharing);
  };
  await ownerSets('ask');
  const carol = await world.viewer({ name: 'Carol, who is asked' });
  await carol.firstFrame();
  const question = carol.page.locator('[data-role="question"]');
  assert.match(await question.innerText(), /network address/);
  assert.deepEqual(await carol.network(), { connections: 0, candidates: 0 });
  await question.getByRole('button', { name: 'Share' }).press('Enter');
  await question.waitFor({ state: 'hidden' });
  await carol.until('is linked', 20, async () => (await carol.network()).connections > 0);
  await carol.page.reload({ waitUntil: 'commit' });
  await carol.firstFrame();
  assert.equal(await question.isVisible(), false, 'it is asked once');
  await carol.until('is linked again', 20, async () => (await carol.network()).connections > 0);

  // Where the owner wants none, nobody shares, whatever they said.
  await ownerSets('off');
  await carol.page.reload({ waitUntil: 'commit' });
  await carol.firstFrame();
  await until('Carol reads who wants that', 15, async () => /^Nothing leaves this device: the broadcaster wants no sharing/.test(await account(carol)));
  assert.equal(await carol.page.locator('[data-action="sharing"]').isDisabled(), true);
  assert.deepEqual(await carol.network(), { connections: 0, candidates: 0 });
});

scenario('the panel shows figures, charts and the swarm, and copies them', async (world) => {
  await world.broadcast();
  const viewer = await world.viewer();
  await viewer.firstFrame();
  const { page } = viewer;
  const loaded = () => page.evaluate(() => performance.getEntriesByType('resource').some(({ name }) => /uPlot|d3-force/.test(name)));
  assert.equal(await loaded(), false, 'charts and the picture are loaded when the panel is opened');
  await page.keyboard.press('i');
  await page.locator('[data-role="panel"] canvas').nth(2).waitFor({ timeout: 15_000 });
  assert.equal(await loaded(), true);
  const drawn = () => page.evaluate(() => {
    const canvas = document.querySelector('swarmcast-player').shadowRoot.querySelector('.swarm canvas');
    return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.reduce((sum, value) => (sum * 31 + value) % 1_000_003, 7);
  });
  const before = await drawn();
  await until('the picture moves', 10, async () => (await drawn()) !== before);

  await overhear(page);
  await page.locator('[data-action="copy-figures"]').press('Enter');
  await page.getByText('Copied').waitFor({ timeout: 15_000 });
  const report = JSON.parse(await page.evaluate(() => window.copied));
  assert.equal(report.stats.state, 'live');
  assert.ok(report.samples.length > 0);

  await page.keyboard.press('i');
  await page.locator('[data-role="panel"]').waitFor({ state: 'hidden' });
});

scenario('a channel is passed on: its link with the key and the time, its QR code, its code to embed', async (world) => {
  await world.broadcast();
  const viewer = await world.viewer();
  await viewer.firstFrame();
  const { page } = viewer;
  await page.locator('[data-action="share"]').press('Enter');
  const link = await page.locator('[data-role="link"]').inputValue();
  const { channel } = await viewer.stats();
  assert.equal(link, `${world.url}/watch/${world.name}#key=${channel}`);
  assert.match(await page.locator('[data-role="embed"]').inputValue(), new RegExp(`^<iframe src="${world.url}/embed/${world.name}#key=${channel}"`));
  const modules = await page.evaluate(() => {
    const canvas = document.querySelector('swarmcast-player').shadowRoot.querySelector('dialog canvas');
    return canvas.width;
  });
  assert.ok(modules >= 21 + 4, `a QR code of ${modules} modules`);
  await overhear(page);
  await page.getByRole('button', { name: 'Copy link' }).press('Enter');
  await page.getByText('Copied').waitFor({ timeout: 15_000 });
  assert.equal(await page.evaluate(() => window.copied), link);
  await page.getByLabel(/^With the time, \d/).press('Space');
  const timed = await page.locator('[data-role="link"]').inputValue();
  const [, seconds] = /&at=(\d+)$/.exec(timed);
  assert.ok(timed.startsWith(link) && Math.abs(Date.now() / 1000 - Number(seconds)) < 60, timed);
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'hidden' });

  const friend = await world.viewer({ name: 'a friend', watchPage: timed.replace(seconds, Number(seconds) - 3600).slice(world.url.length) });
  await friend.firstFrame();
  await friend.page.getByText('Passed on to you 1 hour ago').waitFor({ timeout: 15_000 });
});
