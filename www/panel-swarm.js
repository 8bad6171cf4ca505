// This viewer's place in the swarm, as a picture that moves: whom pieces come from above, whom they go to below, and a
// dot for each piece or so on its way. d3-force places the neighbors, so that whoever comes or goes is seen; drawn here.

import { element } from './elements.js';
import { COLOURS } from './stripe-colours.js';
import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY } from './vendor/d3-force.mjs';

const HEIGHT_PX = 210;
const NODE_PX = 9;
const OWN_PX = 13;
const EDGE_PX = 30; // no node is nearer to an edge: room for its name
const LINK_PX = 90;
const CHARGE = -900; // of each node on all others
const APART_PX = 24; // from a node's middle
const STIRRED = 0.5; // of the simulation's heat, when somebody comes or goes
const TRAVEL_MS = 1400; // of a dot along its line
const NAMES = { source: 'Broadcaster', relay: 'Server' };

export class SwarmPicture {
  #own = { x: 0, y: 0, fx: 0, fy: 0 };
  #nodes = new Map();
  #links = forceLink().distance(LINK_PX).strength(0.03);
  #forces;
  #drawn = ''; // who was there, and what for
  #frame = 0;
  #running = false;
  #still = matchMedia('(prefers-reduced-motion: reduce)');

  constructor() {
    this.canvas = element('canvas', { role: 'img', 'aria-label': 'Your links, as a picture; the table below says the same' });
    this.root = element('div', { className: 'swarm' }, element('h2', {}, 'You and your neighbors'), this.canvas);
    // Feeders go up, fed ones down; those that stand by stay between, to the sides.
    this.#forces = forceSimulation([this.#own])
      .force('link', this.#links)
      .force('charge', forceManyBody().strength(CHARGE))
      .force('apart', forceCollide(APART_PX))
      .force('row', forceY(({ link }) => row(link) * 0.34 * HEIGHT_PX).strength(0.5))
      .force('middle', forceX().strength(0.08))
      .stop(); // It is moved with each picture, and no timer runs beside.
  }

  run(on) {
    this.#running = on;
    cancelAnimationFrame(this.#frame);
    if (on) this.#frame = requestAnimationFrame((now) => this.#step(now));
  }

  show(links) {
    const known = new Set(links.map(({ peer }) => peer));
    for (const peer of this.#nodes.keys()) if (!known.has(peer)) this.#nodes.delete(peer);
    for (const link of links) {
      const node = this.#nodes.get(link.peer) ?? { x: 0, y: row(link) };
      this.#nodes.set(link.peer, Object.assign(node, { link }));
    }
    const drawn = links.map((link) => `${link.peer} ${row(link)}`).join();
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const nodes = [...this.#nodes.values()];
    this.#forces.nodes([this.#own, ...nodes]).alpha(STIRRED);
    this.#links.links(nodes.map((target) => ({ source: this.#own, target })));
  }

  #step(now) {
    if (!this.#running) return;
    const { clientWidth: width } = this.canvas;
    if (width) {
      this.#settle(width);
      this.#draw(width, now);
    }
    this.#frame = requestAnimationFrame((next) => this.#step(next));
  }

  /** One step, or for those who want nothing to move all that are left. */
  #settle(width) {
    while (this.#forces.alpha() > this.#forces.alphaMin()) {
      this.#forces.tick();
      for (const node of this.#nodes.values()) {
        node.x = within(node.x, width / 2 - EDGE_PX);
        node.y = within(node.y, HEIGHT_PX / 2 - EDGE_PX);
      }
      if (!this.#still.matches) break;
    }
  }

  #draw(width, now) {
    const ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = HEIGHT_PX * ratio;
    }
    const pen = this.canvas.getContext('2d');
    const style = getComputedStyle(this.canvas);
    const [ink, quiet] = [style.color, style.getPropertyValue('--own-quiet')];
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, HEIGHT_PX);
    pen.font = `12px ${style.fontFamily}`;
    pen.textAlign = 'center';
    const own = { x: width / 2, y: HEIGHT_PX / 2 };
    const placed = [...this.#nodes.values()].map(({ x, y, link }) => ({ link, at: { x: own.x + x, y: own.y + y } }));
    for (const { link, at } of placed) {
      if (link.stripes_in.length + link.stripes_out.length === 0) line(pen, at, own, quiet, 0.35);
      for (const stripe of link.stripes_in) this.#stripe(pen, at, own, stripe, now);
      for (const stripe of link.stripes_out) this.#stripe(pen, own, at, stripe, now);
    }
    for (const { link, at } of placed) {
      circle(pen, at, NODE_PX, link.kind === 'viewer' ? ink : style.getPropertyValue(link.kind === 'source' ? '--own-source' : '--own-relay'));
      pen.fillStyle = quiet;
      const name = NAMES[link.kind] ?? link.peer.slice(0, 4);
      const half = pen.measureText(name).width / 2;
      pen.fillText(name, Math.min(width - half, Math.max(half, at.x)), at.y + (at.y < own.y ? -15 : 24));
    }
    circle(pen, own, OWN_PX, style.getPropertyValue('--own-focus'));
    pen.fillStyle = ink;
    pen.fillText('You', own.x + 30, own.y + 4);
  }

  #stripe(pen, from, to, stripe, now) {
    const colour = COLOURS[stripe % COLOURS.length];
    // Lines of one pair lie beside each other.
    const aside = (stripe - 3) * 2.5;
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const length = Math.hypot(dx, dy) || 1;
    const shift = ({ x, y }) => ({ x: x - (dy / length) * aside, y: y + (dx / length) * aside });
    const [start, end] = [shift(from), shift(to)];
    line(pen, start, end, colour, 0.55);
    if (this.#still.matches) return;
    const along = ((now + stripe * 330) % TRAVEL_MS) / TRAVEL_MS;
    circle(pen, { x: start.x + (end.x - start.x) * along, y: start.y + (end.y - start.y) * along }, 3, colour);
  }
}

/** Above the viewer, below, or beside. */
function row(link) {
  return !link ? 0 : link.stripes_in.length ? -1 : link.stripes_out.length ? 1 : 0;
}

function within(value, most) {
  return Math.max(-most, Math.min(most, value));
}

function line(pen, from, to, colour, alpha) {
  pen.globalAlpha = alpha;
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(from.x, from.y);
  pen.lineTo(to.x, to.y);
  pen.stroke();
  pen.globalAlpha = 1;
}

function circle(pen, { x, y }, radius, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}
