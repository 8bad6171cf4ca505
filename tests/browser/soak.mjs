// Watching for long over a network that fails all the time: three viewers at home, a fault every three seconds, twenty times as
// often as on a line that fails every minute: ten minutes hold what such a line does in more than three hours. Prints what each page
// holds, and fails when that grows.
//
//   make soak [MINUTES=10]

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { address, onWan } from './lib/network.mjs';
import { countOpen, memoryOf, rendererBytes } from './lib/open.mjs';
import { median, watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onWan('rough');

const MINUTES = Number(process.env.MINUTES ?? 10);
const FAULT_EVERY_S = 3;
const LOOK_EVERY_S = 20;
// Until the minute that a viewer holds is full, and half a minute more.
const WARM_UP_S = Math.min(90, MINUTES * 20);

// Between the first third after that and the last. A minute of this programme is 4.5 MB, a link that stays a quarter of one.
const HEAP_GROWTH_MAX_BYTES = 1_000_000;
const RENDERER_GROWTH_MAX_BYTES = 16_000_000;
const LINKS_MAX = 16;

const HOMES = ['home1', 'home2', 'home3'];

/** What happens to a line, each undone by the next round's or by itself. */
const FAULTS = [
  (home) => [`cut="${home}"`, 'for=2'],
  (home) => [`host="${home}"`, 'set={loss=0.08}'],
  (home) => [`host="${home}"`, 'set={loss=0.005,up="1mbit"}'],
  (home) => [`host="${home}"`, 'set={up="8mbit",jitter=120}'],
  (home) => [`host="${home}"`, 'set={jitter=10}'],
  (home) => [`nat_reset="${home}"`],
  (home) => [`partition=[["${home}"],${JSON.stringify(HOMES.filter((other) => other !== home))}]`, 'for=2'],
];

const inject = (fault) => execFileSync(process.env.NETLAB, ['event', ...fault]);

async function watchesAt(world, home) {
  const browser = await world.browser(home);
  // Not watched from outside, as elsewhere: that keeps every frame's time.
  const page = await (await browser.newContext({ viewport: { width: 640, height: 480 } })).newPage();
  await page.addInitScript(countOpen);
  await page.goto(`http://${address()}:8080/watch/${world.name}`);
  await world.until(`${home} plays`, 20, () => page.evaluate(() => document.querySelector('swarmcast-player').stats().first_frame_ms !== null));
  const memory = await memoryOf(page);
  const look = async () => {
    const { state, links, open, atS } = await page.evaluate(() => {
      const player = document.querySelector('swarmcast-player');
      const { state: now, links: all } = player.stats();
      return { state: now, links: all.length, open: window.countsOpen(), atS: player.shadowRoot.querySelector('video').currentTime };
    });
    return { state, links, ...open, workers: page.workers().length, atS, ...(await memory()), renderer: await rendererBytes(browser) };
  };
  return { home, look, looks: [] };
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
const line = (s, home, { state, links, connections, sockets, intervals, workers, heap, nodes, renderer, atS }) => `${String(s).padStart(5)} s  ${home}  `
  + `heap ${megabytes(heap)} MB, renderer ${megabytes(renderer)} MB, nodes ${nodes}, links ${links}, connections ${connections}, `
  + `sockets ${sockets}, timers ${intervals}, workers ${workers}, at ${atS.toFixed(0)} s, ${state}`;

/** By how much `what` has grown from the first third of the looks to the last. */
function growth(looks, what) {
  const third = Math.ceil(looks.length / 3);
  const middle = (some) => median(some.map((look) => look[what]));
  return middle(looks.slice(-third)) - middle(looks.slice(0, third));
}

scenario(`${MINUTES} minutes over a network that fails all the time`, async (world) => {
  await world.broadcast();
  const viewers = [];
  for (const home of HOMES) viewers.push(await watchesAt(world, home));
  const began = performance.now();
  const elapsedS = () => (performance.now() - began) / 1000;
  let faults = 0;
  let lookAt = 0;
  while (elapsedS() < MINUTES * 60) {
    inject(FAULTS[Math.floor(faults / HOMES.length) % FAULTS.length](HOMES[faults % HOMES.length]));
    faults++;
    if (elapsedS() >= lookAt) {
      lookAt += LOOK_EVERY_S;
      for (const viewer of viewers) {
        const look = await viewer.look();
        console.log(line(Math.round(elapsedS()), viewer.home, look));
        if (elapsedS() >= WARM_UP_S) viewer.looks.push({ ...look, elapsedS: elapsedS() });
        assert.ok(look.links <= LINKS_MAX && look.connections <= LINKS_MAX, `${viewer.home} has ${look.connections} connections`);
      }
    }
    await watch(FAULT_EVERY_S);
  }
  world.note(`${faults} faults in ${MINUTES} minutes`);
  for (const { home, looks } of viewers) {
    const [heap, renderer, nodes] = ['heap', 'renderer', 'nodes'].map((what) => growth(looks, what));
    world.note(`${home}: heap ${heap > 0 ? '+' : ''}${megabytes(heap)} MB, renderer ${renderer > 0 ? '+' : ''}${megabytes(renderer)} MB, nodes ${nodes}`);
    assert.ok(heap < HEAP_GROWTH_MAX_BYTES, `the heap of ${home} grew by ${heap} bytes`);
    assert.ok(renderer < RENDERER_GROWTH_MAX_BYTES, `the renderer of ${home} grew by ${renderer} bytes`);
    const [first, last] = [looks[0], looks.at(-1)];
    assert.ok(last.atS - first.atS > (last.elapsedS - first.elapsedS) / 2, `${home} has watched most of the time`);
    assert.equal(last.workers, first.workers, `workers of ${home}`);
  }
}, { limitMs: (MINUTES + 3) * 60_000 });
