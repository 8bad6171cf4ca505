// Runs in every page under test before the page's own scripts: watches the picture and the network from outside
// of the player, so that the player's own figures are not believed but compared.

(() => {
  const CELLS = 16;
  const CELL_PX = 10;
  const STRIP_SHARE = 12; // the strip is a twelfth of the picture's height
  const DARK = 70;
  const BRIGHT = 185;
  const SAMPLE_MS = 200;
  const MODULO = 65536; // of the stamped 10 ms units

  const canvas = Object.assign(document.createElement('canvas'), { width: CELLS * CELL_PX, height: CELL_PX });
  const context = canvas.getContext('2d', { willReadFrequently: true });

  /** The stamp in the picture that `video` shows, in units of 10 ms modulo 65536; null if any cell is unclear. */
  function readStamp(video) {
    if (!video.videoWidth) return null;
    context.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / STRIP_SHARE, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let bit = 0;
    let stamp = 0;
    for (let cell = 0; cell < CELLS; cell++) {
      const brightness = meanBrightness(data, cell);
      if (brightness > DARK && brightness < BRIGHT) return null;
      bit ^= brightness >= BRIGHT ? 1 : 0; // Gray code, highest bit first
      stamp = stamp * 2 + bit;
    }
    return stamp;
  }

  /** Of the middle of a cell: its edges are smeared by the encoder. */
  function meanBrightness(data, cell) {
    let sum = 0;
    let count = 0;
    for (let y = 3; y < CELL_PX - 3; y++) {
      for (let x = cell * CELL_PX + 3; x < (cell + 1) * CELL_PX - 3; x++, count++) {
        const at = (y * canvas.width + x) * 4;
        sum += (data[at] + data[at + 1] + data[at + 2]) / 3;
      }
    }
    return sum / count;
  }

  /** How long ago `stamp` was now, in ms; the stamp repeats every 655 s. */
  function lagMs(stamp, wallMs = Date.now()) {
    const difference = (Math.floor(wallMs / 10) - stamp) % MODULO;
    return 10 * (((difference + MODULO * 1.5) % MODULO) - MODULO / 2);
  }

  // Frames as they reach the screen. A freeze is time in which playback made no way for want of media: nothing, if media for
  // all of the time between two callbacks lay ready; all of it if the element waited, else what its media clock fell
  // behind. So neither a late callback nor what a busy machine painted or played too late is taken for a freeze. Time in
  // which the element was paused, sought or lost its source counts whatever lay ready.
  const frames = { firstAtMs: null, count: 0, freezes: [], clock: [], unreadable: 0 };
  const HALTS = ['seeking', 'pause', 'emptied'];
  let shown = null;
  let lastFrame = null;
  let haltedMs = -Infinity;
  let waitedMs = -Infinity;
  let lastSampleMs = -Infinity;

  /** How long the picture stood still between the last frame and `nowMs`, when `mediaS` of the media is shown. */
  function stoodMs(nowMs, mediaS) {
    const wallMs = nowMs - lastFrame.nowMs;
    if (haltedMs >= lastFrame.nowMs || shown.paused || lastFrame.video !== shown) return wallMs;
    if (lastFrame.readyMs >= wallMs) return 0;
    if (waitedMs >= lastFrame.nowMs) return wallMs;
    return Math.max(0, wallMs - (mediaS - lastFrame.mediaS) * 1000 / shown.playbackRate);
  }

  /** How long the media after `mediaS` lasts, up to the next gap. */
  function readyMs({ buffered, playbackRate }, mediaS) {
    for (let range = 0; range < buffered.length; range++) {
      const [start, end] = [buffered.start(range), buffered.end(range)];
      if (start <= mediaS && mediaS < end) return (end - mediaS) * 1000 / playbackRate;
    }
    return 0;
  }

  function onFrame(video, nowMs, { mediaTime: mediaS }) {
    if (video !== shown) return;
    frames.firstAtMs ??= nowMs;
    frames.count++;
    if (lastFrame) {
      const ms = stoodMs(nowMs, mediaS);
      if (ms > 100) frames.freezes.push({ atMs: lastFrame.nowMs, ms });
    }
    lastFrame = { video, nowMs, mediaS, readyMs: readyMs(video, mediaS) };
    if (nowMs - lastSampleMs >= SAMPLE_MS) {
      lastSampleMs = nowMs;
      const stamp = readStamp(video);
      if (stamp === null) frames.unreadable++;
      else frames.clock.push({ atMs: nowMs, stamp, lagMs: lagMs(stamp) });
    }
    follow(video);
  }

  const follow = (video) => video.requestVideoFrameCallback((now, metadata) => onFrame(video, now, metadata));

  function findVideo(root = document) {
    for (const element of root.querySelectorAll('*')) {
      if (element instanceof HTMLVideoElement) return element;
      const inside = element.shadowRoot && findVideo(element.shadowRoot);
      if (inside) return inside;
    }
    return null;
  }

  function attach() {
    if (!shown?.isConnected) {
      const video = findVideo();
      if (video) {
        shown = video;
        video.addEventListener('waiting', () => { waitedMs = performance.now(); });
        for (const halt of HALTS) video.addEventListener(halt, () => { haltedMs = performance.now(); });
        follow(video);
      }
    }
    setTimeout(attach, shown ? 250 : 10);
  }

  // Everything that could tell an address: connections made and candidates gathered.
  const network = { connections: 0, candidates: 0 };
  const connections = [];
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(configuration = {}) {
      super(window.onlyRelayed ? { ...configuration, iceTransportPolicy: 'relay' } : configuration);
      connections.push(this);
      network.connections++;
      this.addEventListener('icecandidate', (event) => event.candidate?.candidate && network.candidates++);
    }
  };

  window.underTest = {
    readStamp,
    lagMs,
    frames,
    network,
    /** By what way each open connection goes, as seen from here: `host`, `srflx`, `prflx` or `relay`. */
    ways: () => connections
      .filter(({ connectionState }) => connectionState === 'connected')
      .map(({ sctp }) => sctp.transport.iceTransport.getSelectedCandidatePair().local.type),
    video: () => shown,
    now: () => performance.now(),

    /** The longest time the picture stood still after `sinceMs`, one that goes on still included. */
    longestFreezeMs(sinceMs) {
      const now = performance.now();
      const standing = Math.min(now - sinceMs, lastFrame ? stoodMs(now, shown.currentTime) : Infinity);
      const past = frames.freezes.map(({ atMs, ms }) => Math.min(ms, atMs + ms - sinceMs));
      return Math.max(0, standing, ...past);
    },

    lagsMs: (sinceMs) => frames.clock.filter(({ atMs }) => atMs >= sinceMs).map((sample) => sample.lagMs),

    /** The loudest moment of `seconds`, 0 (silence) to 1. */
    async loudness(seconds) {
      const audio = new AudioContext();
      await audio.resume();
      const analyser = audio.createAnalyser();
      audio.createMediaStreamSource(shown.captureStream()).connect(analyser);
      const samples = new Float32Array(analyser.fftSize);
      let loudest = 0;
      const end = performance.now() + seconds * 1000;
      while (performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        analyser.getFloatTimeDomainData(samples);
        for (const sample of samples) loudest = Math.max(loudest, Math.abs(sample));
      }
      await audio.close();
      return loudest;
    },
  };

  attach();
})();
