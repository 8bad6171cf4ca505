// A poster of a live channel: its newest keyframe, which the server hands out as it came, decoded here into a canvas. The
// decoder is let go at once: a page of posters holds none.

const NEW_EVERY_MS = 15_000; // as often as the server takes a new one
const PATIENCE_MS = 8_000; // for a keyframe to be fetched and shown
const WIDTH = 480; // pixels: sharp in a card on a fine screen

// One after the other: phones decode few videos at once.
let turn = Promise.resolve();

export class Poster {
  #address;
  #drawn = -Infinity;
  #waiting = false;

  constructor(channel) {
    this.#address = `/stills/${encodeURIComponent(channel)}`;
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
    const video = document.createElement('video');
    try {
      if (!this.canvas.isConnected) return;
      await load(video, this.#address, AbortSignal.timeout(PATIENCE_MS));
      const { canvas } = this;
      canvas.height = Math.round((canvas.width * video.videoHeight) / video.videoWidth);
      canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
      canvas.hidden = false;
    } catch {
      // A channel without a picture, or too slow a line: what was there stays.
    } finally {
      URL.revokeObjectURL(video.src);
      video.removeAttribute('src');
      video.load();
      this.#drawn = performance.now();
      this.#waiting = false;
    }
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
