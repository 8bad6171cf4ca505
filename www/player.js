// <swarmcast-player channel="NAME" key="CHANNEL-ID" secret="MEDIA-KEY" server="https://host" upload-cap="4">: a live
// channel that plays. What sites may count on, its other attributes included, is in docs/embed.md.
//
// The viewer itself is the wasm module behind dist/viewer.js. This file starts it as early as it can, keeps it company
// through the life of the element, and shows what it says: figures -> view -> DOM.

import init, { Viewer } from './dist/viewer.js';
import { NOTHING_YET } from './figures.js';
import { eventBetween } from './player-events.js';
import { PlayerView } from './player-view.js';
import { beginSession, compiled, sessionAddress } from './session-start.js';
import * as sharing from './sharing.js';
import { play } from './sound.js';
import { wording } from './wording.js';

const REFRESH_MS = 500;
const USUAL_UPLOAD_CAP = 4;

const moduleReady = init({ module_or_path: compiled });
moduleReady.catch(() => {}); // Reported by each element.

class SwarmcastPlayer extends HTMLElement {
  static observedAttributes = ['channel', 'key', 'secret', 'server'];

  #view;
  #viewer = null;
  #ending = null; // AbortController of the current channel
  #sharing = { on: false, locked: false, reason: '' };
  #sound = 'sound';
  #wantsPlay = true;
  #failure = null;
  #told = NOTHING_YET; // the figures that the page was last told of

  constructor() {
    super();
    this.#view = new PlayerView(this.attachShadow({ mode: 'open' }), {
      onPlay: () => this.#togglePlay(),
      onMute: () => this.#toggleMute(),
      onSharing: () => this.#toggleSharing(),
      onUploadCap: (cap) => this.#setUploadCap(cap),
      onPanel: () => this.#render(),
    });
  }

  connectedCallback() {
    this.#wantsPlay = this.getAttribute('autoplay') !== 'off';
    this.#view.video.muted = this.hasAttribute('muted');
    this.#start();
  }

  disconnectedCallback() {
    this.#stop();
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
    this.#sound = muted ? 'silenced' : 'sound';
    this.#render();
  }

  /** Back to where all viewers are. Playing goes there by itself. */
  seekToLive() {
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
        sharing: this.#sharing.on,
        uploadCap: this.#uploadCap(),
        onchange: () => this.#render(),
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
    this.#viewer = null;
    this.#failure = null;
    this.#told = NOTHING_YET;
  }

  #listen(signal) {
    const timer = setInterval(() => this.#render(), REFRESH_MS);
    signal.addEventListener('abort', () => clearInterval(timer));
    // A new media source stops the element.
    this.#view.video.addEventListener('emptied', () => this.#wantsPlay && this.#viewer && this.#play(), { signal });
    for (const kind of ['play', 'pause', 'volumechange', 'resize']) {
      this.#view.video.addEventListener(kind, () => this.#render(), { signal });
    }
    window.addEventListener('swarmcast-crashed', () => this.#fail(), { signal });
    // A page that is about the player gives it its keys; on another one the player has those that are pressed inside.
    const ears = this.getAttribute('keys') === 'page' ? document : this;
    ears.addEventListener('keydown', (event) => this.#view.onKey(event), { signal });
    sharing.onNetworkChange(() => this.#applyPolicy(), { signal });
  }

  #fail(error) {
    if (error) console.error('swarmcast:', error);
    const missing = typeof WebAssembly === 'undefined' ? { state: 'unsupported', reason: 'WebAssembly' } : { state: 'failed' };
    this.#failure = missing;
    this.#render();
  }

  #server() {
    return sessionAddress(this.getAttribute('server'));
  }

  async #play() {
    this.#sound = await play(this.#view.video);
    this.#render();
  }

  #togglePlay() {
    if (this.#view.video.paused) this.play();
    else this.pause();
  }

  #toggleMute() {
    this.mute(!this.#view.video.muted);
  }

  #toggleSharing() {
    if (this.#sharing.locked) return;
    sharing.remember(!this.#sharing.on);
    const on = !this.#sharing.on;
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

  #applyPolicy() {
    this.#setSharing(sharing.policy(sharing.circumstances()));
  }

  #setSharing(next) {
    const changed = next.on !== this.#sharing.on;
    this.#sharing = next;
    if (changed) this.#viewer?.setSharing(next.on);
    this.#render();
  }

  #render() {
    if (!this.#ending) return;
    const stats = this.stats();
    this.#view.render({ stats, sharing: this.#sharing, sound: this.#sound, cap: this.#uploadCap() });
    this.dispatchEvent(new CustomEvent('swarmcast-stats', { detail: stats }));
    this.#announce(stats);
  }

  #announce(stats) {
    const event = eventBetween(this.#told, stats);
    this.#told = stats;
    if (!event) return;
    const { title, text } = wording(stats);
    this.dispatchEvent(new CustomEvent(event, { detail: { state: stats.state, message: `${title}. ${text}`.trim() } }));
  }
}

// Two servers' players on one page: the first one's code plays both, each from its own `server`.
if (!customElements.get('swarmcast-player')) customElements.define('swarmcast-player', SwarmcastPlayer);
