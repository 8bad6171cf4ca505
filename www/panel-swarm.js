// This viewer's place in the swarm, as a picture that moves: whom pieces come from above, whom they go to below, and a
// dot for each piece or so on its way. Links push each other apart and settle, so that whoever comes or goes is seen.

import { element } from './elements.js';
import { COLOURS } from './stripe-colours.js';

const HEIGHT_PX = 210;
const NODE_PX = 9;
const OWN_PX = 13;
const TRAVEL_MS = 1400; // of a dot along its line
const PULL = 0.06; // towards where a node belongs, per frame
const PUSH_PX = 64; // nearer than this, two nodes part
const NAMES = { source: 'Broadcaster', relay: 'Server' };

export class SwarmPicture {
  #nodes = new Map();
  #frame = 0;
  #running = false;
  #still = matchMedia('(prefers-reduced-motion: reduce)');

  constructor() {
    this.canvas = element('canvas', { role: 'img', 'aria-label': 'Your links, as a picture; the table below says the same' });
    this.root = element('div', { className: 'swarm' }, element('h2', {}, 'You and your neighbors'), this.canvas);
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
      const node = this.#nodes.get(link.peer) ?? { x: 0.5, y: link.stripes_in.length ? 0.1 : 0.9 };
      this.#nodes.set(link.peer, Object.assign(node, { link }));
    }
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

  /** Feeders go up, fed ones down, those that stand by to the sides; each row evenly spread. */
  #settle(width) {
    const nodes = [...this.#nodes.values()];
    const rowOf = ({ link }) => (link.stripes_in.length ? 0.16 : link.stripes_out.length ? 0.84 : 0.5);
    for (const height of [0.16, 0.5, 0.84]) {
      const row = nodes.filter((node) => rowOf(node) === height);
      row.forEach((node, index) => {
        // The middle of the middle row is the viewer's own.
        const place = height === 0.5 ? (index % 2 ? 1 - 0.08 * (1 + (index >> 1)) : 0.08 * (1 + (index >> 1))) : (index + 1) / (row.length + 1);
        node.x += (place - node.x) * PULL;
        node.y += (height - node.y) * PULL;
      });
    }
    for (const one of nodes) {
      for (const other of nodes) {
        const [dx, dy] = [(one.x - other.x) * width, (one.y - other.y) * HEIGHT_PX];
        const distance = Math.hypot(dx, dy);
        if (one === other || distance > PUSH_PX || distance === 0) continue;
        const push = ((PUSH_PX - distance) / distance) * 0.02;
        one.x = Math.min(0.97, Math.max(0.03, one.x + (dx * push) / width));
      }
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
    for (const node of this.#nodes.values()) {
      const at = { x: node.x * width, y: node.y * HEIGHT_PX };
      const { link } = node;
      if (link.stripes_in.length + link.stripes_out.length === 0) line(pen, at, own, quiet, 0.35);
      for (const stripe of link.stripes_in) this.#stripe(pen, at, own, stripe, now);
      for (const stripe of link.stripes_out) this.#stripe(pen, own, at, stripe, now);
    }
    for (const node of this.#nodes.values()) {
      const { link } = node;
      const at = { x: node.x * width, y: node.y * HEIGHT_PX };
      circle(pen, at, NODE_PX, link.kind === 'viewer' ? ink : style.getPropertyValue(link.kind === 'source' ? '--own-source' : '--own-relay'));
      pen.fillStyle = quiet;
      const name = NAMES[link.kind] ?? link.peer.slice(0, 4);
      const half = pen.measureText(name).width / 2;
      pen.fillText(name, Math.min(width - half, Math.max(half, at.x)), at.y + (node.y < 0.5 ? -15 : 24));
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
