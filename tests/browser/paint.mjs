// What a first visit to each page costs, from Chromium's own tracing: to be read and compared, not to be passed or failed.
//
//   make bench-pages

import { onLan } from './lib/network.mjs';
import { freshPage } from './lib/browser.mjs';
import { median, watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const VISITS = 7;
const SETTLED_S = 3; // after which nothing more of a visit is counted
const LONG_TASK_US = 50_000;

const FIGURES = {
  'first contentful paint, ms': ({ firstPaintMs }) => firstPaintMs,
  'largest contentful paint, ms': ({ largestPaintMs }) => largestPaintMs,
  'first frame, ms': ({ firstFrameMs }) => firstFrameMs,
  'total blocking time, ms': ({ blockedMs }) => blockedMs,
  'layout shift': ({ shift }) => shift,
  requests: ({ requests }) => requests,
  'KB on the wire': ({ bytes }) => bytes / 1000,
  'of it scripts, wasm and styles': ({ codeBytes }) => codeBytes / 1000,
};

async function visit(browser, address) {
  const page = await freshPage(browser, { viewport: { width: 1280, height: 860 } });
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Network.enable');
  const [kinds, loaded] = [new Map(), []];
  devtools.on('Network.responseReceived', ({ requestId, type, response }) => kinds.set(requestId, /wasm/.test(response.mimeType) ? 'Wasm' : type));
  devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => loaded.push([requestId, encodedDataLength]));
  await browser.startTracing(page, { categories: ['blink.user_timing', 'loading', 'devtools.timeline', 'toplevel', 'disabled-by-default-devtools.timeline'] });
  await page.goto(address);
  await watch(SETTLED_S);
  const { traceEvents } = JSON.parse(await browser.stopTracing());
  const firstFrameMs = await page.evaluate(() => window.underTest.frames.firstAtMs);
  await page.context().close();
  const code = new Set(['Script', 'Stylesheet', 'Wasm']);
  const sum = (some) => some.reduce((total, [, bytes]) => total + bytes, 0);
  const codeBytes = sum(loaded.filter(([id]) => code.has(kinds.get(id))));
  return { ...painted(traceEvents, address), firstFrameMs, requests: loaded.length, bytes: sum(loaded), codeBytes };
}

/** The figures of a trace, reckoned as Lighthouse does. */
function painted(events, address) {
  const began = events.find(({ name, args }) => name === 'navigationStart' && args.data?.documentLoaderURL === address);
  const own = events.filter(({ pid, ts }) => pid === began.pid && ts >= began.ts);
  const sinceMs = ({ ts }) => (ts - began.ts) / 1000;
  const first = own.find(({ name }) => name === 'firstContentfulPaint');
  const largest = own.findLast(({ name }) => name === 'largestContentfulPaint::Candidate');
  const tasks = own.filter(({ name, tid, dur, ts }) => /RunTask$/.test(name) && tid === began.tid && dur > LONG_TASK_US && ts >= first.ts);
  const shifts = own.filter(({ name, args }) => name === 'LayoutShift' && !args.data.had_recent_input);
  return {
    firstPaintMs: sinceMs(first),
    largestPaintMs: sinceMs(largest ?? first),
    blockedMs: tasks.reduce((sum, { dur }) => sum + (dur - LONG_TASK_US) / 1000, 0),
    shift: shifts.reduce((sum, { args }) => sum + args.data.score, 0),
  };
}

scenario('what a first visit to each page costs', async (world) => {
  await world.broadcast();
  await (await world.viewer()).firstFrame();
  const browser = await world.browser();
  const pages = { 'Front page': '/', 'Watch page': `/watch/${world.name}`, Frame: `/embed/${world.name}`, Studio: '/studio' };
  const visits = {};
  for (const [name, address] of Object.entries(pages)) {
    visits[name] = [];
    for (let round = 0; round < VISITS; round++) visits[name].push(await visit(browser, world.url + address));
  }
  console.log(`| median of ${VISITS} | ${Object.keys(pages).join(' | ')} |\n| --- |${' --- |'.repeat(Object.keys(pages).length)}`);
  for (const [figure, of] of Object.entries(FIGURES)) {
    const row = Object.values(visits).map((all) => all.map(of)).map((all) => (all.some((each) => each === null) ? '–' : shown(median(all))));
    console.log(`| ${figure} | ${row.join(' | ')} |`);
  }
}, { limitMs: 400_000 });

const shown = (number) => (number < 1 && number > 0 ? number.toFixed(3) : Math.round(number).toLocaleString('en'));
