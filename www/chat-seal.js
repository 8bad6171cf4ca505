// The chat of a private channel: name and text are encrypted in the page, with a key made from the link's own, so that the
// server passes on what it cannot read. AES-256-GCM (NIST SP 800-38D), key by HKDF (RFC 5869).

const NONCE_BYTES = 12;
const LABEL = 'swarmcast/1 chat';

export class Sealing {
  #key;
  #channel;

  /** `secret`: the media key of the link. Browsers have the means only on pages with `https:`, or on the same machine. */
  static async of(secret, channel) {
    if (!globalThis.crypto?.subtle) return null;
    const base = await crypto.subtle.importKey('raw', bytesOf(secret), 'HKDF', false, ['deriveKey']);
    const how = { name: 'HKDF', hash: 'SHA-256', salt: new TextEncoder().encode(channel), info: new TextEncoder().encode(LABEL) };
    const sealing = new Sealing();
    sealing.#key = await crypto.subtle.deriveKey(how, base, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
    sealing.#channel = new TextEncoder().encode(channel);
    return sealing;
  }

  async seal(line) {
    const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
    const plain = new TextEncoder().encode(JSON.stringify(line));
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonce, additionalData: this.#channel }, this.#key, plain);
    return textOf(new Uint8Array([...nonce, ...new Uint8Array(sealed)]));
  }

  /** `{ name, text }`, or null: nobody with the link wrote that. */
  async open(text) {
    try {
      const bytes = bytesOf(text);
      const how = { name: 'AES-GCM', iv: bytes.subarray(0, NONCE_BYTES), additionalData: this.#channel };
      const plain = await crypto.subtle.decrypt(how, this.#key, bytes.subarray(NONCE_BYTES));
      const { name, text: said } = JSON.parse(new TextDecoder().decode(plain));
      return typeof name === 'string' && typeof said === 'string' ? { name: shown(name, 24), text: shown(said, 300) } : null;
    } catch {
      return null;
    }
  }
}

// As the server does with lines that it can read: nothing invisible, nothing that turns text around, but what emoji need.
const shown = (text, charactersMax) => [...text.replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Co}\s]+/gu, ' ')].slice(0, charactersMax).join('').trim();

const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
const textOf = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
