// Another site: a page of an origin of its own that shows what is under test. Its Content-Security-Policy is the one that
// docs/embed.md gives to site owners, so that a snippet which needs more fails here.

import { createServer } from 'node:http';
import { address } from './network.mjs';

/** Serves `pages` (path: HTML, or a function of the request's address that makes it) until the process ends. */
export async function openSite(pages, { policy } = {}) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://site');
    const page = pages[pathname];
    if (page === undefined) return response.writeHead(404).end();
    if (policy) response.setHeader('Content-Security-Policy', policy);
    response.setHeader('Content-Type', 'text/html; charset=utf-8').end(page);
  });
  await new Promise((resolve) => server.listen(0, address(), resolve));
  server.unref();
  return { origin: `http://${address()}:${server.address().port}` };
}

/** What site owners are told to allow for the element, and for the frame, on `host`; the test's own scripts besides. */
export const documentedPolicy = (host) => [
  "default-src 'none'",
  `script-src ${host} 'wasm-unsafe-eval' 'unsafe-inline'`,
  `connect-src ${host} ${host.replace('http', 'ws')}`,
  'media-src blob:',
  `frame-src ${host}`,
].join('; ');
