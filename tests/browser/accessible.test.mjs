// Every page, dark and light, before axe-core: no serious fault; all that pages offer is reached by keyboard; and nothing moves
// for those who want that.

import assert from 'node:assert/strict';
import { faults } from './lib/axe.mjs';
import { freshPage } from './lib/browser.mjs';
import { onLan } from './lib/network.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const CAMERA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

/** Chromium with a camera, which takes the server's address for a safe one. */
const withCamera = (world) => world.browser('', [...CAMERA, `--unsafely-treat-insecure-origin-as-secure=${world.url}`]);

async function goLive(page, name) {
  await page.locator('#quality').selectOption('240');
  await page.locator('#go:enabled').waitFor();
  await page.locator('#name').fill(name);
  await page.locator('#name').press('Enter');
  await page.locator('#onair').waitFor();
}

scenario('no page has a serious fault, dark or light', async (world) => {
  await world.broadcast();
  const [, token] = await world.tracker.says(/its token ([0-9a-f]+)/);
  const login = async (page) => {
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('button', { name: world.name }).waitFor();
  };
  const watches = (page) => page.waitForFunction(() => document.querySelector('swarmcast-player').stats().first_frame_ms !== null);
  const stops = async (page) => {
    await page.locator('#stop').press('Enter');
    await page.locator('#sure').waitFor();
  };
  // Each address, and what is done there one after the other.
  const pages = {
    '/': [(page) => page.getByText(world.name).first().waitFor()],
    [`/watch/${world.name}`]: [
      async (page) => {
        await watches(page);
        await page.keyboard.press('i');
        await page.locator('[data-role="panel"] table').waitFor();
      },
      async (page) => {
        await page.locator('[data-action="share"]').press('Enter');
        await page.locator('dialog').waitFor();
      },
    ],
    '/watch/nobody': [(page) => page.waitForFunction(() => document.querySelector('swarmcast-player').stats().state === 'offline')],
    [`/embed/${world.name}`]: [watches],
    '/admin': [login],
    '/embed': [(page) => page.waitForFunction(() => document.querySelector('#preview swarmcast-player')?.stats?.().first_frame_ms)],
    '/studio': [
      async (page) => {
        await page.locator('#go:enabled').waitFor();
        await page.locator('.key summary').click();
      },
      (page) => goLive(page, 'mine'),
      stops,
    ],
    '/studio#no-camera': [async (page) => {
      await page.locator('#go:enabled').waitFor();
      await page.evaluate(() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError')); });
      await page.locator('input[value=camera]').dispatchEvent('change');
      await page.getByText('This page was not allowed to use it').waitFor();
    }],
  };
  for (const [address, steps] of Object.entries(pages)) {
    const page = await freshPage(await withCamera(world), { reducedMotion: 'reduce', viewport: { width: 1000, height: 800 } });
    await page.goto(world.url + address);
    for (const [at, step] of steps.entries()) {
      await step(page);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        assert.deepEqual(await faults(page), [], `${address}, step ${at + 1}, ${colorScheme}`);
      }
      assert.deepEqual(await page.evaluate(moving), [], `${address} moves`);
    }
    await page.context().close();
  }
});

/** In the page: what moves, but for the ring that turns slowly while something is awaited. */
function moving() {
  const roots = [document, ...[...document.querySelectorAll('*')].map(({ shadowRoot }) => shadowRoot).filter(Boolean)];
  const all = roots.flatMap((root) => root.getAnimations()).map(({ effect }) => effect);
  return all.filter(({ target }) => target.className !== 'spinner').map(({ target }) => `${target.localName}.${target.className}`);
}

/** The actions that so many presses of Tab reach, each named and seen to have the focus. */
async function tabThrough(page, presses) {
  const reached = new Set();
  for (let press = 0; press < presses; press++) {
    await page.keyboard.press('Tab');
    const found = await page.evaluate(() => {
      const within = [];
      for (let each = document.activeElement; each; each = each.shadowRoot?.activeElement) within.push(each);
      const focused = within.at(-1);
      if (focused === document.body) return null;
      const name = focused.getAttribute('aria-label') ?? ([...(focused.labels ?? [])].map((label) => label.textContent).join(' ') || focused.textContent);
      const shows = [...within, focused.nextElementSibling, focused.parentElement].some((each) => each && getComputedStyle(each).outlineStyle !== 'none');
      return { name: name.trim(), action: within.findLast(({ dataset }) => dataset.action)?.dataset.action ?? (focused.id || focused.dataset.call || focused.dataset.copies || focused.name || focused.tagName), shows };
    });
    if (!found) continue;
    assert.ok(found.name, `${found.action} has a name`);
    assert.ok(found.shows, `${found.action} shows that it has the focus`);
    reached.add(found.action);
  }
  return reached;
}

scenario('everything on the pages is reached by keyboard and has a name', async (world) => {
  await world.broadcast();
  const viewer = await world.viewer({ viewport: { width: 1000, height: 800 } });
  await viewer.firstFrame();
  const studio = await freshPage(await withCamera(world));
  await studio.goto(`${world.url}/studio`);
  await studio.locator('#go:enabled').waitFor();
  await studio.locator('#measure:visible').waitFor();
  await studio.locator('.key summary').press('Enter');
  await studio.locator('.mark').focus();
  const embed = await freshPage(await world.browser());
  await embed.goto(`${world.url}/embed`);
  await embed.locator('#preview [data-action=sharing]').waitFor();
  const wanted = [
    [viewer.page, 40, ['seek', 'play', 'mute', 'volume', 'live', 'share', 'panel', 'pip', 'theatre', 'fullscreen', 'noticed', 'sharing', 'upload-cap']],
    [studio, 20, ['picture', 'camera', 'microphone', 'quality', 'measure', 'name', 'private', 'go', 'export', 'import']],
    [embed, 45, ['channel', 'kind', 'autoplay', 'muted', 'controls', 'pin', 'accent', 'radius', 'play', 'pause', 'mute', 'unmute', 'seekToLive', 'stats', 'heard', 'snippet', 'policy']],
  ];
  for (const [page, presses, actions] of wanted) {
    const reached = await tabThrough(page, presses);
    world.note(`reached: ${[...reached].join(', ')}`);
    assert.deepEqual(actions.filter((action) => !reached.has(action)), [], 'not reached');
  }

  // And live: from the form by Enter, muted by Space, stopped by Enter, which asks first, and called off by Escape.
  await goLive(studio, 'mine');
  const live = await tabThrough(studio, 30);
  assert.deepEqual(['link', 'copy', 'mute', 'stop'].filter((action) => !live.has(action)), [], 'not reached');
  await studio.locator('#mute').press('Space');
  assert.equal(await studio.locator('#mute').getAttribute('aria-pressed'), 'true');
  await studio.locator('#stop').press('Enter');
  await studio.locator('#sure').waitFor();
  await studio.keyboard.press('Escape');
  assert.ok(await studio.locator('#onair').isVisible());
  await studio.locator('#stop').press('Enter');
  await studio.keyboard.press('Tab');
  await studio.keyboard.press('Enter');
  await studio.locator('#setup').waitFor();
});
