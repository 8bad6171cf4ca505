// Charts of the last hour, by uPlot, which comes from its npm package.

import uPlot from './vendor/uPlot.esm.js';
import { element } from './elements.js';

const HEIGHT_PX = 150;
const HOUR_S = 3600;
const WHOLE_NUMBERS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000];

const CHARTS = [
  { title: 'Viewers', series: [['', 'viewers', '#2f6fed']], format: count, steps: WHOLE_NUMBERS },
  { title: 'From viewers', series: [['', 'offload', '#1d9a63']], format: (value) => `${Math.round(value * 100)} %`, range: [0, 1] },
  { title: 'Carried', series: [['by viewers', 'viewers_bps', '#1d9a63'], ['by the relay', 'relay_bps', '#d98324']], format: megabits },
  { title: 'Refusals', series: [['', 'refusals', '#d92f24']], format: count, steps: WHOLE_NUMBERS },
];

let charts = null;

/** Draws `samples`, oldest first, into `place`. */
export function drawCharts(place, samples, everySeconds) {
  charts ??= CHARTS.map((chart) => begin(place, chart));
  for (const chart of charts) chart.draw(samples, everySeconds);
}

function begin(place, { title, series, format, range, steps }) {
  const names = series.filter(([name]) => name).map(([name, , colour]) => {
    const swatch = element('i', {});
    swatch.style.setProperty('--series', colour);
    return element('span', {}, swatch, name);
  });
  const canvas = element('div', {});
  const empty = element('p', { className: 'empty' }, 'The first minute is on its way.');
  place.append(element('div', { className: 'chart' }, element('h3', {}, title, ...names), empty, canvas));
  let plot = null;
  const options = () => ({
    width: canvas.clientWidth || 300,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: range ?? ((_, low, high) => [0, Math.max(high * 1.15, 1)]) } },
    axes: [axis({ space: 70, values: times }), axis({ size: 62, space: 34, incrs: steps, values: (_, ticks) => ticks.map(format) })],
    series: [{}, ...series.map(([, , colour]) => ({
      stroke: colour, width: 2, fill: series.length === 1 ? `${colour}1f` : undefined, points: { show: false }, spanGaps: false,
    }))],
  });
  const draw = (samples, everySeconds) => {
    empty.hidden = samples.length >= 2;
    empty.style.display = empty.hidden ? 'none' : '';
    if (!empty.hidden) return;
    const times = samples.map(({ time_ms }) => time_ms / 1000);
    const data = [times, ...series.map(([, key]) => samples.map((sample) => sample[key]))];
    plot ??= new uPlot(options(), data, canvas);
    plot.setData(data, false);
    // Young servers show what there is; older ones a full hour.
    const from = Math.max(times.at(-1) - HOUR_S, times[0]);
    plot.setScale('x', { min: from, max: Math.max(times.at(-1), from + everySeconds) });
    plot.setScale('y', { min: null, max: null });
  };
  new ResizeObserver(() => plot?.setSize({ width: canvas.clientWidth, height: HEIGHT_PX })).observe(canvas);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot?.redraw());
  return { draw };
}

function axis(options) {
  const colour = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return { stroke: colour('--quiet'), font: '12px system-ui', grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false }, ...options };
}

/** With seconds only where the ticks are closer than a minute. */
function times(_, ticks) {
  const close = ticks.length > 1 && ticks[1] - ticks[0] < 60;
  return ticks.map((tick) => new Date(tick * 1000).toLocaleTimeString('en-GB', { timeStyle: close ? 'medium' : 'short' }));
}

function count(value) {
  return value.toLocaleString('en');
}

function megabits(bps) {
  return bps >= 1e9 ? `${(bps / 1e9).toFixed(1)} Gb/s` : `${(bps / 1e6).toFixed(bps >= 1e7 ? 0 : 1)} Mb/s`;
}
