// What the server hears from a channel's key beside the broadcast: requests that it signs, and the claim of the channel's
// name before the first broadcast (docs/api.md).

import { authorize, solve } from './dist/studio.js';

/** Takes the name if it is free. Whose it is otherwise, the server says when the broadcast begins. */
export async function claimIfFree(name, seed, invite) {
  const path = `/api/v1/channels/${encodeURIComponent(name)}`;
  const known = await fetch(path, { cache: 'no-store' });
  if (known.status !== 404) return;
  const { nonce, work_bits: bits, registration } = await challenge();
  const claim = registration === 'invite' ? { invite } : { work: solve(seed, nonce, bits) };
  const body = new TextEncoder().encode(JSON.stringify(claim));
  const headers = { authorization: authorize(seed, 'PUT', path, nonce, body), 'content-type': 'application/json' };
  await answered(fetch(path, { method: 'PUT', headers, body }));
}

/** Whether this server takes new names only from those who were invited. */
export const asksForInvite = async () => (await challenge()).registration === 'invite';

/** Sends `length` bytes that the server throws away, with a key that it need not know; milliseconds that they took. */
export async function sendToNobody(length, seed, signal) {
  const path = '/api/v1/upload-tests';
  const { nonce } = await challenge(signal);
  const headers = { authorization: authorize(seed, 'POST', path, nonce, new Uint8Array()) };
  const began = performance.now();
  await answered(fetch(path, { method: 'POST', headers, body: new Uint8Array(length), signal }));
  return performance.now() - began;
}

async function challenge(signal) {
  const answer = await answered(fetch('/api/v1/challenges', { method: 'POST', signal }));
  return answer.json();
}

/** The answer; a refusal is thrown in the server’s words. */
async function answered(request) {
  const answer = await request;
  if (answer.ok) return answer;
  throw new Error(await reason(answer));
}

/** A refusal in the server’s words. */
export async function reason(answer) {
  const { detail } = await answer.json().catch(() => ({}));
  return detail ?? `The server refuses that (status ${answer.status}).`;
}
