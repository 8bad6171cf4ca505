// What the broadcaster shows and says: camera, screen or both as pictures, microphone and the screen's sound as one sound.
// Pictures come out as VideoFrames, sound as AudioData, each with its time of capture by the page's clock.

import { CaptureClock } from './studio-clock.js';

const SAMPLE_RATE = 48_000;
const CHANNELS = 2;

/** A picture that stands still longer than this is sent again: viewers would wait for it in vain. */
const STILL_MS = 100;
const TICK_MS = 33;

/** The camera's part of the picture's width, and its distance from the corner, when both are shown. */
const INSET = 0.24;
const INSET_MARGIN = 0.02;

/** Cameras and microphones, once the person has let us see them. */
export async function devices() {
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind, word) => all
    .filter((device) => device.kind === kind && device.deviceId)
    .map(({ deviceId, label }, index) => ({ id: deviceId, label: label || `${word} ${index + 1}` }));
  return { cameras: of('videoinput', 'Camera'), microphones: of('audioinput', 'Microphone') };
}

export class Sources {
  /** What is shown here, and the camera in its corner where both are. */
  preview = new MediaStream();
  inset = null;
  muted = false;
  #streams = { camera: null, screen: null, microphone: null };
  #readers = { camera: null, screen: null };
  #sound = null;
  #loudest = 0;
  #metronome = null;
  #canvas = null;
  #latest = { camera: null, screen: null };
  #shownAt = 0;
  #clocks = { camera: null, screen: null, sound: new CaptureClock() };
  #onPicture;
  #onSound;
  #onEnded;

  /** `onPicture(VideoFrame, atMs)` must close the frame; `onSound(planes, atMs)`; `onEnded(what)`: a device is gone. */
  constructor({ onPicture, onSound, onEnded }) {
    this.#onPicture = onPicture;
    this.#onSound = onSound;
    this.#onEnded = onEnded;
  }

  /** Opens what is wanted anew: `picture` is camera, screen or both; throws what the browser says. */
  async open({ picture, camera, microphone, height, rate }) {
    for (const kind of ['camera', 'screen']) this.#stopPicture(kind);
    if (picture !== 'camera') {
      this.#streams.screen = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: rate }, audio: true });
    }
    if (picture !== 'screen') await this.#openCamera({ camera, height, rate });
    await this.listenTo(microphone);
    for (const kind of ['camera', 'screen']) this.#read(kind);
    this.#preview();
    this.#tick();
  }

  /** Another camera in place of the one that is open; a screen stays. */
  async lookThrough({ camera, height, rate }) {
    this.#stopPicture('camera'); // A phone opens one at a time.
    await this.#openCamera({ camera, height, rate });
    this.#read('camera');
    this.#preview();
  }

  async #openCamera({ camera, height, rate }) {
    const chosen = camera ? { deviceId: { exact: camera } } : { facingMode: 'user' };
    this.#streams.camera = await navigator.mediaDevices.getUserMedia({ video: { ...size(height, rate), ...chosen } });
  }

  #preview() {
    const { screen, camera } = this.#streams;
    this.preview = new MediaStream((screen ?? camera).getVideoTracks());
    this.inset = screen && camera ? new MediaStream(camera.getVideoTracks()) : null;
  }

  /** What the browser says of the camera that is open: its `deviceId`, and which way it faces. */
  get camera() {
    return this.#streams.camera?.getVideoTracks()[0].getSettings() ?? null;
  }

  /** Asks the camera for another size. A screen keeps its own, and needs not be chosen again: the encoder makes it smaller. */
  async resize({ height, rate }) {
    const [track] = this.#streams.camera?.getVideoTracks() ?? [];
    await track?.applyConstraints(size(height, rate));
  }

  /** Another microphone; `null`: none. */
  async listenTo(microphone) {
    stop(this.#streams.microphone);
    this.#streams.microphone = null;
    if (microphone !== null) {
      const chosen = microphone ? { deviceId: { exact: microphone } } : {};
      const audio = { ...chosen, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
      this.#streams.microphone = await navigator.mediaDevices.getUserMedia({ audio });
      this.#watch(this.#streams.microphone, 'microphone');
    }
    await this.#mix();
  }

  /** The loudest 20 ms since this was last asked, in decibels below full scale. */
  loudest() {
    const power = this.#loudest;
    this.#loudest = 0;
    return 10 * Math.log10(power);
  }

  #stopPicture(kind) {
    this.#readers[kind]?.();
    stop(this.#streams[kind]);
    this.#latest[kind]?.close();
    this.#readers[kind] = this.#streams[kind] = this.#latest[kind] = null;
  }

  #watch(stream, what) {
    for (const track of stream.getTracks()) track.addEventListener('ended', () => this.#onEnded(what));
  }

  /** Follows a picture's track, frame by frame. */
  #read(kind) {
    const stream = this.#streams[kind];
    if (!stream) return;
    this.#watch(stream, kind);
    this.#clocks[kind] = new CaptureClock(); // Each device begins to count when it is opened.
    const [track] = stream.getVideoTracks();
    const take = (frame) => this.#take(kind, frame);
    this.#readers[kind] = 'MediaStreamTrackProcessor' in window ? readTrack(track, take) : watchElement(track, take);
  }

  #take(kind, frame) {
    this.#latest[kind]?.close();
    this.#latest[kind] = frame;
    // Both: the camera sets the pace, as a screen's frames only come when something changes on it.
    const leads = kind === 'camera' || !this.#streams.camera;
    if (leads) this.#show(this.#clocks[kind].place(frame.timestamp / 1000, performance.now()));
  }

  /** Sends the newest picture again if nothing has moved for a while. */
  #tick() {
    if (this.#metronome) return;
    this.#metronome = new Worker(new URL('./studio-metronome.js', import.meta.url));
    this.#metronome.onmessage = () => {
      const now = performance.now();
      if (now - this.#shownAt > STILL_MS) this.#show(now);
    };
    this.#metronome.postMessage(TICK_MS);
  }

  #show(atMs) {
    const { camera, screen } = this.#latest;
    const main = screen ?? camera;
    if (!main) return;
    this.#shownAt = performance.now();
    const timestamp = Math.round(atMs * 1000);
    const both = screen && camera;
    this.#onPicture(new VideoFrame(both ? this.#compose(screen, camera) : main, { timestamp }), atMs);
  }

  #compose(screen, camera) {
    this.#canvas ??= new OffscreenCanvas(1, 1);
    const { displayWidth: width, displayHeight: height } = screen;
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    const context = this.#canvas.getContext('2d', { alpha: false });
    context.drawImage(screen, 0, 0);
    const inset = width * INSET;
    const tall = (inset * camera.displayHeight) / camera.displayWidth;
    const margin = width * INSET_MARGIN;
    context.drawImage(camera, width - inset - margin, height - tall - margin, inset, tall);
    return this.#canvas;
  }

  /** One sound of all: the encoder's track never changes, whatever is plugged in. */
  async #mix() {
    this.#sound ??= await this.#listen();
    const { context, inputs, bus } = this.#sound;
    for (const input of inputs.splice(0)) input.disconnect();
    for (const stream of [this.#streams.microphone, this.#streams.screen]) {
      if (!stream?.getAudioTracks().length) continue;
      const input = context.createMediaStreamSource(stream);
      input.connect(bus);
      inputs.push(input);
    }
    context.resume().catch(() => {});
  }

  async #listen() {
    const context = new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: 'interactive' });
    await context.audioWorklet.addModule(new URL('./studio-worklet.js', import.meta.url));
    const bus = context.createGain();
    const listener = new AudioWorkletNode(context, 'listener', { channelCount: CHANNELS, channelCountMode: 'explicit', numberOfOutputs: 1 });
    listener.port.onmessage = ({ data: { atMs, planes } }) => {
      if (this.muted) for (const plane of planes) plane.fill(0);
      const [plane] = planes;
      this.#loudest = Math.max(this.#loudest, plane.reduce((sum, sample) => sum + sample * sample, 0) / plane.length);
      this.#onSound(planes, this.#clocks.sound.place(atMs, performance.now()));
    };
    bus.connect(listener).connect(context.destination); // Silent, but what leads nowhere is not run.
    return { context, bus, inputs: [] };
  }
}

const size = (height, rate) => ({ height: { ideal: height }, width: { ideal: Math.round((height * 16) / 9) }, frameRate: { ideal: rate } });

function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function readTrack(track, take) {
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      take(value);
    }
  })().catch(() => {}); // The track has ended, which `ended` tells.
  return () => reader.cancel().catch(() => {});
}

/** For browsers that do not hand out a track's frames: takes them from an element that plays it. */
function watchElement(track, take) {
  const video = Object.assign(document.createElement('video'), { muted: true, playsInline: true, srcObject: new MediaStream([track]) });
  let going = true;
  const next = (now) => {
    if (!going) return;
    take(new VideoFrame(video, { timestamp: Math.round(now * 1000) }));
    video.requestVideoFrameCallback(next);
  };
  video.requestVideoFrameCallback(next);
  video.play().catch(() => {});
  return () => {
    going = false;
    video.srcObject = null;
  };
}
