// The chat: nothing of it is loaded before somebody opens it; three write to each other, and somebody in a frame on another site; the
// owner deletes and bans by key, and so does whom they name; on a phone it never covers the picture; axe-core finds no serious fault. Leaves pictures in target/browser-tests/pages.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { faults } from './lib/axe.mjs';
import { onLan } from './lib/network.mjs';
import { path, program } from './lib/paths.mjs';
import { documentedPolicy, openSite } from './lib/site.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const PICTURES = path('target/browser-tests/pages');
const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

async function opensChat(viewer, name) {
  await viewer.page.locator('#chat').click();
  await takesName(viewer, name);
}

/** `page` is a page, or the frame in one. */
async function takesName({ page }, name) {
  const field = page.getByLabel('Your name in this chat');
  await field.fill(name);
  await field.press('Enter');
  await page.getByLabel('Write to everybody').waitFor();
}

async function writes(viewer, text) {
  const field = viewer.page.getByLabel('Write to everybody');
  await field.fill(text);
  await field.press('Enter');
}

const line = (viewer, text) => viewer.page.locator('.chat-line', { hasText: text });
const status = (viewer, text) => viewer.page.locator('.chat-status', { hasText: text }).waitFor({ timeout: 15_000 });

scenario('viewers write to each other, and the owner keeps order', async (world) => {
  mkdirSync(PICTURES, { recursive: true });
  await world.broadcast();
  const asked = [];
  const anna = await world.viewer({ name: 'Anna', colorScheme: 'dark', viewport: { width: 1280, height: 800 } });
  anna.page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await anna.firstFrame();
  assert.deepEqual(asked.filter((each) => each.includes('chat')), [], 'who does not open the chat loads none of it');
  const ben = await world.viewer({ name: 'Ben', ...PHONE });
  await ben.firstFrame();

  // The owner watches in a browser that holds the channel's key, as the studio keeps it.
  const owner = await world.viewer({ name: 'Olga', viewport: { width: 1280, height: 800 } });
  const key = readFileSync(world.key, 'utf8');
  await owner.page.evaluate(async (text) => {
    const { fromFile, replaceKey } = await import('/assets/studio-key.js');
    await replaceKey(fromFile(text));
    localStorage.setItem('swarmcast-studio', '{}');
  }, key);

  await opensChat(anna, 'Anna');
  await opensChat(ben, 'Ben');
  await opensChat(owner, 'Olga');
  await owner.page.getByLabel(/^Slow mode/).waitFor({ timeout: 15_000 });

  await writes(ben, '<img src=x onerror="window.hacked=1"> hello');
  await line(anna, '<img src=x').waitFor();
  await writes(anna, 'Hello Ben, the picture is good here.');
  await writes(owner, 'Welcome, all of you!');
  await line(ben, 'Welcome').locator('.chat-badge', { hasText: 'Broadcaster' }).waitFor();
  assert.equal(await anna.page.evaluate(() => window.hacked ?? document.querySelectorAll('.chat-lines img').length), 0);
  await writes(ben, 'see example.com');
  await status(ben, 'Links are not allowed');
  assert.equal(await ben.page.getByLabel('Write to everybody').inputValue(), 'see example.com', 'what is refused is not lost');

  await coversNothing(ben, 'on a phone');
  await ben.page.screenshot({ path: `${PICTURES}/chat-phone.png`, fullPage: true });
  await anna.page.screenshot({ path: `${PICTURES}/chat-desktop-dark.png` });
  await owner.page.screenshot({ path: `${PICTURES}/chat-owner.png` });
  for (const viewer of [anna, owner, ben]) assert.deepEqual(await faults(viewer.page), [], `${viewer.name}'s page`);

  // By keyboard: the owner deletes one line, and bans the speaker of another.
  await line(owner, 'the picture is good').getByRole('button', { name: 'Delete the line of Anna' }).press('Enter');
  await line(anna, 'the picture is good').waitFor({ state: 'detached' });
  await line(owner, '<img src=x').getByRole('button', { name: /^Ban Ben/ }).press('Enter');
  await line(anna, '<img src=x').waitFor({ state: 'detached' });
  await status(ben, 'banned');
  await owner.page.getByText('1 banned').click();
  await owner.page.getByRole('button', { name: 'Lift the ban of Ben' }).click();
  await ben.page.getByLabel('Write to everybody').waitFor();

  // A moderator is whose key the owner lists, while the chat goes on.
  await anna.page.getByText('Moderate', { exact: true }).click();
  const id = await anna.page.locator('.chat-key code').textContent();
  const listed = [program('swarmcast-tracker'), 'channel', 'set', world.name, '--data', `${world.scratch}/tracker`, `chat_moderators=${id}`];
  assert.equal((await world.run('owner-set', listed).mayEnd().exit).code, 0);
  await anna.page.locator('.chat-office .chat-badge', { hasText: 'Moderator' }).waitFor({ timeout: 10_000 });

  // Who watches in a frame on another site reads and writes as well.
  const { origin } = await openSite({ '/': `<!doctype html><title>A site</title><iframe src="${world.url}/embed/${world.name}?chat=1" width="600" height="700"></iframe>` },
    { policy: documentedPolicy(world.url) });
  const outside = await (await world.browser()).newPage();
  await outside.goto(origin);
  const framed = { page: outside.frameLocator('iframe') };
  await takesName(framed, 'Femi');
  await writes(framed, 'Hello from elsewhere');
  await line(ben, 'Hello from elsewhere').waitFor();
  await line(framed, 'Welcome').waitFor();
  await outside.screenshot({ path: `${PICTURES}/chat-frame.png` });
  await line(anna, 'Hello from elsewhere').getByRole('button', { name: 'Delete the line of Femi' }).press('Enter');
  await line(framed, 'Hello from elsewhere').waitFor({ state: 'detached' });
  await outside.context().close();

  await owner.page.getByLabel(/^Slow mode/).selectOption('60');
  await writes(ben, 'So soon again?');
  await ben.page.locator('.chat-wait', { hasText: 'Slow mode' }).waitFor();

  // A server that comes back is found again by itself.
  await world.tracker.kill();
  await status(anna, 'out of reach');
  await world.startTracker();
  await anna.page.getByLabel('Write to everybody').waitFor({ timeout: 30_000 });
  await writes(anna, 'Here again.');
  await line(anna, 'Here again.').waitFor();

  await anna.page.getByRole('button', { name: 'Close the chat' }).press('Enter');
  assert.equal(await anna.page.evaluate(() => document.activeElement.id), 'chat');
  assert.equal(await anna.page.evaluate(() => localStorage.getItem('swarmcast-chat')), 'closed');
});

async function coversNothing({ page }, where) {
  const { overlap, wide } = await page.evaluate(() => {
    const stage = document.querySelector('swarmcast-player').shadowRoot.querySelector('video').getBoundingClientRect();
    const chat = document.querySelector('swarmcast-chat').getBoundingClientRect();
    const over = chat.top < stage.bottom && chat.bottom > stage.top && chat.left < stage.right && chat.right > stage.left;
    return { overlap: over, wide: document.documentElement.scrollWidth > window.innerWidth };
  });
  assert.ok(!overlap, `the chat covers the picture ${where}`);
  assert.ok(!wide, `the page scrolls sideways ${where}`);
}
