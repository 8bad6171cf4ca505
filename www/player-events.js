// What a site that shows the player hears of it: `live`, `offline`, `stall` and `error`, found in the step from some
// figures to the next.

const FAULTS = new Set(['unsupported', 'failed', 'refused', 'uninvited', 'banned', 'locked', 'lapsed']);
const OFF_AIR = new Set(['offline', 'ended']);

/** Names of the events, also for who passes them on. */
export const EVENTS = ['live', 'offline', 'stall', 'error'];

export const isOffAir = ({ state }) => OFF_AIR.has(state);

/** Before there was a picture, nothing is live. */
const plays = ({ state, first_frame_ms: firstFrameMs }) => state === 'live' && firstFrameMs !== null;

/** The event that lies between two sets of figures, or null. */
export function eventBetween(before, now) {
  // An end often comes together with the stall that it makes.
  if (FAULTS.has(now.state)) return now.state === before.state ? null : 'error';
  if (isOffAir(now)) return isOffAir(before) ? null : 'offline';
  const stalled = now.stalls.at(-1)?.at_s ?? 0;
  if (stalled > (before.stalls.at(-1)?.at_s ?? 0)) return 'stall';
  return plays(now) && !plays(before) ? 'live' : null;
}
