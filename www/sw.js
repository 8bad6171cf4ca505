// The pages' service worker. It keeps nothing: whatever is asked for comes from the server, as without it. Only where a
// page cannot be had at all does it say so, in words of its own. It makes the pages installable besides.

const OFFLINE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="15">
<title>Offline · swarmcast</title>
<style>
  body { margin: 0; min-height: 100vh; display: grid; place-content: center; justify-items: center; gap: 10px; padding: 0 24px; box-sizing: border-box; text-align: center; font: 16px/1.5 system-ui, sans-serif; background: #f3f5f8; color: #171b22; }
  h1 { margin: 0; font-size: 28px; letter-spacing: -.02em; }
  p { margin: 0; max-width: 42ch; color: #59636f; }
  a { margin-top: 14px; padding: 10px 22px; border-radius: 99px; background: #171b22; color: #fff; font-weight: 600; text-decoration: none; }
  a:focus-visible { outline: 2px solid #2f6fed; outline-offset: 3px; }
  @media (prefers-color-scheme: dark) { body { background: #11151b; color: #e9edf3; } p { color: #9aa5b3; } a { background: #e9edf3; color: #11151b; } }
</style>
<h1>No way to the server</h1>
<p>This device is offline, or the server is. Live pictures need both. This page tries again by itself every fifteen seconds.</p>
<a href="">Try now</a>`;

const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
};

addEventListener('install', () => skipWaiting());

// The browser asks for the page while the worker is still starting: nobody waits for it.
addEventListener('activate', (event) => event.waitUntil(registration.navigationPreload?.enable()));

addEventListener('fetch', (event) => {
  if (event.request.mode !== 'navigate' || event.request.method !== 'GET') return;
  event.respondWith(page(event));
});

async function page(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch {
    return new Response(OFFLINE, { status: 503, headers: HEADERS });
  }
}
