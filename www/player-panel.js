// The panel of figures: how far behind, how much in hand, from whom it comes, what is passed on, over which links.

import { element, setText } from './elements.js';
import { bytes, seconds, shares } from './figures.js';

const ORIGINS = [['viewers', 'Viewers'], ['source', 'Broadcaster'], ['relay', 'Server']];
const KINDS = { viewer: 'Viewer', source: 'Broadcaster', relay: 'Server' };
const COLUMNS = ['Link', 'Takes', 'Gives', 'Round trip', 'Received', 'Sent'];

export class Panel {
  constructor() {
    this.figures = Object.fromEntries(['lag', 'buffer', 'start', 'stalls', 'shared', 'rejected'].map((name) => [name, element('dd')]));
    this.parts = Object.fromEntries(ORIGINS.map(([name]) => [name, element('span', { className: `part ${name}` })]));
    this.legend = Object.fromEntries(ORIGINS.map(([name]) => [name, element('b')]));
    this.rows = element('tbody');
    this.root = element('section', { className: 'panel', part: 'panel', hidden: true, 'data-role': 'panel', 'aria-label': 'Figures' },
      this.#list(), this.#origins(), this.#links());
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

  render(stats) {
    for (const [name, text] of Object.entries(figures(stats))) setText(this.figures[name], text);
    const share = shares(stats.bytes);
    for (const [name] of ORIGINS) {
      this.parts[name].style.flexGrow = share[name];
      setText(this.legend[name], share.total ? `${Math.round(share[name] * 100)} % · ${bytes(stats.bytes[name])}` : '–');
    }
    const rows = stats.links.map((link) => row(link));
    this.rows.replaceChildren(...rows.map((cells) => element('tr', {}, ...cells.map((text) => element('td', {}, text)))));
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
