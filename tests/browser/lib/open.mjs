// What a page holds: sockets, connections and timers that are open, and memory once nobody needs what is left over.

import { readFileSync } from 'node:fs';

/** In the page, before its scripts: counts what is open, for `open`. */
export function countOpen() {
  const open = { sockets: new Set(), connections: new Set(), intervals: new Set() };
  window.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      open.sockets.add(this);
      this.addEventListener('close', () => open.sockets.delete(this));
    }
  };
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      open.connections.add(this);
    }

    close() {
      super.close();
      open.connections.delete(this);
    }
  };
  const { setInterval: start, clearInterval: stop } = window;
  window.setInterval = (...args) => {
    const id = start.apply(window, args);
    open.intervals.add(id);
    return id;
  };
  window.clearInterval = (id) => {
    open.intervals.delete(id);
    stop.call(window, id);
  };
  window.countsOpen = () => Object.fromEntries(Object.entries(open).map(([kind, all]) => [kind, all.size]));
}

/** Asks for a page's memory, in bytes: `heap` of its scripts after their garbage is collected, and its `nodes`. */
export async function memoryOf(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable');
  return async () => {
    for (let round = 0; round < 3; round++) await devtools.send('HeapProfiler.collectGarbage');
    const { metrics } = await devtools.send('Performance.getMetrics');
    const named = Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
    return { heap: named.JSHeapUsedSize, nodes: named.Nodes };
  };
}

/** Bytes of its own that the largest renderer of a browser holds: scripts, wasm, and what was buffered and decoded. */
export async function rendererBytes(browser) {
  const devtools = await browser.newBrowserCDPSession();
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
  await devtools.detach();
  const own = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => {
    const [, kilobytes] = /RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'));
    return Number(kilobytes) * 1024;
  });
  return Math.max(...own);
}
