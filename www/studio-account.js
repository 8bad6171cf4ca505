// The channel's name on this server: taken with the channel's key before the first broadcast (docs/api.md).

import { authorize, solve } from './dist/studio.js';

/** Takes the name if it is free. Whose it is otherwise, the server says when the broadcast begins. */
export async function claimIfFree(name, seed, invite) {
  const path = `/api/v1/channels/${encodeURIComponent(name)}`;
  const known = await fetch(path, { cache: 'no-store' });
  if (known.status !== 404) return;
  const challenge = await fetch('/api/v1/challenges', { method: 'POST' });
  if (!challenge.ok) throw new Error(await reason(challenge));
  const { nonce, work_bits: bits, registration } = await challenge.json();
  const claim = registration === 'invite' ? { invite } : { work: solve(seed, nonce, bits) };
  const body = new TextEncoder().encode(JSON.stringify(claim));
  const headers = { authorization: authorize(seed, 'PUT', path, nonce, body), 'content-type': 'application/json' };
  const answer = await fetch(path, { method: 'PUT', headers, body });
  if (!answer.ok) throw new Error(await reason(answer));
}

/** Whether this server takes new names only from those who were invited. */
export async function asksForInvite() {
  const challenge = await fetch('/api/v1/challenges', { method: 'POST' });
  return challenge.ok && (await challenge.json()).registration === 'invite';
}

/** A refusal in the server's words. */
export async function reason(answer) {
  try {
    return (await answer.json()).detail;
  } catch {
    return `The server refuses that (status ${answer.status}).`;
  }
}
