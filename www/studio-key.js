// The channel's key: 32 random bytes, made in this browser and kept in its own database, and others like it. The file form is the uploader's.

const DATABASE = 'swarmcast-studio';
const STORE = 'keys';
const LABEL = 'swarmcast-key-1';
const KEY_BYTES = 32;

/** The key that this browser keeps, made at the first use. */
export async function ownKey() {
  return (await read('channel')) ?? replaceKey(randomBytes());
}

/** The channel's key, if this browser keeps one. */
export const keptKey = () => read('channel');

/** The key that moderates in the chats of others, made at the first use. */
export async function moderatorKey() {
  const kept = (await read('moderator')) ?? randomBytes();
  await write('moderator', kept);
  return kept;
}

/** Keeps another key from now on, and returns it. */
export async function replaceKey(seed) {
  await write('channel', seed);
  navigator.storage?.persist?.(); // Browsers clear what they do not think is wanted; whether they agree is up to them.
  return seed;
}

/** The key that opens this browser's private broadcasts, as text for links. */
export async function mediaKey() {
  const kept = (await read('media')) ?? randomBytes();
  await write('media', kept);
  return toText(kept);
}

/** As the uploader's `keygen` writes it. */
export const toFile = (seed) => new Blob([`${LABEL} ${toText(seed)}\n`], { type: 'text/plain' });

/** Reads what `toFile` or `keygen` wrote. */
export function fromFile(text) {
  const [label, encoded, ...rest] = text.trim().split(/\s+/);
  const seed = label === LABEL && rest.length === 0 ? fromText(encoded ?? '') : null;
  if (seed?.length !== KEY_BYTES) throw new Error('That file holds no swarmcast key.');
  return seed;
}

const randomBytes = () => crypto.getRandomValues(new Uint8Array(KEY_BYTES));

const toText = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

function fromText(text) {
  try {
    return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}

const read = (name) => within('readonly', (store) => store.get(name));
const write = (name, value) => within('readwrite', (store) => store.put(value, name));

async function within(mode, ask) {
  const database = await done(open());
  try {
    return await done(ask(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function open() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return request;
}

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
