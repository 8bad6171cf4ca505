// One viewer: a browser context that has the watch page open. What is asked of it is either seen from outside
// (picture, clock, sound, connections) or told by the player (`stats()`), and named accordingly.

import { until } from './until.mjs';
import { freshPage } from './browser.mjs';

const CONSOLE_LINES_KEPT = 200;

export class Viewer {
  console = [];
  gone = false;

  constructor(name, page) {
    this.name = name;
    this.page = page;
    const keep = (line) => {
      this.console.push(`${new Date().toISOString().slice(11, 23)} ${line}`);
      if (this.console.length > CONSOLE_LINES_KEPT) this.console.shift();
    };
    page.on('console', (message) => keep(`[${message.type()}] ${message.text()}`));
    page.on('pageerror', (error) => keep(`[uncaught] ${error.stack ?? error}`));
    page.on('crash', () => keep('[crash] the page crashed'));
  }

  static async arrive(name, browser, url, options) {
    const viewer = new Viewer(name, await freshPage(browser, options));
    await viewer.page.goto(url, { waitUntil: 'commit' });
    return viewer;
  }

  // Told by the player.

  stats = () => this.page.evaluate(() => document.querySelector('swarmcast-player').stats());
  state = async () => (await this.stats()).state;
  bytes = async () => (await this.stats()).bytes;

  // Seen from outside.

  now = () => this.page.evaluate(() => window.underTest.now());
  frames = () => this.page.evaluate(() => window.underTest.frames);
  network = () => this.page.evaluate(() => window.underTest.network);
  ways = () => this.page.evaluate(() => window.underTest.ways());
  longestFreezeMs = (sinceMs) => this.page.evaluate((since) => window.underTest.longestFreezeMs(since), sinceMs);
  lagsMs = (sinceMs) => this.page.evaluate((since) => window.underTest.lagsMs(since), sinceMs);
  loudness = (seconds) => this.page.evaluate((length) => window.underTest.loudness(length), seconds);
  decodedSoundBytes = () => this.page.evaluate(() => window.underTest.video().webkitAudioDecodedByteCount);
  pictureSize = () => this.page.evaluate(() => {
    const { videoWidth, videoHeight } = window.underTest.video();
    return `${videoWidth}x${videoHeight}`;
  });

  /** Milliseconds from navigation to the first frame on the screen. */
  async firstFrame(withinSeconds = 10) {
    return this.until('has a first frame', withinSeconds, async () => (await this.frames()).firstAtMs);
  }

  /** The picture moves from now on: frames arrive and their clock is readable. */
  async sees(what, withinSeconds = 10) {
    const before = (await this.frames()).clock.length;
    await this.until(`sees ${what}`, withinSeconds, async () => (await this.frames()).clock.length >= before + 3);
  }

  async until(what, seconds, probe) {
    return until(`${this.name} ${what}`, seconds, () => probe(this));
  }

  /** Presses the switch on the page, whatever covers it just then; the switch then says that it is off. */
  async stopSharing() {
    const control = this.page.locator('[data-action="sharing"]').first();
    await control.evaluate((element) => element.click());
    await this.until('sees the switch off', 15, () => control.evaluate((element) =>
      (element.matches('[role=switch]') ? element.getAttribute('aria-checked') === 'false' : !element.checked)));
  }

  /** Leaves a mark in the document; `isMarked` is false once the page was reloaded. */
  mark = () => this.page.evaluate(() => void (window.markedByTest = true));
  isMarked = () => this.page.evaluate(() => window.markedByTest === true);

  async close() {
    this.gone = true;
    await this.page.context().close();
  }

  async tail() {
    const stats = await Promise.race([
      this.stats().catch((error) => ({ error: String(error.message).split('\n')[0] })),
      new Promise((resolve) => setTimeout(resolve, 1000, { error: 'the page does not answer' })),
    ]);
    return `--- ${this.name}${this.gone ? ' (closed)' : ''}: ${JSON.stringify(stats)}\n${this.console.slice(-25).join('\n')}`;
  }
}
