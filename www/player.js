// <swarmcast-player channel="NAME" key="CHANNEL-ID" secret="MEDIA-KEY" server="https://host" upload-cap="4">: a live
// channel that plays.
//
// The viewer itself is the wasm module behind dist/viewer.js. This file starts it as early as it can, keeps it company
// through the life of the element, and shows what it says: figures -> view -> DOM.

import init, { Viewer } from './dist/viewer.js';
import { NOTHING_YET } from './figures.js';
import { PlayerView } from './player-view.js';
import { beginSession, compiled, sessionAddress } from './session-start.js';
import * as sharing from './sharing.js';
import { play } from './sound.js';

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
    return { ...NOTHING_YET, sharing: this.#sharing.on, ...figures, ...this.#failure };
  }

  async #start() {
    this.#stop();
    const channel = this.getAttribute('channel');
    if (!channel) return;
    const ending = (this.#ending = new AbortController());
    const { signal } = ending;
    const begun = beginSession(this.#server());
    this.#applyPolicy();
    this.#listen(signal);
    this.#render();
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
    this.#viewer = null;
    this.#failure = null;
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
    document.addEventListener('keydown', (event) => this.#view.onKey(event), { signal });
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
    const { video } = this.#view;
    this.#wantsPlay = video.paused;
    if (video.paused) this.#play();
    else video.pause();
  }

  #toggleMute() {
    const { video } = this.#view;
    video.muted = !video.muted;
    this.#sound = video.muted ? 'silenced' : 'sound';
    this.#render();
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
  }
}

customElements.define('swarmcast-player', SwarmcastPlayer);
