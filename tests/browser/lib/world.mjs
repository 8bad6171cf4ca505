// The world of a scenario: tracker, uploader and encoder as real processes, viewers as real browser contexts, each with a
// name. Nothing outlives the scenario; logs and figures are printed only when it fails.
//
//   scenario('two friends watch', async (world) => {
//     await world.broadcast();
//     const [anna, ben] = await world.viewers(2);
//     ...
//   });

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { launch } from './browser.mjs';
import { launchFirefox } from './firefox.mjs';
import { address, inHost } from './network.mjs';
import { ffmpegs, path, program } from './paths.mjs';
import { Program } from './program.mjs';
import { until } from './until.mjs';
import { Viewer } from './viewer.mjs';

const SCENARIO_LIMIT_MS = 150_000;
const NAMES = ['Anna', 'Ben', 'Chloe', 'David', 'Elif', 'Femi', 'Grace', 'Hugo'];
const STREAM_KEY = 'encoder-of-the-test';
// Small enough that two cores decode it six times and encode it once.
const SMALL_PROGRAMME = { size: '320x180', kilobits: 600 };

export function scenario(name, body, { limitMs = SCENARIO_LIMIT_MS } = {}) {
  test(name, { timeout: limitMs }, async (t) => {
    const world = new World(name, t);
    try {
      await body(world);
      world.check();
    } catch (error) {
      await world.report();
      throw error;
    } finally {
      await world.end();
    }
  });
}

class World {
  everyViewer = [];
  url = `http://${address()}:8080`;
  name = 'demo';
  encoderAddress = `rtmp://127.0.0.1:1935/live/${STREAM_KEY}`;
  #programs = [];
  #browsers = new Map();

  constructor(title, t) {
    this.title = title;
    this.t = t;
    this.scratch = mkdtempSync(`${tmpdir()}/swarmcast-`);
    this.logs = path(`target/browser-tests/${title.replaceAll(/\W+/g, '-')}`);
    rmSync(this.logs, { recursive: true, force: true });
    mkdirSync(this.logs, { recursive: true });
  }

  /** A figure worth reading in the log of a good run too. */
  note = (text) => this.t.diagnostic(text);

  run(name, command, options) {
    const started = new Program(name, command, { logs: this.logs, ...options });
    this.#programs.push(started);
    return started;
  }

  // The broadcaster's side.

  async broadcast(programme) {
    await this.startTracker();
    await this.startUploader();
    await this.startEncoder(programme);
    await this.goesLive();
  }

  async startTracker(settings = [], { rtmp = 'off' } = {}) {
    this.tracker = this.run('tracker', [program('swarmcast-tracker'), 'serve', '--listen', `${address()}:8080`,
      '--rtmp', rtmp, '--udp', '0.0.0.0:3478', '--data', `${this.scratch}/tracker`, '--registration', 'open', ...settings]);
    await this.tracker.says(/listening on http/);
  }

  async startUploader(options = []) {
    const key = `${this.scratch}/channel.key`;
    if (!this.key) await this.run('keygen', [program('swarmcast-uploader'), 'keygen', '--key', key]).mayEnd().exit;
    this.key = key;
    this.statsFile = `${this.scratch}/uploader-stats.jsonl`;
    this.uploader = this.run('uploader', [program('swarmcast-uploader'), 'live', '--tracker', this.url, '--name', this.name,
      '--key', key, '--rtmp', '127.0.0.1:1935', '--stream-key', STREAM_KEY, '--udp', '0.0.0.0:4000',
      '--stats', this.statsFile, ...options]);
    await this.uploader.says(/encoder address: (rtmp:[^ ,]+)/);
  }

  async startEncoder(options = {}) {
    this.encoder = this.encodeTo(STREAM_KEY, options);
  }

  /** An encoder that pushes the demo programme with a stream key, right or wrong. */
  encodeTo(streamKey, { size, kilobits, ffmpeg = ffmpegs.debian, options = [] } = {}) {
    const { size: small, kilobits: few } = SMALL_PROGRAMME;
    return this.run('encoder', [path('demo/programme.sh'), `rtmp://127.0.0.1:1935/live/${streamKey}`, size ?? small,
      `${kilobits ?? few}`, ...options], { env: { FFMPEG: ffmpeg } });
  }

  goesLive = (seconds = 10) => this.until('the channel is live', seconds, async () => (await this.channels()).some(({ live }) => live));

  channels = () => this.get('/api/v1/channels');

  async get(route) {
    const response = await fetch(this.url + route, { signal: AbortSignal.timeout(2_000) });
    if (!response.ok) throw new Error(`${route}: ${response.status}`);
    return response.json();
  }

  /** The uploader's account: bytes since its start, by destination, and of media published. */
  uploaderStats() {
    const lines = readFileSync(this.statsFile, 'utf8').split('\n').slice(0, -1);
    return JSON.parse(lines.at(-1));
  }

  // The viewers' side.

  /** One more viewer opens the watch page. `host` is a host of the WAN; `options` are Playwright's for the context. */
  async viewer({ name = NAMES[this.everyViewer.length], host, watchPage = `/watch/${this.name}`, ...options } = {}) {
    const viewer = await Viewer.arrive(name, await this.browser(host), this.url + watchPage, options);
    this.everyViewer.push(viewer);
    return viewer;
  }

  async viewers(count, options) {
    return Promise.all(Array.from({ length: count }, (_, index) => this.viewer({ name: NAMES[index], ...options })));
  }

  /** As many, each when the one before has a picture: where several start at once on one machine, all are late, and long in making up for it. */
  async audience(count) {
    const all = [];
    for (const name of NAMES.slice(0, count)) {
      all.push(await this.viewer({ name }));
      await all.at(-1).firstFrame();
    }
    return all;
  }

  async browser(host = '', args = []) {
    const name = [host, ...args].join(' ');
    if (!this.#browsers.has(name)) this.#browsers.set(name, launch({ host, scratch: this.scratch, args }));
    return this.#browsers.get(name);
  }

  async firefox() {
    if (!this.#browsers.has('Firefox')) this.#browsers.set('Firefox', launchFirefox(this.scratch));
    return this.#browsers.get('Firefox');
  }

  /** A command in a host of the WAN. */
  inHost = (host, command) => [...inHost(host), ...command];

  // Waiting, judging, ending.

  until = (what, seconds, probe) => until(what, seconds, probe, () => this.check());

  /** Fails when a program has ended that nobody stopped. */
  check() {
    for (const each of this.#programs) each.check();
  }

  async report() {
    const viewers = await Promise.all(this.everyViewer.map((viewer) => viewer.tail()));
    const programs = this.#programs.map((each) => each.tail());
    const text = [`=== ${this.title}: what they said last (all of it: ${this.logs})`, ...programs, ...viewers].join('\n');
    await Promise.all(this.everyViewer.filter(({ gone }) => !gone).map((viewer) =>
      viewer.page.screenshot({ path: `${this.logs}/${viewer.name}.png`, timeout: 3_000 }).catch(() => {})));
    console.error(text);
  }

  async end() {
    for (const browser of this.#browsers.values()) await browser.then((each) => each.close()).catch(() => {});
    await Promise.all(this.#programs.filter(({ ended }) => !ended).map((each) => each.kill()));
    rmSync(this.scratch, { recursive: true, force: true });
  }
}
