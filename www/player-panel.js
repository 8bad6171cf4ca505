// The panel of figures: how far behind, how much in hand, from whom it comes and when, what is passed on, over which
// links, and this viewer's place in the swarm as a picture. Loaded when it is first opened.

import { copyText } from './copy.js';
import { element, setText } from './elements.js';
import { bytes, seconds, shares } from './figures.js';
import { SwarmPicture } from './panel-swarm.js';

const ORIGINS = [['viewers', 'Viewers'], ['source', 'Broadcaster'], ['relay', 'Server']];
const KINDS = { viewer: 'Viewer', source: 'Broadcaster', relay: 'Server' };
const COLUMNS = ['Link', 'Takes', 'Gives', 'Round trip', 'Received', 'Sent'];
const COPIED_SHOWS_MS = 2000;

export class Panel {
  #charts = null;
  #latest = null;

  /** Builds itself into `place`; the charts' style goes to `root`. */
  constructor(place, root) {
    this.figures = Object.fromEntries(['lag', 'buffer', 'start', 'stalls', 'shared', 'rejected'].map((name) => [name, element('dd')]));
    this.parts = Object.fromEntries(ORIGINS.map(([name]) => [name, element('span', { className: `part ${name}` })]));
    this.legend = Object.fromEntries(ORIGINS.map(([name]) => [name, element('b')]));
    this.rows = element('tbody');
    this.picture = new SwarmPicture();
    this.copy = element('button', { type: 'button', className: 'plain', 'data-action': 'copy-figures' }, 'Copy all as JSON');
    this.copy.onclick = () => this.#copy();
    const charts = element('div', { className: 'charts' });
    place.append(element('section', { className: 'panel', 'aria-label': 'Figures' },
      this.#list(), this.#origins(), charts, this.picture.root, this.#links(), element('p', { className: 'foot' }, this.copy)));
    // Apart, so that a server built without the charts' library still shows everything else.
    import('./panel-charts.js').then(({ Charts }) => {
      this.#charts = new Charts(charts, root);
      if (this.#latest) this.#charts.draw(this.#latest.samples);
    }).catch(() => charts.remove());
  }

  #list() {
    const entry = (label, name) => element('div', {}, element('dt', {}, label), this.figures[name]);
    return element('dl', {}, entry('Behind the camera', 'lag'), entry('In hand', 'buffer'), entry('First picture after', 'start'),
      entry('Stalls', 'stalls'), entry('Passed on', 'shared'), entry('Forged pieces refused', 'rejected'));
  }

  #origins() {
    const bar = element('div', { className: 'bar', 'aria-hidden': 'true' }, ...Object.values(this.parts));
    const entry = ([name, label]) => element('li', { className: name }, label, ' ', this.legend[name]);
    return element('div', { className: 'origins' }, element('h2', {}, 'Where your picture comes from'), bar, element('ul', {}, ...ORIGINS.map(entry)));
  }

  #links() {
    const head = element('tr', {}, ...COLUMNS.map((label) => element('th', { scope: 'col' }, label)));
    return element('div', { className: 'links', tabIndex: 0, role: 'region', 'aria-label': 'Links' },
      element('table', {}, element('thead', {}, head), this.rows));
  }

  /** The panel is open, or it is closed and nothing in it moves. */
  shown(on) {
    this.picture.run(on);
  }

  render({ stats, samples }) {
    this.#latest = { stats, samples };
    for (const [name, text] of Object.entries(figures(stats))) setText(this.figures[name], text);
    const share = shares(stats.bytes);
    for (const [name] of ORIGINS) {
      this.parts[name].style.flexGrow = share[name];
      setText(this.legend[name], share.total ? `${Math.round(share[name] * 100)} % · ${bytes(stats.bytes[name])}` : '–');
    }
    const rows = stats.links.map((link) => row(link));
    this.rows.replaceChildren(...rows.map((cells) => element('tr', {}, ...cells.map((text) => element('td', {}, text)))));
    this.picture.show(stats.links);
    this.#charts?.draw(samples);
  }

  async #copy() {
    const { stats, samples } = this.#latest;
    const report = { page: location.origin + location.pathname, browser: navigator.userAgent, at: new Date().toISOString(), stats, samples };
    const copied = await copyText(JSON.stringify(report, null, 2), this.copy);
    setText(this.copy, copied ? 'Copied' : 'This browser did not copy it');
    setTimeout(() => setText(this.copy, 'Copy all as JSON'), COPIED_SHOWS_MS);
  }
}

function figures({ lag_s, target_lag_s, buffer_s, first_frame_ms, stalls, uploaded_bytes, bytes: received, pieces }) {
  const { total } = shares(received);
  const stood = stalls.reduce((sum, stall) => sum + stall.duration_ms, 0);
  return {
    lag: lag_s === null ? '–' : `${seconds(lag_s)} (aim ${seconds(target_lag_s)})`,
    buffer: seconds(buffer_s),
    start: first_frame_ms === null ? '–' : `${(first_frame_ms / 1000).toFixed(2)} s`,
    stalls: stalls.length ? `${stalls.length}, ${seconds(stood / 1000)} in all` : 'none',
    shared: total ? `${bytes(uploaded_bytes)}, ${(uploaded_bytes / total).toFixed(1)}× what you took` : bytes(uploaded_bytes),
    rejected: String(pieces.rejected),
  };
}

function row({ peer, kind, stripes_in, stripes_out, rtt_ms, received_bytes, sent_bytes }) {
  const stripes = (list) => (list.length ? list.map((stripe) => stripe + 1).join(' ') : '–');
  const name = kind === 'viewer' ? `${KINDS.viewer} ${peer.slice(0, 4)}` : KINDS[kind];
  return [name, stripes(stripes_in), stripes(stripes_out), rtt_ms === null ? '–' : `${rtt_ms} ms`, bytes(received_bytes), bytes(sent_bytes)];
}
