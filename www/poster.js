// A poster of a channel: its owner's picture, else its newest keyframe, which the server hands out as it came. Decoded here into
// a canvas; the decoder is let go at once: a page of posters holds none.

const NEW_EVERY_MS = 15_000; // as often as the server takes a new one
const PATIENCE_MS = 8_000; // for a keyframe to be fetched and shown
const WIDTH = 480; // pixels: sharp in a card on a fine screen

// One after the other: phones decode few videos at once.
let turn = Promise.resolve();

export class Poster {
  #own;
  #keyframe;
  #drawn = -Infinity;
  #waiting = false;

  /** `own`: the address of the owner's picture, if there is one; `server`: whose channel it is, by default this page's. */
  constructor(channel, own, server = location.href) {
    this.#own = own && new URL(own, server);
    this.#keyframe = new URL(`/stills/${encodeURIComponent(channel)}`, server);
    this.canvas = Object.assign(document.createElement('canvas'), { width: WIDTH, height: (WIDTH * 9) / 16, hidden: true });
    this.canvas.setAttribute('aria-hidden', 'true');
  }

  /** Draws a newer picture, if it is time and somebody could see it. */
  refresh() {
    const due = performance.now() - this.#drawn >= NEW_EVERY_MS;
    if (this.#waiting || !due || !isNear(this.canvas.parentElement)) return;
    this.#waiting = true;
    turn = turn.then(() => this.#draw());
  }

  async #draw() {
    try {
      if (this.canvas.isConnected) await (this.#own ? this.#drawOwn() : this.#drawKeyframe());
    } catch {
      // A channel without a picture, or too slow a line: what was there stays.
    } finally {
      this.#drawn = performance.now();
      this.#waiting = false;
    }
  }

  async #drawOwn() {
    const answer = await fetch(this.#own, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const picture = await createImageBitmap(await answer.blob());
    this.#show(picture, picture);
    picture.close();
  }

  async #drawKeyframe() {
    const video = document.createElement('video');
    try {
      await load(video, this.#keyframe, AbortSignal.timeout(PATIENCE_MS));
      this.#show(video, { width: video.videoWidth, height: video.videoHeight });
    } finally {
      URL.revokeObjectURL(video.src);
      video.removeAttribute('src');
      video.load();
    }
  }

  #show(picture, { width, height }) {
    const { canvas } = this;
    canvas.height = Math.round((canvas.width * height) / width);
    canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);
    canvas.hidden = false;
  }
}

/** Resolves when `video` shows the keyframe at `address`. */
async function load(video, address, signal) {
  const answer = await fetch(address, { signal });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const bytes = await answer.arrayBuffer();
  const Source = window.ManagedMediaSource ?? window.MediaSource;
  const source = new Source();
  Object.assign(video, { muted: true, playsInline: true, disableRemotePlayback: true, preload: 'auto', src: URL.createObjectURL(source) });
  await happens(source, 'sourceopen', signal);
  const buffer = source.addSourceBuffer(answer.headers.get('content-type'));
  buffer.mode = 'sequence'; // its time is that of the broadcast, of which this is all there is
  buffer.appendBuffer(bytes);
  await happens(buffer, 'updateend', signal);
  const shown = happens(video, 'loadeddata', signal);
  source.endOfStream();
  await shown;
  if (!video.videoWidth) throw new Error('nothing to see');
}

function happens(target, event, signal) {
  return new Promise((resolve, reject) => {
    target.addEventListener(event, resolve, { once: true, signal });
    target.addEventListener('error', reject, { once: true, signal });
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function isNear(element) {
  const { top, bottom } = element?.getBoundingClientRect() ?? { top: Infinity, bottom: -Infinity };
  return bottom > -200 && top < innerHeight + 200;
}
