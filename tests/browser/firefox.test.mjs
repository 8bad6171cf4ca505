// Firefox watches: on the watch page, where it says what happens, as an element and as a frame on another site, beside a viewer in
// Chromium from whom it takes and to whom it gives.

import assert from 'node:assert/strict';
import { freshFirefoxPage, launchFirefox } from './lib/firefox.mjs';
import { onLan } from './lib/network.mjs';
import { openSite } from './lib/site.mjs';
import { Viewer } from './lib/viewer.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

/** A scenario with Firefox running, which is closed at its end. */
const inFirefox = (name, body) => scenario(name, async (world) => {
  const browser = await launchFirefox(world);
  try {
    await body(world, async (who, address) => {
      const visitor = new Viewer(who, await freshFirefoxPage(browser));
      world.everyViewer.push(visitor);
      await visitor.page.goto(address);
      return visitor;
    });
  } finally {
    await browser.close();
  }
});

const isLinkedTo = (viewer, kind) => viewer.until(`is linked to a ${kind}`, 30, async () => (await viewer.stats()).links.some((link) => link.kind === kind));

inFirefox('the watch page plays in Firefox, beside Chromium, and says what happens', async (world, opens) => {
  await world.broadcast();
  const neighbor = await world.viewer({ name: 'Anna, in Chromium' });
  await neighbor.firstFrame();
  const visitor = await opens('Ben, in Firefox', `${world.url}/watch/${world.name}`);
  world.note(`first frame in Firefox after ${Math.round(await visitor.firstFrame(20))} ms`);
  await visitor.sees('the picture');
  await visitor.until('is live', 10, async () => (await visitor.state()) === 'live');
  await isLinkedTo(visitor, 'viewer');
  await visitor.until('takes something from other peers', 30, async () => {
    const { viewers, source } = await visitor.bytes();
    return viewers + source > 0;
  });
  await neighbor.sees('the picture still');

  // What happens is said in words here as well.
  const says = (words) => visitor.until(`reads ${words}`, 20, () => visitor.page.evaluate((wanted) => (
    document.querySelector('swarmcast-player').shadowRoot.querySelector('[data-role="state"]').textContent.startsWith(wanted)), words));
  world.uploader.child.kill('SIGSTOP');
  await says('Waiting for the picture');
  world.encoder.mayEnd();
  await world.uploader.kill('SIGKILL');
  await says('Reconnecting');
  await world.encoder.exit;
  await world.startUploader();
  await world.startEncoder();
  await says('Live');
  await visitor.sees('the picture again');
  world.encoder.mayEnd();
  await world.uploader.kill('SIGINT');
  await says('The broadcast has ended');
  await visitor.page.reload();
  await says('Not on air');
  await visitor.page.evaluateOnNewDocument(() => delete window.MediaSource);
  await visitor.page.reload();
  await says('Not supported here');
});

inFirefox('an element and a frame on another site play in Firefox', async (world, opens) => {
  await world.broadcast();
  const { origin } = await openSite({
    '/element': `<!doctype html><script type="module" src="${world.url}/embed.js"></script>
      <swarmcast-player channel="${world.name}"></swarmcast-player>`,
    '/frame': `<!doctype html><iframe src="${world.url}/embed/${world.name}" allow="autoplay" width="640" height="360"></iframe>
      <script type="module">
        import { SwarmcastFrame } from '${world.url}/assets/npm/frame.js';
        window.player = new SwarmcastFrame(document.querySelector('iframe'));
        window.heard = [];
        for (const event of ['live', 'offline']) window.player.addEventListener(event, () => window.heard.push(event));
      </script>`,
  });
  const element = await opens('Chloe, with an element', `${origin}/element`);
  await element.firstFrame(20);
  await element.until('is live', 10, async () => (await element.state()) === 'live');
  await element.page.evaluate(() => document.querySelector('swarmcast-player').remove());

  const frame = await opens('David, with a frame', `${origin}/frame`);
  const stats = () => frame.page.evaluate(() => window.player.stats());
  await frame.until('is live', 20, async () => (await stats()).state === 'live');
  await frame.until('has a picture', 10, async () => (await stats()).first_frame_ms !== null);
  await frame.page.evaluate(() => window.player.pause());
  assert.equal((await stats()).state !== 'failed', true);

  world.encoder.mayEnd();
  await world.uploader.kill('SIGINT');
  await frame.until('hears of the start and of the end', 20, () => frame.page.evaluate(() => window.heard.join() === 'live,offline'));
});
