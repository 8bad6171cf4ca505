// What a newcomer downloads: all that the watch page really loads, but for pictures, and what the wasm asks of its host.

import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { onLan } from './lib/network.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const MODULE_LIMIT_KB = 130; // the viewer module: its wasm and the script that loads it
const PAGE_LIMIT_KB = 200; // with everything else: scripts, styles, the page itself

scenario('the viewer module is small and imports nothing from env', async (world) => {
  await world.broadcast();
  const page = await (await world.browser()).newPage();
  const files = [];
  page.on('response', (response) => {
    const type = response.headers()['content-type'] ?? '';
    if (/javascript|wasm|css|html/.test(type)) files.push(response.body().then((body) => ({ url: new URL(response.url()).pathname, body })));
  });
  await page.goto(`${world.url}/watch/${world.name}`);
  await world.until('the player plays', 10, () => page.evaluate(() => {
    const player = document.querySelector('swarmcast-player');
    return player.shadowRoot.querySelector('video').currentTime > 0;
  }));
  await page.locator('[data-action="live"]').waitFor(); // The controls come after the picture, and count.

  let total = 0;
  let module = 0;
  const modules = [];
  for (const { url, body } of await Promise.all(files)) {
    const zipped = gzipSync(body, { level: 9 }).length;
    total += zipped;
    if (url.includes('/dist/')) module += zipped;
    world.note(`${url}: ${body.length} bytes, ${zipped} gzipped`);
    if (url.endsWith('.wasm')) modules.push(await WebAssembly.compile(body));
  }
  world.note(`the viewer module: ${(module / 1000).toFixed(1)} KB gzipped, limit ${MODULE_LIMIT_KB} KB; `
    + `with the page and its own scripts and styles ${(total / 1000).toFixed(1)} KB, limit ${PAGE_LIMIT_KB} KB`);
  const apart = (await Promise.all(files)).map(({ url }) => url).filter((url) => /studio|uPlot|d3|qr|panel|share-dialog|offair|captions|608/.test(url));
  assert.deepEqual(apart, [], 'loaded before it is needed');
  assert.ok(modules.length > 0, 'the page loads a wasm module');
  for (const compiled of modules) {
    const env = WebAssembly.Module.imports(compiled).filter(({ module: from }) => from === 'env');
    assert.deepEqual(env, [], 'imports that no browser has');
  }
  assert.ok(module > 0 && module <= MODULE_LIMIT_KB * 1000, `${module} bytes gzipped`);
  assert.ok(total <= PAGE_LIMIT_KB * 1000, `${total} bytes gzipped`);
});
