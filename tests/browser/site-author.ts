// What a site's author writes with the package of www/npm, for a compiler: what its types allow, and what they forbid.

import { load, SwarmcastFrame, type Happening, type Stats, type SwarmcastPlayerElement } from 'swarmcast-player';

await load('https://tv.example', { integrity: 'sha384-AAAA' });
const made: SwarmcastPlayerElement = document.createElement('swarmcast-player');
made.setAttribute('channel', 'my-channel');
const found = document.querySelector('swarmcast-player')!;
found.addEventListener('stall', ({ detail }) => say(detail));
found.addEventListener('click', (event) => event.preventDefault());
await found.play();
await found.seekToLive();
found.pause();
found.mute();
figure(found.stats());

const framed = new SwarmcastFrame(document.querySelector('iframe')!);
await framed.ready;
framed.addEventListener('live', ({ detail }) => say(detail));
await framed.mute(false);
figure(await framed.stats());
framed.close();

// @ts-expect-error There is no such state.
if (found.stats().state === 'asleep') found.pause();
// @ts-expect-error Figures are read only.
found.stats().lag_s = 0;
// @ts-expect-error Over messages nothing is known at once.
framed.stats().state;

function say({ state, message }: Happening): string {
  return `${state}: ${message.trim()}`;
}

function figure({ lag_s: lag, links, bytes }: Stats): string {
  return `${lag?.toFixed(1) ?? '?'} s behind, ${bytes.viewers} bytes over ${links.filter(({ kind }) => kind === 'viewer').length} links`;
}
