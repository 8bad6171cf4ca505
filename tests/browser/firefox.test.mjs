// Firefox watches: on the watch page, where it says what happens, as an element with captions and as a frame on another site, which
// may be refused, beside a viewer in Chromium from whom it takes and to whom it gives.

import assert from 'node:assert/strict';
import { captionedEncoder, WORDS } from './lib/captioned.mjs';
import { freshFirefoxPage } from './lib/firefox.mjs';
import { onLan } from './lib/network.mjs';
import { program } from './lib/paths.mjs';
import { openSite } from './lib/site.mjs';
import { Viewer } from './lib/viewer.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const inFirefox = (name, body) => scenario(name, (world) => body(world, async (who, address) => {
  const visitor = new Viewer(who, await freshFirefoxPage(await world.firefox()));
  world.everyViewer.push(visitor);
  await visitor.page.evaluateOnNewDocument(overhear);
  await visitor.page.goto(address);
  return visitor;
}));

/** In the page, before its scripts: keeps what the player says of itself. */
function overhear() {
  window.said = [];
  const { attachShadow } = Element.prototype;
  Element.prototype.attachShadow = function (options) {
    const root = attachShadow.call(this, options);
    new MutationObserver(() => {
      const words = root.querySelector('[data-role="state"] strong')?.textContent;
      if (words && words !== window.said.at(-1)) window.said.push(words);
    }).observe(root, { childList: true, characterData: true, subtree: true });
    return root;
  };
}

/** What the page lacks from its next load on. */
const LACKING = {
  'Not supported here. This browser came without a decoder for video': () => (MediaSource.isTypeSupported = () => false),
  'Not supported here. This browser lacks Media Source Extensions': () => delete window.MediaSource,
  'Connecting (': () => {
    window.WebSocket = class extends WebSocket {
      constructor(address) {
        super(address);
        this.close();
      }
    };
  },
};

const isLinkedTo = (viewer, kind) => viewer.until(`is linked to a ${kind}`, 30, async () => (await viewer.stats()).links.some((link) => link.kind === kind));

inFirefox('the watch page plays in Firefox, beside Chromium, and says what happens', async (world, opens) => {
  await world.broadcast();
  const neighbor = await world.viewer({ name: 'Anna, in Chromium' });
  await neighbor.firstFrame();
  const visitor = await opens('Ben, in Firefox', `${world.url}/watch/${world.name}`);
  world.note(`first frame in Firefox after ${Math.round(await visitor.firstFrame(20))} ms`);
  await visitor.sees('the picture');
  await visitor.until('is live', 10, async () => (await visitor.state()) === 'live');
  const said = await visitor.page.evaluate(() => window.said);
  for (const words of ['Connecting', 'Finding the picture', 'Live']) assert.ok(said.includes(words), `${words} was not among ${said}`);
  await isLinkedTo(visitor, 'viewer');
  await visitor.until('takes something from other peers', 30, async () => {
    const { viewers, source } = await visitor.bytes();
    return viewers + source > 0;
  });
  await neighbor.sees('the picture still');

  // The pill says what is shared, and turns it off and on.
  const inPlayer = (act, ...args) => visitor.page.evaluate(act, ...args);
  const account = () => inPlayer(() => document.querySelector('swarmcast-player').shadowRoot.querySelector('[data-role="shared"]').textContent);
  const flip = () => inPlayer(() => document.querySelector('swarmcast-player').shadowRoot.querySelector('[data-action="sharing"]').click());
  assert.match(await account(), /^↓ .+ ↑ .+, to (nobody|one person)/);
  await flip();
  await visitor.until('reads that nothing leaves', 15, async () => (await account()) === 'Nothing leaves this device: you switched it off.');
  await visitor.until('has no link but the relay', 15, async () => (await visitor.stats()).links.every(({ kind }) => kind === 'relay'));
  await flip();
  await isLinkedTo(visitor, 'viewer');

  // What happens is said in words here as well.
  const says = (words) => visitor.until(`reads ${words}`, 20, () => inPlayer((wanted) => {
    const state = document.querySelector('swarmcast-player').shadowRoot.querySelector('[data-role="state"]');
    return [...state.children].map(({ textContent }) => textContent).join('. ').startsWith(wanted);
  }, words));
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
  for (const [words, script] of Object.entries(LACKING)) {
    const { identifier } = await visitor.page.evaluateOnNewDocument(script);
    await visitor.page.reload();
    await says(words);
    await visitor.page.removeScriptToEvaluateOnNewDocument(identifier);
  }
  await visitor.page.reload();
  await says('Live');
  world.encoder.mayEnd();
  await world.uploader.kill('SIGINT');
  await says('The broadcast has ended');
  await visitor.page.reload();
  await says('Not on air');
});

inFirefox('an element and a frame on another site play in Firefox, with captions, and are refused in words', async (world, opens) => {
  await world.startTracker();
  await world.startUploader();
  world.encoder = captionedEncoder(world);
  await world.goesLive();
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
  const shown = () => element.page.evaluate(() => {
    const button = document.querySelector('swarmcast-player').shadowRoot.querySelector('[data-action="captions"]');
    if (button && !button.hidden && button.ariaChecked === 'false') button.click();
    const track = [...window.underTest.video().textTracks].find(({ mode }) => mode === 'showing');
    return [...(track?.activeCues ?? [])].map((cue) => cue.getCueAsHTML().textContent);
  });
  for (const words of [WORDS.dark, WORDS.light]) await element.until(`reads ${words[0]}`, 10, async () => (await shown()).includes(words[0]));
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

  const set = [program('swarmcast-tracker'), 'channel', 'set', world.name, '--data', `${world.scratch}/tracker`, 'embed_origins=https://blog.example'];
  assert.equal((await world.run('owner-set', set).mayEnd().exit).code, 0);
  const why = `${origin} is not one of them`;
  await frame.until('reads in the frame that it is refused', 10, async () => {
    await frame.page.goto(`${origin}/frame`);
    const inside = frame.page.frames().find((each) => each.url().includes('/embed/'));
    return inside.evaluate((words) => document.body.textContent.includes(words), why);
  });
  await frame.page.goto(`${origin}/element`);
  await frame.until('reads in the element that it is refused', 10, () => frame.page.evaluate((words) => (
    document.querySelector('swarmcast-player').shadowRoot.textContent.includes(words)), why));
});
