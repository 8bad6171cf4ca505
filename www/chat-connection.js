// The WebSocket of a chat (docs/protocol.md): opens it, says who comes, comes back by itself, and hands on what is told.

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const FULL_WAIT_MS = 20_000;
const FINAL = ['removed', 'bad_message', 'banned']; // Coming again would not help.

export class ChatConnection {
  #address;
  #secret;
  #prove;
  #on;
  #socket = null;
  #timer = 0;
  #failures = 0;
  #hello = null;
  #bye = null;

  /** `prove({ nonce, channel })` gives `{ key, proof }` or null; `on.told(message)` and `on.phase(name)` hear of everything. */
  constructor({ address, secret, prove, on }) {
    this.#address = address;
    this.#secret = secret;
    this.#prove = prove;
    this.#on = on;
    this.#open();
  }

  say(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Proves a key that was not there at the beginning. */
  async proveNow() {
    if (!this.#hello) return;
    const [socket, proven] = [this.#socket, await this.#prove(this.#hello)];
    if (proven && socket === this.#socket) this.say({ type: 'prove', ...proven });
  }

  close() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #open() {
    this.#on.phase('connecting');
    this.#hello = null;
    this.#bye = null;
    const socket = (this.#socket = new WebSocket(this.#address));
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = () => socket === this.#socket && this.#closed();
  }

  #hear(message) {
    switch (message.type) {
      case 'hello':
        this.#hello = message;
        this.say({ type: 'enter', secret: this.#secret });
        break;
      case 'welcome':
        this.#failures = 0;
        this.#on.phase('open');
        this.proveNow();
        break;
      case 'bye':
        this.#bye = message.reason;
        break;
    }
    this.#on.told(message);
  }

  #closed() {
    this.#socket = null;
    this.#failures += 1;
    if (FINAL.includes(this.#bye)) return this.#on.phase(this.#bye);
    const usual = Math.min(FIRST_WAIT_MS * 2 ** (this.#failures - 1), LONGEST_WAIT_MS);
    const wait = (this.#bye === 'full' ? FULL_WAIT_MS : usual) * (0.75 + Math.random() / 2); // Not all at once.
    this.#timer = setTimeout(() => this.#open(), wait);
    this.#on.phase(this.#bye === 'full' ? 'full' : 'reconnecting');
  }
}
