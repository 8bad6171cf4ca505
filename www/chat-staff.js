// Keys in the chat: the owner's, which the studio keeps in this browser, and a moderator's, made here. Loaded only by who
// has one or wants one.

import init, { channelOf, chatProof } from './dist/studio.js';
import { keptKey, moderatorKey } from './studio-key.js';

const ready = init({ module_or_path: new URL('./dist/studio_bg.wasm', import.meta.url) });

/** The public half of this browser's key for moderating, which is made at the first use. */
export async function moderatorId() {
  await ready;
  return channelOf(await moderatorKey());
}

/** Proves the owner's key where this browser has it, else the moderator's if there is one; null: neither. */
export async function proveKept({ nonce, channel }, isModerator) {
  await ready;
  const owner = await keptKey();
  const own = owner && channelOf(owner) === channel ? owner : null;
  const seed = own ?? (isModerator ? await moderatorKey() : null);
  if (!seed) return null;
  return { key: channelOf(seed), proof: chatProof(seed, channel, nonce) };
}
