// The viewer's figures before there is a viewer, and figures in words.

/** What `stats()` says until the module runs. The names are those of the module. */
export const NOTHING_YET = Object.freeze({
  state: 'connecting',
  reason: null,
  channel: null,
  peer: null,
  epoch: null,
  generation: 0,
  lag_s: null,
  target_lag_s: 1.5,
  following: true,
  buffer_s: 0,
  stalls: [],
  first_frame_ms: null,
  playback_rate: 1,
  bytes: { viewers: 0, source: 0, relay: 0, duplicates: 0 },
  uploaded_bytes: 0,
  links: [],
  pieces: { received: 0, verified: 0, rejected: 0, repaired: 0 },
  attempt: 0,
  candidates_gathered: 0,
  viewers: 0,
  sharing: false,
  sharing_rule: null,
});

export const seconds = (value) => (value == null ? '–' : `${value.toFixed(1)} s`);

export function bytes(count) {
  if (count < 1e6) return `${Math.round(count / 1e3)} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(2)} GB`;
}

/** Where the bytes came from, as shares of the whole. */
export function shares({ viewers, source, relay }) {
  const total = viewers + source + relay;
  const share = (count) => (total ? count / total : 0);
  return { total, viewers: share(viewers), source: share(source), relay: share(relay) };
}

/** A length of time as on a clock: `0:07`, `1:05`. */
export function clock(length) {
  const whole = Math.round(length);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** Seconds that the viewer has gone back from where all viewers are. */
export function behindS({ following, lag_s: lag, target_lag_s: target }) {
  return following || lag === null ? 0 : Math.max(0, lag - target);
}
