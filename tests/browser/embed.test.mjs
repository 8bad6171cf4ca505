// A channel on a page of another site: as an element and as a frame, under the policy that the documentation gives; the same
// methods and events in both; refused in words where the channel's owner lets other sites only, or who has no token.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { freshPage } from './lib/browser.mjs';
import { onLan } from './lib/network.mjs';
import { path, program } from './lib/paths.mjs';
import { documentedPolicy, openSite } from './lib/site.mjs';
import { Viewer } from './lib/viewer.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const EVENTS = ['live', 'offline', 'stall', 'error'];
const LOADER_MAX_BYTES = 6_000;

const elementPage = ({ url, name, integrity }) => `<!doctype html><title>A site</title>
  <script type="module" src="${url}/embed.js" integrity="${integrity}" crossorigin></script>
  <swarmcast-player channel="${name}"></swarmcast-player>
  <script>
    window.refused = [];
    addEventListener('securitypolicyviolation', ({ violatedDirective }) => window.refused.push(violatedDirective));
    window.heard = [];
    for (const event of ${JSON.stringify(EVENTS)}) {
      document.querySelector('swarmcast-player').addEventListener(event, ({ detail }) => window.heard.push([event, detail.message]));
    }
  </script>`;

const framePage = ({ url, name }, query = '') => `<!doctype html><title>A site</title>
  <iframe src="${url}/embed/${name}${query}" allow="autoplay; fullscreen" referrerpolicy="origin" width="640" height="360"></iframe>
  <script type="module">
    import { SwarmcastFrame } from '${url}/assets/npm/frame.js';
    window.heard = [];
    window.player = new SwarmcastFrame(document.querySelector('iframe'));
    for (const event of ${JSON.stringify(EVENTS)}) {
      window.player.addEventListener(event, ({ detail }) => window.heard.push([event, detail.message]));
    }
  </script>`;

/** Another site with both kinds of page. */
async function site(world) {
  const { integrity } = await world.get('/api/v1/embed');
  const { url, name } = world;
  return openSite({
    '/element': elementPage({ url, name, integrity }),
    '/pinned-wrongly': elementPage({ url, name, integrity: integrity.replace(/.{6}$/, 'AAAAAA') }),
    '/frame': framePage({ url, name }),
    '/frame-as-asked': framePage({ url, name }, '?autoplay=0&muted=1&controls=0&accent=%23b4472e'),
    '/frame-for-another': framePage({ url, name }, '?origin=http%3A%2F%2Fanother.example'),
  }, { policy: documentedPolicy(url) });
}

/** `set` with a setting, or `join-secret`. */
async function owner(world, command, ...settings) {
  const channel = [program('swarmcast-tracker'), 'channel', command, world.name, '--data', `${world.scratch}/tracker`, ...settings];
  const said = world.run(`owner-${command}`, channel).mayEnd();
  assert.equal((await said.exit).code, 0);
  return JSON.parse(said.lines.at(-1));
}

/** Waits until the server has noticed what the owner has set. */
const holds = (world, pattern) => world.until(`pages are framed by ${pattern}`, 10, async () => {
  const page = await fetch(`${world.url}/watch/${world.name}`);
  return pattern.test(page.headers.get('content-security-policy'));
});

/** What the owner's back end makes, after docs/embed.md. */
function joinToken(secret, claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const said = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${said}.${createHmac('sha256', secret).update(said).digest('base64url')}`;
}

const heard = (page) => page.evaluate(() => window.heard);
const reads = (target, text) => target.evaluate((words) => {
  const player = document.querySelector('swarmcast-player');
  return (player ? player.shadowRoot.textContent : document.body.textContent).includes(words);
}, text);

scenario('an element on another site plays, is steered, says what happens, and passes on', async (world) => {
  await world.broadcast();
  const { origin } = await site(world);
  const neighbor = await world.viewer({ name: 'Anna, on the watch page' });
  await neighbor.firstFrame();
  const visitor = await Viewer.arrive('Ben, on another site', await world.browser(), `${origin}/element`);
  world.everyViewer.push(visitor);
  await visitor.firstFrame();
  await visitor.sees('the picture');
  assert.deepEqual((await heard(visitor.page)).map(([event]) => event).slice(0, 1), ['live']);
  await visitor.until('is linked to somebody', 20, async () => (await visitor.stats()).links.some(({ kind }) => kind !== 'relay'));

  // The policy forbids style elements and inline styles, and nothing of the player needs any.
  const bar = await visitor.page.locator('[data-action="seek"]').evaluate((seek) => {
    const { width } = getComputedStyle(seek.shadowRoot.getElementById('progress'));
    return { progress: parseFloat(width), whole: seek.clientWidth };
  });
  assert.ok(bar.progress > bar.whole / 2, `styled by media-chrome: ${JSON.stringify(bar)}`);
  assert.deepEqual(await visitor.page.evaluate(() => window.refused.filter((directive) => directive.startsWith('style'))), []);

  const call = (method, ...args) => visitor.page.evaluate(([name, list]) => document.querySelector('swarmcast-player')[name](...list), [method, args]);
  const video = (property) => visitor.page.evaluate((name) => window.underTest.video()[name], property);
  await call('pause');
  assert.equal(await video('paused'), true);
  await call('seekToLive');
  await visitor.until('plays again', 15, async () => !(await video('paused')));
  await call('mute');
  assert.equal(await video('muted'), true);
  await call('mute', false);
  assert.equal(await video('muted'), false);

  // The figures have what their types promise.
  const [, promised] = /^export interface Stats {$(.*?)^}$/ms.exec(readFileSync(path('www/npm/index.d.ts'), 'utf8'));
  const names = [...promised.matchAll(/^  readonly (\w+):/gm)].map(([, name]) => name);
  const figures = await visitor.stats();
  assert.ok(names.length > 10);
  assert.deepEqual(names.filter((name) => !(name in figures)), []);

  // The site's own looks: custom properties for colours, parts for the rest.
  const looks = await visitor.page.evaluate(async () => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync('swarmcast-player { --swarmcast-ink: rgb(1, 2, 3) } swarmcast-player::part(state) { letter-spacing: 3px }');
    document.adoptedStyleSheets.push(sheet);
    const { color, letterSpacing } = getComputedStyle(document.querySelector('swarmcast-player').shadowRoot.querySelector('.state'));
    return [color, letterSpacing];
  });
  assert.deepEqual(looks, ['rgb(1, 2, 3)', '3px']);

  // The site's own keys stay the site's.
  await visitor.page.keyboard.press('m');
  assert.equal(await video('muted'), false);

  await world.uploader.kill('SIGTERM');
  await world.encoder.kill();
  await visitor.until('hears of the end', 20, async () => (await heard(visitor.page)).some(([event]) => event === 'offline'));
  const told = await neighbor.page.evaluate(async () => {
    const { eventBetween } = await import('/assets/player-events.js');
    const live = { state: 'live', first_frame_ms: 500, stalls: [] };
    return eventBetween(live, { ...live, state: 'ended', stalls: [{ at_s: 5 }] });
  });
  assert.equal(told, 'offline', 'also where a stall comes in the same moment');

  // The loader is small, and one with other bytes than the snippet says is not run.
  const loader = await (await fetch(`${world.url}/embed.js`)).arrayBuffer();
  assert.ok(loader.byteLength < LOADER_MAX_BYTES, `${loader.byteLength} bytes`);
  const page = await freshPage(await world.browser());
  const refused = page.waitForEvent('console', { predicate: (line) => /integrity/i.test(line.text()), timeout: 10_000 });
  await page.goto(`${origin}/pinned-wrongly`);
  await refused;
  assert.equal(await page.evaluate(() => customElements.get('swarmcast-player') === undefined), true);
});

scenario('a frame on another site plays and is steered by the page that holds it alone', async (world) => {
  await world.broadcast();
  const { origin } = await site(world);
  const page = await freshPage(await world.browser());
  await page.goto(`${origin}/frame`);
  await page.evaluate(() => window.player.ready);
  const inside = page.frames().find((frame) => frame.url().includes('/embed/'));
  await world.until('the frame plays', 10, () => inside.evaluate(() => window.underTest.frames.firstAtMs));
  await world.until('the page hears that', 15, async () => (await heard(page)).some(([event]) => event === 'live'));
  await world.until('its figures say so', 15, async () => (await page.evaluate(() => window.player.stats())).state === 'live');
  await page.evaluate(() => window.player.mute());
  assert.equal(await inside.evaluate(() => window.underTest.video().muted), true);
  await page.evaluate(() => window.player.pause());
  assert.equal(await inside.evaluate(() => window.underTest.video().paused), true);
  await page.evaluate(() => window.player.play());
  await world.until('it plays again', 15, () => inside.evaluate(() => !window.underTest.video().paused));

  // Whoever is not the page that holds the frame is not heard: here the frame itself.
  await inside.evaluate(() => window.postMessage({ swarmcast: 1, id: 1, call: 'pause' }, '*'));
  await page.evaluate(() => window.player.stats());
  assert.equal(await inside.evaluate(() => window.underTest.video().paused), false);

  // A frame is as its address says.
  await page.goto(`${origin}/frame-as-asked`);
  await page.evaluate(() => window.player.ready);
  const asked = page.frames().find((frame) => frame.url().includes('/embed/'));
  assert.equal((await page.evaluate(() => window.player.stats())).state, 'idle');
  await page.evaluate(() => window.player.play());
  await world.until('the frame plays', 10, () => asked.evaluate(() => window.underTest.frames.firstAtMs));
  await asked.locator('.controls').waitFor({ state: 'attached' });
  const looks = await asked.evaluate(() => [window.underTest.video().muted, getComputedStyle(document.querySelector('swarmcast-player')).getPropertyValue('--own-viewers')]);
  assert.deepEqual(looks, [true, '#b4472e']);
  assert.equal(await asked.locator('.controls').isVisible(), false);

  // The page to try both kinds with.
  await page.goto(`${world.url}/assets/embed-test.html?channel=${world.name}`);
  for (const kind of ['element', 'frame']) await page.locator(`#${kind}-said`, { hasText: 'live:' }).waitFor({ timeout: 10_000 });

  await page.goto(`${origin}/frame-for-another`);
  const other = page.frames().find((frame) => frame.url().includes('/embed/'));
  await world.until('the frame plays', 10, () => other.evaluate(() => window.underTest.frames.firstAtMs));
  const answered = await page.evaluate(() => Promise.race([
    window.player.ready.then(() => true),
    new Promise((resolve) => setTimeout(resolve, 1000, false)),
  ]));
  assert.equal(answered, false, 'it is for another site');
});

scenario('a site that the owner does not name is told so, and one that is named plays', async (world) => {
  await world.broadcast();
  const { origin } = await site(world);
  await owner(world, 'set', 'embed_origins=https://blog.example');
  await holds(world, /frame-ancestors 'self' https:\/\/blog\.example$/);
  const browser = await world.browser();

  const page = await freshPage(browser);
  await page.goto(`${origin}/element`);
  await world.until('the element says why', 10, () => reads(page, `${origin} is not one of them`));
  assert.equal(await page.evaluate(() => document.querySelector('swarmcast-player').stats().state), 'refused');
  await world.until('the page hears that', 15, async () => (await heard(page)).some(([event]) => event === 'error'));

  await page.goto(`${origin}/frame`);
  const inside = page.frames().find((frame) => frame.url().includes('/embed/'));
  await world.until('the frame says why', 10, () => reads(inside, `${origin} is not one of them`));
  await page.screenshot({ path: `${world.logs}/refused-frame.png` });

  // The server's own pages need no leave.
  const own = await world.viewer({ name: 'Anna, on the watch page' });
  await own.firstFrame();

  await owner(world, 'set', `embed_origins=https://blog.example,${origin}`);
  await holds(world, new RegExp(`${origin}$`));
  const visitor = await Viewer.arrive('Ben, on a site that is named', browser, `${origin}/element`);
  world.everyViewer.push(visitor);
  await visitor.firstFrame();
  await page.goto(`${origin}/frame`);
  const named = page.frames().find((frame) => frame.url().includes('/embed/'));
  await world.until('the frame plays', 10, () => named.evaluate(() => window.underTest.frames.firstAtMs));

  // Now only whom the site sends.
  const { join_secret: secret } = await owner(world, 'join-secret');
  await owner(world, 'set', 'join=token');
  await holds(world, /frame-ancestors 'self'$/);
  await page.goto(`${origin}/element`);
  await world.until('the element asks for a token', 10, () => reads(page, 'only whom its owner\'s site has sent'));
  const bring = (to, value) => to.evaluate((token) => document.querySelector('swarmcast-player').setAttribute('token', token), value);
  const token = joinToken(secret, { channel: world.name, origin, exp: Math.floor(Date.now() / 1000) + 300, jti: 'first' });
  await bring(page, token);
  const stats = () => page.evaluate(() => document.querySelector('swarmcast-player').stats());
  const plays = () => world.until('it plays', 10, async () => (await stats()).state === 'live');
  await plays();
  const another = await freshPage(browser);
  await another.goto(`${origin}/element`);
  await bring(another, token);
  await world.until('the token is used', 10, () => reads(another, 'good once'));
  assert.equal(await another.evaluate(() => document.querySelector('swarmcast-player').stats().state), 'uninvited');

  // Who was let in may reload, without a token; until the owner ends that.
  const { peer } = await stats();
  await page.reload();
  await plays();
  assert.equal((await stats()).peer, peer);
  const left = () => page.evaluate(() => sessionStorage.length);
  assert.equal(await left(), 0, 'nothing that a duplicated tab would copy');
  await owner(world, 'join-secret');
  await world.until('its pass is refused', 10, async () => {
    await page.reload();
    await world.until('the server has answered', 15, async () => (await stats()).state !== 'connecting');
    return (await stats()).state === 'uninvited';
  });
  assert.equal(await left(), 0);
});
