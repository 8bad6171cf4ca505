// How a broadcast goes, in words that say what to do. Pure: seconds of figures in, lines out.

/** Seconds that a trouble must last before it is told, so that a hiccup is not. */
const LASTING_S = 3;

const KEYFRAMES_MS = 2_500;
const SILENT_DB = -70;

/**
 * `seconds`: the newest last, each with `unsentBytes`, `sentBytes`, `left`, `encoded`, `links`, `level`, `muted`,
 * `keyframeMs`, `trouble`, `state`; `bitrate`: bits a second; `uplink`: what the line carried when it was measured, in bits a
 * second, or null. Lines `{ level: good|warning|trouble, text }`.
 */
export function health(seconds, bitrate, uplink) {
  const lately = seconds.slice(-LASTING_S);
  const now = seconds.at(-1);
  if (!now) return [];
  const lines = [];
  const tell = (level, text) => lines.push({ level, text });
  const lasts = (is) => lately.length === LASTING_S && lately.every(is);

  if (now.state === 'reconnecting') {
    tell('trouble', 'The server is out of reach. Those who watch go on; nobody new can join. Trying again.');
  }
  if (lasts(({ unsentBytes }) => unsentBytes > bitrate / 16)) {
    const direct = now.links === 1 ? 'one direct viewer' : `${now.links} direct viewers`;
    const whom = now.links === 0 ? 'the server alone' : `${direct} and the server`;
    const carries = uplink === null ? '' : ` It carried ${(uplink / 1e6).toFixed(1)} Mb/s before.`;
    tell('trouble', `Your uplink is too slow for ${whom}: what should go out waits.${carries} Lower the quality.`);
  }
  const made = lately.reduce((sum, { encoded }) => sum + encoded, 0);
  const left = lately.reduce((sum, second) => sum + second.left, 0);
  if (now.state === 'live' && lasts(({ encoded }) => encoded === 0)) {
    tell('trouble', 'No picture goes out: the camera gives none, or this browser cannot encode it. Take another camera, or stop and begin again.');
  }
  if (left > 0.1 * (made + left) && lately.length === LASTING_S) {
    const percent = Math.round((100 * left) / (made + left));
    tell('warning', `This machine is too slow: ${percent} % of the pictures are left out. Close other programs, or lower the quality.`);
  }
  if (now.keyframeMs > KEYFRAMES_MS) {
    tell('warning', `Keyframes are ${(now.keyframeMs / 1000).toFixed(1)} s apart, so new viewers wait. This machine may be too slow.`);
  }
  if (now.muted) tell('warning', 'You are muted.');
  else if (lasts(({ level }) => level < SILENT_DB)) tell('warning', 'There is no sound. Is it the right microphone, and is it on?');
  if (now.trouble) tell('warning', now.trouble);
  if (!lines.some(({ level }) => level !== 'good')) {
    tell('good', now.state === 'live' ? 'All is well.' : 'Waiting for the first picture.');
  }
  return lines;
}
