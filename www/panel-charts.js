// The panel's charts: bytes by where they come from, and lag and buffer, over the last minutes, by uPlot.

import uPlot from './vendor/uPlot.esm.js';
import { element } from './elements.js';

const HEIGHT_PX = 130;
const SPAN_S = 180;

const CHARTS = [
  { title: 'Received', series: [['from viewers', 'viewers_bps', '--own-viewers'], ['the broadcaster', 'source_bps', '--own-source'], ['the server', 'server_bps', '--own-relay']], format: megabits },
  { title: 'Behind the camera, and in hand', series: [['behind', 'lag_s', '--own-focus'], ['in hand', 'buffer_s', '--own-viewers']], format: (value) => `${value.toFixed(1)} s` },
];

export class Charts {
  #charts;

  constructor(place, root) {
    this.#style(root);
    const host = root.host;
    this.#charts = CHARTS.map((chart) => begin(place, host, chart));
  }

  /** uPlot's own style, as a sheet: a site's policy may forbid style elements. */
  async #style(root) {
    const sheet = new CSSStyleSheet();
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    const answer = await fetch(new URL('./vendor/uPlot.min.css', import.meta.url));
    sheet.replaceSync(await answer.text());
  }

  draw(samples) {
    for (const chart of this.#charts) chart(samples);
  }
}

function begin(place, host, { title, series, format }) {
  const colour = (name) => () => getComputedStyle(host).getPropertyValue(name).trim();
  const names = series.map(([name, , variable]) => {
    const swatch = element('i', {});
    swatch.style.background = `var(${variable})`;
    return element('span', {}, swatch, name);
  });
  const canvas = element('div', {});
  const made = element('div', { className: 'chart', role: 'img', 'aria-label': `${title}, as a chart` }, element('h2', {}, title, ...names), canvas);
  place.append(made);
  const axis = { stroke: colour('--own-quiet'), font: '12px system-ui', grid: { stroke: colour('--own-line'), width: 1 }, ticks: { show: false } };
  const ago = (_, ticks) => ticks.map((tick) => (tick === 0 ? 'now' : `${tick} s`));
  const options = () => ({
    width: canvas.clientWidth || 300,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: [-SPAN_S, 0] }, y: { range: (_, low, high) => [0, Math.max(high * 1.15, 0.1)] } },
    axes: [{ ...axis, size: 26, incrs: [30, 60], values: ago }, { ...axis, size: 62, space: 34, values: (_, ticks) => ticks.map(format) }],
    series: [{}, ...series.map(([, , variable]) => ({ stroke: colour(variable), width: 2, points: { show: false } }))],
  });
  let plot = null;
  new ResizeObserver(() => plot?.setSize({ width: canvas.clientWidth, height: HEIGHT_PX })).observe(canvas);
  return (samples) => {
    if (samples.length < 2 || !canvas.clientWidth) return;
    const newest = samples.at(-1).time_s;
    const data = [samples.map(({ time_s: time }) => time - newest), ...series.map(([, key]) => samples.map((sample) => sample[key]))];
    plot ??= new uPlot(options(), data, canvas);
    plot.setData(data);
  };
}

function megabits(bps) {
  return `${(bps / 1e6).toFixed(1)} Mb/s`;
}
