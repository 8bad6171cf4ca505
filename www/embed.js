// What another site loads to show channels of this server:
//
//   <script type="module" src="https://HOST/embed.js"></script>
//   <swarmcast-player channel="NAME" key="CHANNEL-ID"></swarmcast-player>
//
// Fetches the player from where this file came from. Says so inside of the element where that fails.

const asset = (name) => new URL(`/assets/${name}`, import.meta.url).href;
const waiting = () => document.querySelectorAll('swarmcast-player:not(:defined)');

// The place of the picture, until the player fills it.
const place = new CSSStyleSheet();
place.replaceSync('swarmcast-player:not(:defined) { display: block; aspect-ratio: 16 / 9; overflow: auto; }');
document.adoptedStyleSheets.push(place);

// The session and the module take longest, so they do not wait for the rest.
import(asset('session-start.js')).then(({ beginEarly, sessionAddress }) => {
  const first = document.querySelector('swarmcast-player[channel]:not([autoplay="off"])');
  if (first) beginEarly(sessionAddress(first.getAttribute('server')));
}, () => {});

import(asset('player.js')).catch((error) => {
  console.error('swarmcast: the player cannot be loaded.', error);
  for (const element of waiting()) if (!element.childNodes.length) element.append(...apology(element));
});

/** What a visitor reads in place of the picture, unless the site has put something there. */
function apology(element) {
  const link = document.createElement('a');
  link.href = new URL(`/watch/${encodeURIComponent(element.getAttribute('channel') ?? '')}`, import.meta.url).href;
  link.textContent = `Watch at ${new URL(link.href).host}`;
  return ['The player could not be loaded. ', link];
}
