// The page's end of a framed player: the methods and events of <swarmcast-player>, spoken over messages.
//
//   const player = new SwarmcastFrame(document.querySelector('iframe'));
//   player.addEventListener('live', () => { ... });
//   await player.mute(false);
//
// Hears nobody but the frame it was made for, and only while that shows a page of the server it was made with.

const VERSION = 1; // of the messages
const EVENTS = new Set(['live', 'offline', 'stall', 'error']);

/** Calls that may wait for an answer at once. 64: one a second for a minute to a frame that has stopped answering. */
const CALLS_MAX = 64;

export class SwarmcastFrame extends EventTarget {
  #frame;
  #origin;
  #calls = new Map();
  #number = 0;
  #listening = new AbortController();
  #greeted;

  /** `frame`: an <iframe> that shows /embed/NAME of a server. */
  constructor(frame) {
    super();
    this.#frame = frame;
    this.#origin = new URL(frame.src, location.href).origin;
    /** Settled once the frame answers. */
    this.ready = new Promise((resolve) => (this.#greeted = resolve));
    addEventListener('message', (event) => this.#hear(event), { signal: this.#listening.signal });
    this.#greet();
  }

  play() {
    return this.#call('play');
  }

  pause() {
    return this.#call('pause');
  }

  mute(muted = true) {
    return this.#call('mute', muted);
  }

  seekToLive() {
    return this.#call('seekToLive');
  }

  stats() {
    return this.#call('stats');
  }

  /** Stops listening. Calls that wait for an answer fail. */
  close() {
    this.#listening.abort();
    this.#fail('the frame was let go');
  }

  #fail(why) {
    for (const { reject } of this.#calls.values()) reject(new Error(why));
    this.#calls.clear();
  }

  async #call(call, argument) {
    await this.ready;
    return this.#ask(call, argument);
  }

  #ask(call, argument) {
    if (this.#listening.signal.aborted) return Promise.reject(new Error('the frame was let go'));
    if (this.#calls.size >= CALLS_MAX) return Promise.reject(new Error('the frame does not answer'));
    const id = ++this.#number;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#frame.contentWindow?.postMessage({ swarmcast: VERSION, id, call, argument }, this.#origin);
    });
  }

  // A frame that is still on its way does not hear this; it says `ready` when it is there. One that was loaded anew
  // knows nothing of earlier calls.
  #greet() {
    this.#fail('the frame was loaded anew');
    this.#ask('hello').then(this.#greeted, () => {});
  }

  #hear({ source, origin, data }) {
    if (source !== this.#frame.contentWindow || origin !== this.#origin || data?.swarmcast !== VERSION) return;
    if (data.event === 'ready') this.#greet();
    else if (EVENTS.has(data.event)) this.dispatchEvent(new CustomEvent(data.event, { detail: data.detail }));
    else this.#answered(data);
  }

  #answered({ id, result, error }) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error === undefined) call?.resolve(result);
    else call?.reject(new Error(error));
  }
}
