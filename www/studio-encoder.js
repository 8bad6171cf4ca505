// Pictures and sound to what viewers' browsers decode: H.264 (else VP9) and Opus, by WebCodecs.

const KEYFRAME_EVERY_MS = 1_000;

/** Pictures that may wait in the encoder; further ones are left out, as each would come later than the one before. */
const WAITING_MAX = 2;

const AUDIO = { codec: 'opus', sampleRate: 48_000, numberOfChannels: 2, bitrate: 96_000, opus: { frameDuration: 20_000 } };

/** Pictures, best first; a level is ten times its name (VP9), and enough for the size (H.264 table A-1, VP9 Annex A). */
const VIDEO = [
  { kind: 'h264', codec: ({ height }) => (height > 720 ? 'avc1.42e028' : 'avc1.42e01f'), rest: { avc: { format: 'avc' } } },
  { kind: 'vp9', level: ({ height }) => (height > 720 ? 40 : 31), codec: ({ height }) => (height > 720 ? 'vp09.00.40.08' : 'vp09.00.31.08'), rest: {} },
];

/** What a broadcast may look like, best first; `kilobits` of picture a second, and the `least` that this size is worth. */
export const QUALITIES = [
  { id: '1080', label: '1080p', height: 1080, rate: 30, kilobits: 4000, least: 3200 },
  { id: '720', label: '720p', height: 720, rate: 30, kilobits: 2200, least: 1600 },
  { id: '480', label: '480p', height: 480, rate: 30, kilobits: 1100, least: 800 },
  { id: '360', label: '360p', height: 360, rate: 30, kilobits: 600, least: 450 },
  { id: '240', label: '240p', height: 240, rate: 24, kilobits: 300, least: 200 },
];

/** Bits a second of picture and sound, with what the boxes around them add. */
export const bitrate = ({ kilobits }) => kilobits * 1000 + AUDIO.bitrate + 64_000;

/** What is missing to go live from this browser, in words; `null`: nothing. */
export function missing() {
  if (!window.isSecureContext) return 'Browsers give cameras only to pages with https: (or on this machine). Ask the operator of this server for TLS.';
  if (!navigator.mediaDevices?.getUserMedia) return 'This browser gives no camera or microphone to pages.';
  if (!('VideoEncoder' in window)) return 'This browser cannot encode video (WebCodecs). Use a current Chrome, Edge, Firefox or Safari, or an encoder such as OBS.';
  if (!('AudioEncoder' in window)) return 'This browser cannot encode sound (WebCodecs). Use a current Chrome, Edge, Firefox or Safari, or an encoder such as OBS.';
  if (!('indexedDB' in window)) return 'This browser keeps nothing for pages, not even your channel’s key.';
  return null;
}

export class Encoder {
  /** Pictures left out because this machine was too slow. */
  left = 0;
  encoded = 0;
  #quality;
  #out;
  #onTrouble;
  #video = null;
  #audio = null;
  #size = null;
  #kind = null;
  #keyframeAt = -Infinity;

  /** `out` is the module's Broadcaster. */
  constructor(quality, out, onTrouble) {
    this.#quality = quality;
    this.#out = out;
    this.#onTrouble = onTrouble;
  }

  /** Another quality from the next picture on. */
  use(quality) {
    this.#quality = quality;
    this.#size = null;
  }

  /** Takes a picture, and closes it. */
  async picture(frame, atMs) {
    try {
      const size = fitted(frame, this.#quality.height);
      if (this.#size?.width !== size.width || this.#size?.height !== size.height) {
        this.#size = size;
        await this.#configure(size);
      }
      if (this.#video?.state !== 'configured' || this.#video.encodeQueueSize > WAITING_MAX) {
        this.left += 1;
        return;
      }
      const keyFrame = atMs - this.#keyframeAt >= KEYFRAME_EVERY_MS - 5;
      if (keyFrame) this.#keyframeAt = atMs;
      this.#video.encode(frame, { keyFrame });
    } finally {
      frame.close();
    }
  }

  /** Takes 20 ms of sound, one Float32Array a channel. */
  sound(planes, atMs) {
    this.#audio ??= this.#soundEncoder();
    if (this.#audio.state !== 'configured') return;
    const data = new Float32Array(planes.reduce((sum, plane) => sum + plane.length, 0));
    planes.forEach((plane, index) => data.set(plane, index * plane.length));
    const audio = new AudioData({
      format: 'f32-planar', sampleRate: AUDIO.sampleRate, numberOfChannels: planes.length, numberOfFrames: planes[0].length,
      timestamp: Math.round(atMs * 1000), data,
    });
    this.#audio.encode(audio);
    audio.close();
  }

  close() {
    for (const encoder of [this.#video, this.#audio]) if (encoder && encoder.state !== 'closed') encoder.close();
  }

  async #configure(size) {
    const { rate, kilobits } = this.#quality;
    for (const { kind, level, codec, rest } of VIDEO) {
      const wanted = {
        codec: codec(size), ...size, ...rest, bitrate: kilobits * 1000, framerate: rate, latencyMode: 'realtime', bitrateMode: 'constant',
      };
      const { supported } = await VideoEncoder.isConfigSupported(wanted).catch(() => ({ supported: false }));
      if (!supported) continue;
      if (this.#video?.state !== 'configured') this.#video = this.#pictureEncoder();
      this.#kind = { kind, level: level?.(size) };
      this.#video.configure(wanted);
      this.#keyframeAt = -Infinity;
      return;
    }
    this.#onTrouble('This browser can encode neither H.264 nor VP9 in this size. Choose a smaller quality.');
  }

  #pictureEncoder() {
    return new VideoEncoder({
      output: (chunk, { decoderConfig } = {}) => {
        const data = new Uint8Array(chunk.byteLength);
        chunk.copyTo(data);
        if (decoderConfig && this.#kind.kind === 'h264') this.#out.describeH264(bytes(decoderConfig.description));
        if (decoderConfig && this.#kind.kind === 'vp9') this.#out.describeVp9(data, this.#kind.level);
        this.#out.picture(data, chunk.timestamp / 1000);
        this.encoded += 1;
      },
      error: (error) => this.#fail('video', error),
    });
  }

  #soundEncoder() {
    const encoder = new AudioEncoder({
      output: (chunk) => {
        const data = new Uint8Array(chunk.byteLength);
        chunk.copyTo(data);
        this.#out.sound(data, chunk.timestamp / 1000);
      },
      error: (error) => this.#fail('sound', error),
    });
    encoder.configure(AUDIO);
    this.#out.describeOpus(AUDIO.numberOfChannels);
    return encoder;
  }

  /** An encoder that has failed is made anew with the next picture or sound. */
  #fail(what, error) {
    console.error(`swarmcast: the ${what} encoder failed`, error);
    this.#onTrouble(`The browser’s ${what} encoder failed (${error.message}); it is started anew.`);
    if (what === 'sound') this.#audio = null;
    else [this.#video, this.#size] = [null, null];
  }
}

/** The size of a picture no higher than `height`, in whole pairs of pixels as encoders want them. */
function fitted({ displayWidth, displayHeight }, height) {
  const scale = Math.min(1, height / Math.min(displayWidth, displayHeight));
  const even = (length) => Math.max(2, Math.round((length * scale) / 2) * 2);
  return { width: even(displayWidth), height: even(displayHeight) };
}

const bytes = (description) => (ArrayBuffer.isView(description)
  ? new Uint8Array(description.buffer, description.byteOffset, description.byteLength) : new Uint8Array(description));
