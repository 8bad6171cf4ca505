// <swarmcast-player channel="NAME" key="CHANNEL-ID" secret="MEDIA-KEY" token="JWT" server="https://host" upload-cap="4">: a live
// channel that plays. What sites may count on, its other attributes included, is in docs/embed.md.
//
// The viewer itself is the wasm module behind dist/viewer.js. This file starts it as early as it can, keeps it company
// through the life of the element, and shows what it says: figures -> view -> DOM.

import init, { Viewer } from './dist/viewer.js';
import { behindS, NOTHING_YET } from './figures.js';
import { keepAwake, tellMediaSession } from './player-device.js';
import { eventBetween, isOffAir } from './player-events.js';
import { History } from './player-history.js';
import { keyAction } from './player-keys.js';
import { PlayerView } from './player-view.js';
import { beginSession, compiled, sessionAddress } from './session-start.js';
import * as sharing from './sharing.js';
import { play, rememberVolume, restoreVolume } from './sound.js';
import { wording } from './wording.js';

const REFRESH_MS = 500;
const USUAL_UPLOAD_CAP = 4;
const STEP_S = 5; // of the arrow keys
const VOLUME_STEP = 0.05;
const AT_EDGE_S = 1; // nearer than this, the viewer means the edge

const moduleReady = init({ module_or_path: compiled });
moduleReady.catch(() => {}); // Reported by each element.

class SwarmcastPlayer extends HTMLElement {
  static observedAttributes = ['channel', 'key', 'secret', 'token', 'server', 'sharing'];

  #view;
  #viewer = null;
  #ending = null; // AbortController of the current channel
  #sharing = { on: false, locked: false, reason: '' };
  #rule = null; // what the channel's owner says of sharing
  #sound = 'sound'; // or `muted`, `silenced` (by the viewer's wish), `refused`
  #silenced = false;
  #wantsPlay = true;
  #failure = null;
  #told = NOTHING_YET; // the figures that the page was last told of
  #history = new History();
  #offAir = null; // what is shown then, once it has been needed
  #captions = null; // promise of them, once there are any

  constructor() {
    super();
    this.#view = new PlayerView(this.attachShadow({ mode: 'open' }), {
      play: () => this.play(),
      pause: () => this.pause(),
      toggle: () => this.#togglePlay(),
      mute: () => this.#toggleMute(),
      unmute: () => this.#toggleMute(),
      volume: (volume) => this.#setVolume(volume),
      seek: (behind) => this.#seekTo(behind),
      live: () => this.seekToLive(),
      captions: () => this.#toggleCaptions(),
      pip: () => this.#togglePip(),
      theatre: () => this.toggleAttribute('theatre'),
      sharing: () => this.#toggleSharing(),
      uploadCap: (cap) => this.#setUploadCap(cap),
      noticed: () => this.#noticed(),
      answer: (yes) => this.#choose(yes),
      shared: () => this.#shared(),
    });
  }

  connectedCallback() {
    const { video } = this.#view;
    this.#wantsPlay = this.getAttribute('autoplay') !== 'off';
    video.muted = this.hasAttribute('muted');
    this.#silenced = restoreVolume(video);
    this.#view.moves(true);
    this.#start();
  }

  disconnectedCallback() {
    this.#stop();
    this.#view.moves(false);
  }

  attributeChangedCallback() {
    if (this.isConnected) this.#start();
  }

  /** State and figures of this viewer: see `Figures` in viewer-wasm. */
  stats() {
    const figures = this.#failure ? null : this.#viewer?.stats();
    const idle = this.#wantsPlay || this.#viewer ? null : { state: 'idle' };
    return { ...NOTHING_YET, sharing: this.#sharing.on, ...idle, ...figures, ...this.#failure };
  }

  /** Plays, with sound where the browser allows it. */
  async play() {
    this.#wantsPlay = true;
    if (this.#viewer) await this.#play();
    else await this.#start();
  }

  pause() {
    this.#wantsPlay = false;
    this.#view.video.pause();
  }

  mute(muted = true) {
    this.#view.video.muted = muted;
    this.#silenced = muted;
    this.#sound = muted ? 'silenced' : 'sound';
    this.#render();
  }

  /** Back to where all viewers are, and plays. */
  seekToLive() {
    this.#viewer?.seekToLive();
    return this.play();
  }

  async #start() {
    this.#stop();
    const channel = this.getAttribute('channel');
    if (!channel) return;
    const ending = (this.#ending = new AbortController());
    const { signal } = ending;
    this.#applyPolicy();
    this.#listen(signal);
    this.#render();
    if (!this.#wantsPlay) return;
    const begun = beginSession(this.#server());
    try {
      await moduleReady;
      if (signal.aborted) return begun.abandon();
      this.#viewer = new Viewer(this.#view.video, {
        server: this.#server(),
        channel,
        key: this.getAttribute('key') ?? undefined,
        secret: this.getAttribute('secret') ?? undefined,
        token: this.getAttribute('token') ?? undefined,
        sharing: this.#sharing.on,
        consent: sharing.agreed(),
        uploadCap: this.#uploadCap(),
        onchange: () => this.#render(),
        oncaptions: (chunk, epoch) => this.#takeCaptions(chunk, epoch),
        ...begun.handOver(),
      });
      this.#play();
    } catch (error) {
      begun.abandon();
      this.#fail(error);
    }
    this.#render();
  }

  #stop() {
    this.#ending?.abort();
    this.#viewer?.close();
    this.#viewer?.free();
    // What was buffered and decoded goes now, and not with the element.
    if (this.#viewer) this.#view.video.removeAttribute('src');
    if (this.#viewer) this.#view.video.load();
    this.#offAir?.close();
    this.#captions?.then((captions) => captions.close()).catch(() => {});
    this.#viewer = this.#offAir = this.#captions = null;
    this.#failure = null;
    this.#told = NOTHING_YET;
    this.#history = new History();
  }

  #listen(signal) {
    const { video } = this.#view;
    const timer = setInterval(() => this.#render(), REFRESH_MS);
    signal.addEventListener('abort', () => clearInterval(timer));
    // A new media source stops the element.
    video.addEventListener('emptied', () => this.#wantsPlay && this.#viewer && this.#play(), { signal });
    for (const kind of ['play', 'pause', 'volumechange', 'resize', 'seeked', 'loadeddata']) {
      video.addEventListener(kind, () => this.#render(), { signal });
    }
    window.addEventListener('swarmcast-crashed', () => this.#fail(), { signal });
    // A page that is about the player gives it its keys; on another one the player has those that are pressed inside.
    const ears = this.#hasKeysOfPage() ? document : this;
    ears.addEventListener('keydown', (event) => this.#onKey(event), { signal });
    sharing.onNetworkChange(() => this.#applyPolicy(), { signal });
    keepAwake(video, signal);
    const seekBy = (by) => this.#seekBy(by);
    tellMediaSession(video, this.getAttribute('channel'), { play: () => this.play(), pause: () => this.pause(), seekBy }, signal);
  }

  #hasKeysOfPage() {
    return this.getAttribute('keys') === 'page';
  }

  #onKey(event) {
    const action = keyAction(event);
    if (!action) return;
    event.preventDefault();
    const { video } = this.#view;
    const more = { back: () => this.#seekBy(-STEP_S), forward: () => this.#seekBy(STEP_S), louder: () => this.#setVolume(video.volume + VOLUME_STEP), quieter: () => this.#setVolume(video.volume - VOLUME_STEP) };
    (more[action] ?? this.#view.on[action])();
  }

  #fail(error) {
    if (error) console.error('swarmcast:', error);
    this.#failure = typeof WebAssembly === 'undefined' ? { state: 'unsupported', reason: 'WebAssembly' } : { state: 'failed' };
    this.#render();
  }

  #server() {
    return sessionAddress(this.getAttribute('server'));
  }

  /** Where the server's pages are. */
  #pages() {
    return this.#server().replace(/^ws/, 'http');
  }

  /** What the share dialog passes on. */
  #shared() {
    const { channel, lag_s: lag } = this.stats();
    return {
      channel: this.getAttribute('channel'), server: this.#server(), secret: this.getAttribute('secret'), key: channel ?? this.getAttribute('key'),
      shownMs: Date.now() - 1000 * (lag ?? 0),
    };
  }

  async #play() {
    const outcome = await play(this.#view.video);
    this.#sound = outcome === 'muted' && this.#silenced ? 'silenced' : outcome;
    this.#render();
  }

  #togglePlay() {
    if (this.#view.video.paused) this.play();
    else this.pause();
  }

  #toggleMute() {
    const { video } = this.#view;
    if (video.muted && video.volume === 0) video.volume = 0.5;
    this.mute(!video.muted);
    rememberVolume(video);
  }

  #setVolume(volume) {
    const { video } = this.#view;
    video.volume = Math.max(0, Math.min(1, volume));
    this.mute(video.volume === 0);
    rememberVolume(video);
  }

  /** So many seconds behind the live edge, as far as the browser still holds that. */
  #seekTo(behind) {
    this.#seekBy(behindS(this.stats()) - behind);
  }

  #seekBy(by) {
    const { video } = this.#view;
    const behind = behindS(this.stats()) - by;
    if (behind < AT_EDGE_S) return void this.seekToLive();
    if (video.buffered.length) video.currentTime = Math.max(video.buffered.start(0), video.currentTime + by);
  }

  #takeCaptions(chunk, epoch) {
    this.#captions ??= import('./captions.js').then(({ Captions }) => new Captions(this.#view.video));
    // What cannot be read, or loaded, is not shown; the picture goes on.
    this.#captions.then((captions) => captions.take(chunk, epoch)).catch(() => {});
  }

  async #toggleCaptions() {
    (await this.#captions)?.next();
    this.#render();
  }

  async #togglePip() {
    try {
      if (document.pictureInPictureElement) await document.exitPictureInPicture();
      else await this.#view.video.requestPictureInPicture?.();
    } catch {
      // There is no picture yet.
    }
  }

  #toggleSharing() {
    if (!this.#sharing.locked) this.#choose(!this.#sharing.on);
  }

  #choose(on) {
    sharing.remember(on);
    this.#setSharing({ on, locked: false, reason: on ? '' : 'you switched it off' });
  }

  /** The viewer's choice, else the page's, else the usual. */
  #uploadCap() {
    return sharing.uploadCap() ?? Number(this.getAttribute('upload-cap') ?? USUAL_UPLOAD_CAP);
  }

  #setUploadCap(cap) {
    sharing.rememberUploadCap(cap);
    this.#viewer?.setUploadCap(cap);
    this.#render();
  }

  #noticed() {
    sharing.rememberNotice();
    this.#render();
  }

  #applyPolicy() {
    const rule = sharing.stricter(this.getAttribute('sharing'), this.#rule);
    this.#setSharing(sharing.policy({ ...sharing.circumstances(), rule }));
  }

  #setSharing(next) {
    const changed = next.on !== this.#sharing.on;
    this.#sharing = next;
    if (changed) this.#viewer?.setSharing(next.on);
    this.#render();
  }

  async #showOffAir({ signal }) {
    const { OffAir } = await import('./player-offair.js');
    if (signal.aborted || !isOffAir(this.stats())) return;
    const { stage, curtain } = this.#view;
    this.#offAir ??= new OffAir({ stage, curtain, server: this.#pages(), channel: this.getAttribute('channel') });
    this.#offAir.show();
  }

  #render() {
    if (!this.#ending) return;
    const stats = this.stats();
    if (stats.sharing_rule !== this.#rule) {
      this.#rule = stats.sharing_rule;
      return this.#applyPolicy();
    }
    this.#history.note(stats);
    this.#view.render({
      stats,
      sharing: this.#sharing,
      noticed: sharing.noticed(),
      sound: this.#sound,
      cap: this.#uploadCap(),
      samples: this.#history.samples,
      keysOfPage: this.#hasKeysOfPage(),
      fills: this.hasAttribute('fill'),
    });
    this.dispatchEvent(new CustomEvent('swarmcast-stats', { detail: stats }));
    this.#announce(stats);
  }

  #announce(stats) {
    const [before, event] = [this.#told, eventBetween(this.#told, stats)];
    this.#told = stats;
    if (isOffAir(stats) && !isOffAir(before)) this.#showOffAir(this.#ending);
    if (!isOffAir(stats)) this.#offAir?.hide();
    if (!event) return;
    const { title, text } = wording(stats);
    if (event === 'live') this.#offAir?.started();
    this.dispatchEvent(new CustomEvent(event, { detail: { state: stats.state, message: `${title}. ${text}`.trim() } }));
  }
}

// Two servers' players on one page: the first one's code plays both, each from its own `server`.
if (!customElements.get('swarmcast-player')) customElements.define('swarmcast-player', SwarmcastPlayer);
