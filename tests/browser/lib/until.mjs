// Waiting: for a condition with a deadline, never for time to pass. The one exception, `watch`, is a scenario
// that observes for a stated while.

import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 50;

/** Asks `probe` until it returns something truthy, and returns that; after `seconds`, fails naming `what`. */
export async function until(what, seconds, probe, guard = () => {}) {
  const deadline = performance.now() + seconds * 1000;
  let last;
  for (;;) {
    guard();
    try {
      const answer = await probe();
      if (answer) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`not within ${seconds} s: ${what}${last ? ` (${last.message})` : ''}`);
    }
    await pause(POLL_MS);
  }
}

export const watch = (seconds) => pause(seconds * 1000);

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
