// A swarm as a picture: the source in the middle, viewers in rings by their distance from it, one colour a stripe. Whom the
// relay feeds has lines from the relay. Pure: figures -> places -> SVG.

import { element } from './elements.js';
import { COLOURS } from './stripe-colours.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDE = { width: 1000, height: 620 };
const NARROW = { width: 520, height: 540 };
const NARROW_PX = 600; // below it the wide picture's names are too small to read
const HUB_RADIUS = 22;
const NAMED_MAX = 40; // beyond it names would cover each other

/** Draws `swarm` (see `Picture` in the swarm crate) into `place`, and what its colours mean into `legend`. */
export function drawSwarm(place, legend, swarm) {
  const size = place.clientWidth < NARROW_PX ? NARROW : WIDE;
  const places = layout(swarm, size);
  const svg = draw('svg', { viewBox: `0 0 ${size.width} ${size.height}`, role: 'img' });
  svg.setAttribute('aria-label', `${swarm.peers.length} viewers and who feeds them`);
  svg.append(...lines(swarm, places), ...hubs(places), ...swarm.peers.map((peer) => node(peer, places, svg)));
  place.replaceChildren(svg);
  if (legend.childElementCount !== swarm.stripes) {
    legend.replaceChildren(...Array.from({ length: swarm.stripes }, (_, stripe) => {
      const swatch = element('i', {});
      swatch.style.setProperty('--stripe', colour(stripe));
      return element('li', {}, swatch, `stripe ${stripe + 1}`);
    }));
  }
}

const colour = (stripe) => COLOURS[stripe % COLOURS.length];

/** Where everyone stands: `{ source, relay, radius, peers: Map(peer -> { x, y }) }`. */
function layout(swarm, { width, height }) {
  const centre = { x: width / 2, y: height / 2 };
  const source = swarm.source ? centre : null;
  const fedByRelay = swarm.peers.some((peer) => peer.parents.includes(null));
  const rings = [];
  const deepest = Math.max(1, ...swarm.peers.map((peer) => peer.depth ?? 1));
  for (const peer of swarm.peers) (rings[peer.depth ?? deepest] ??= []).push(peer);
  const peers = new Map();
  rings.forEach((ring, depth) => {
    const share = depth / Math.max(deepest, rings.length - 1);
    // By the angle of those who feed them, so that lines are short; newcomers by their id, so that nobody jumps.
    const aim = (peer) => mean(peer.parents.map((parent) => peers.get(parent)?.angle).filter((angle) => angle !== undefined));
    const order = ring.map((peer) => ({ peer, aim: aim(peer) ?? 0 })).sort((one, other) => one.aim - other.aim || (one.peer.peer < other.peer.peer ? -1 : 1));
    order.forEach(({ peer }, index) => {
      const angle = (2 * Math.PI * (index + (depth % 2) / 2)) / order.length;
      const reach = 0.34 + 0.66 * share;
      peers.set(peer.peer, { angle, x: centre.x + Math.cos(angle) * 0.4 * width * reach, y: centre.y + Math.sin(angle) * 0.4 * height * reach });
    });
  });
  const radius = Math.max(4, Math.min(13, 220 / Math.sqrt(swarm.peers.length + 1)));
  return { source, relay: fedByRelay ? { x: 62, y: 62 } : null, radius, peers };
}

const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : undefined);

function lines(swarm, places) {
  return swarm.peers.flatMap((peer) => peer.parents.map((parent, stripe) => {
    const to = places.peers.get(peer.peer);
    const from = parent === null ? places.relay : parent === swarm.source ? places.source : places.peers.get(parent);
    if (!from || !to) return null;
    const line = draw('path', { d: curve(from, to, stripe - (swarm.stripes - 1) / 2) });
    line.style.setProperty('--stripe', colour(stripe));
    line.dataset.ends = `${parent ?? 'relay'} ${peer.peer}`;
    return line;
  })).filter(Boolean);
}

/** From one to the other, bent aside a little for each stripe, so that lines of one pair lie beside each other. */
function curve(from, to, aside) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const bend = aside * Math.min(18, length / 8);
  const [x, y] = [(from.x + to.x) / 2 - (dy / length) * bend, (from.y + to.y) / 2 + (dx / length) * bend];
  return `M${round(from.x)},${round(from.y)} Q${round(x)},${round(y)} ${round(to.x)},${round(to.y)}`;
}

function hubs({ source, relay }) {
  return [['Source', source, 'hub'], ['Relay', relay, 'hub relay']].filter(([, at]) => at).map(([name, at, className]) => {
    const hub = draw('g', { class: className, transform: `translate(${at.x} ${at.y})` });
    const label = draw('text', { y: HUB_RADIUS + 17 });
    label.textContent = name;
    hub.append(draw('circle', { r: HUB_RADIUS }), label);
    return hub;
  });
}

function node({ peer, sharing, links, parents }, places, svg) {
  const { x, y } = places.peers.get(peer);
  const group = draw('g', { class: sharing ? 'node' : 'node leaf', transform: `translate(${round(x)} ${round(y)})` });
  const title = draw('title', {});
  const fed = parents.filter((parent) => parent !== null).length;
  title.textContent = `${short(peer)}: ${links} links, ${fed} of ${parents.length} stripes from other peers${sharing ? '' : ', does not share'}`;
  group.append(title, draw('circle', { r: places.radius }));
  if (places.peers.size <= NAMED_MAX) {
    const label = draw('text', { y: places.radius + 14 });
    label.textContent = short(peer);
    group.append(label);
  }
  const near = (on) => svg.querySelectorAll(`path[data-ends~="${peer}"]`).forEach((line) => line.classList.toggle('near', on));
  group.addEventListener('pointerenter', () => near(true));
  group.addEventListener('pointerleave', () => near(false));
  return group;
}

const short = (peer) => peer.slice(0, 6);
const round = (value) => Math.round(value * 10) / 10;

function draw(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
