// <swarmcast-chat channel="NAME" server="https://host" secret="MEDIA-KEY">: the chat of a channel, in the page's own DOM.
// Pages load it when somebody opens it. Its property `prove` may give another way to prove a key, as the studio's does; the
// event `swarmcast-chat-close` says that the viewer wants no chat.

import { ChatConnection } from './chat-connection.js';
import { ChatLines } from './chat-lines.js';
import { EMPTY, told } from './chat-model.js';
import { ChatOffice } from './chat-office.js';
import { refusal, standing } from './chat-wording.js';
import { element, setText } from './elements.js';

const NAME_CHARACTERS_MAX = 24;
const TEXT_CHARACTERS_MAX = 300;
const REMEMBERED_NAME = 'swarmcast-chat-name';
const REMEMBERED_SECRET = 'swarmcast-chat-secret';
const REMEMBERED_STUDIO = 'swarmcast-studio'; // the studio's own entry: this browser may have the channel's key
const REMEMBERED_MODERATOR = 'swarmcast-moderator';
const STYLE = new URL('./chat.css', import.meta.url).href;

class SwarmcastChat extends HTMLElement {
  prove = null;
  #connection = null;
  #model = EMPTY;
  #sealing = null;
  #hearing = Promise.resolve();
  #parts = null;
  #lines;
  #office;
  #asksForName = false;
  #wantsFocus = false;
  #refusal = ''; // what was refused last, in words
  #sent = ''; // the line that was sent last, until it is seen
  #waitUntil = 0;
  #ticking = 0;

  connectedCallback() {
    if (!this.#parts) this.#build();
    const address = new URL(`/chat/${encodeURIComponent(this.getAttribute('channel'))}`, new URL(this.getAttribute('server') ?? location.href, location.href));
    address.protocol = /^(https|wss):$/.test(address.protocol) ? 'wss:' : 'ws:';
    this.#connection = new ChatConnection({
      address: address.href,
      secret: secret(),
      prove: (hello) => this.#prove(hello),
      on: {
        // One after the other: opening a sealed line takes its time.
        told: (message) => { this.#hearing = this.#hearing.then(() => this.#hear(message)).catch((error) => console.error('swarmcast:', error)); },
        phase: (phase) => this.#become({ ...this.#model, phase }),
      },
    });
  }

  disconnectedCallback() {
    clearInterval(this.#ticking);
    this.#connection?.close();
    this.#connection = null;
  }

  /** The keyboard goes to where one writes, as soon as one can. */
  focus() {
    this.#wantsFocus = true;
    this.#render();
  }

  #build() {
    if (!document.querySelector(`link[href="${STYLE}"]`)) document.head.append(element('link', { rel: 'stylesheet', href: STYLE }));
    const say = (message) => this.#connection?.say(message);
    const close = element('button', { type: 'button', className: 'chat-close', 'aria-label': 'Close the chat' }, '✕');
    const name = element('input', { maxLength: NAME_CHARACTERS_MAX, autocomplete: 'nickname', 'aria-label': 'Your name in this chat', placeholder: 'Your name', spellcheck: false, required: true });
    const naming = element('form', { className: 'chat-form' }, name, element('button', { type: 'submit' }, 'Join'));
    const text = element('input', { maxLength: TEXT_CHARACTERS_MAX, autocomplete: 'off', 'aria-label': 'Write to everybody', placeholder: 'Write to everybody', enterKeyHint: 'send' });
    const writing = element('form', { className: 'chat-form', hidden: true }, text, element('button', { type: 'submit' }, 'Send'));
    const rename = element('button', { type: 'button', className: 'chat-plain', hidden: true });
    const status = element('p', { className: 'chat-status', role: 'status' });
    const wait = element('p', { className: 'chat-wait', 'aria-hidden': 'true', hidden: true });
    this.#lines = new ChatLines(say);
    this.#office = new ChatOffice({ say, moderate: () => this.#moderate() });
    const under = element('div', { className: 'chat-under' }, rename, this.#office.door);
    this.replaceChildren(
      element('div', { className: 'chat-top' }, element('h2', {}, 'Chat'), close),
      this.#office.root,
      this.#lines.root,
      element('div', { className: 'chat-foot' }, status, wait, naming, writing, under),
    );
    this.setAttribute('role', 'region');
    this.setAttribute('aria-label', 'Chat');
    close.onclick = () => this.dispatchEvent(new CustomEvent('swarmcast-chat-close', { bubbles: true }));
    naming.onsubmit = (event) => (event.preventDefault(), this.#takeName(name.value.trim()));
    writing.onsubmit = (event) => (event.preventDefault(), this.#write());
    rename.onclick = () => this.#askForName();
    this.#parts = { name, naming, text, writing, rename, status, wait };
    name.value = read(REMEMBERED_NAME) ?? '';
  }

  async #hear(message) {
    switch (message.type) {
      case 'hello': return this.#useLink(message.channel);
      case 'refused': return this.#refused(message);
      case 'welcome': {
        const lines = await Promise.all(message.lines.map((line) => this.#readable(line)));
        this.#become(told(this.#model, { ...message, lines: lines.filter(Boolean) }));
        return this.#bringName();
      }
      case 'line': {
        const line = await this.#readable(message);
        if (line?.by === this.#model.you.by) this.#wrote();
        return line && this.#become(told(this.#model, line));
      }
    }
    this.#become(told(this.#model, message));
    if (message.type === 'cleared') this.#bringName();
  }

  async #useLink(channel) {
    const key = this.getAttribute('secret');
    this.#sealing = key ? await import('./chat-seal.js').then(({ Sealing }) => Sealing.of(key, channel)) : null;
  }

  /** A line with its name and text; null where it is not for who has this link. */
  async #readable(line) {
    if (this.hasAttribute('secret') !== ('sealed' in line)) return null;
    if (!('sealed' in line)) return line;
    const opened = await this.#sealing?.open(line.sealed);
    return opened ? { ...line, ...opened } : null;
  }

  #become(model) {
    this.#model = model;
    this.#lines.render(model);
    this.#office.render(model);
    this.#render();
  }

  #render() {
    const { name, naming, text, writing, rename, status } = this.#parts;
    const hindrance = standing(this.#model) || this.#missing();
    const asks = this.#asksForName || !this.#name();
    const hadFocus = naming.contains(document.activeElement);
    setText(status, hindrance || this.#refusal);
    naming.hidden = Boolean(hindrance) || !asks;
    writing.hidden = Boolean(hindrance) || asks;
    rename.hidden = writing.hidden;
    setText(rename, `You are ${this.#name()}. Change`);
    if (hindrance || !(hadFocus || this.#wantsFocus)) return;
    this.#wantsFocus = false;
    (asks ? name : text).focus();
  }

  /** What this page lacks for this broadcast, in words. */
  #missing() {
    const { sealed } = this.#model.state;
    if (sealed && !this.hasAttribute('secret')) return refusal('sealing');
    if (sealed && !this.#sealing) return 'This broadcast is private: its chat is encrypted in your browser, which needs a page with https.';
    return !sealed && this.hasAttribute('secret') ? 'The broadcast is about to begin.' : '';
  }

  /** In a private channel the server knows no names. */
  #name() {
    return this.hasAttribute('secret') ? read(REMEMBERED_NAME) : this.#model.you.name;
  }

  /** Takes the name that was used last, if the server does not know it yet. */
  #bringName() {
    const name = read(REMEMBERED_NAME);
    if (name && !this.#model.you.name && !this.hasAttribute('secret')) this.#connection?.say({ type: 'name', name });
  }

  #askForName() {
    this.#asksForName = true;
    this.#render();
    this.#parts.name.focus();
    this.#parts.name.select();
  }

  #takeName(name) {
    this.#asksForName = false;
    this.#refusal = '';
    write(REMEMBERED_NAME, name);
    if (!this.hasAttribute('secret') && name !== this.#model.you.name) this.#connection?.say({ type: 'name', name });
    this.#render();
  }

  async #write() {
    const { text } = this.#parts;
    const said = text.value.trim();
    if (!said) return;
    [this.#sent, this.#refusal, text.value] = [said, '', ''];
    const words = this.#sealing ? { sealed: await this.#sealing.seal({ name: this.#name(), text: said }) } : { text: said };
    this.#connection?.say({ type: 'say', ...words });
    this.#render();
  }

  #wrote() {
    this.#sent = '';
    const { state, you } = this.#model;
    if (state.slow_s && you.role === 'guest') this.#wait(state.slow_s * 1000, 'Slow mode: your next line in');
  }

  #refused({ reason, wait_ms: waitMs }) {
    // Keys are shown on their own accord; most are nobody's moderator.
    if (reason === 'not_listed' && !this.#office.isOpen) return;
    this.#refusal = reason === 'slow' ? '' : refusal(reason);
    if (waitMs) this.#wait(waitMs, reason === 'slow' ? 'Slow mode: your next line in' : 'Again in');
    if (reason === 'bad_name' || reason === 'name_taken' || reason === 'no_name') this.#asksForName = true;
    const { text } = this.#parts;
    if (this.#sent && !text.value) text.value = this.#sent;
    this.#sent = '';
    this.#render();
  }

  /** Counts down beside the field; for the eye only, as a number a second is no news to listen to. */
  #wait(ms, words) {
    this.#waitUntil = performance.now() + ms;
    clearInterval(this.#ticking);
    const tick = () => {
      const seconds = Math.ceil((this.#waitUntil - performance.now()) / 1000);
      this.#parts.wait.hidden = seconds <= 0;
      setText(this.#parts.wait, `${words} ${seconds} s`);
      if (seconds <= 0) clearInterval(this.#ticking);
    };
    this.#ticking = setInterval(tick, 250);
    tick();
  }

  async #prove(hello) {
    if (this.prove) return this.prove(hello);
    if (!read(REMEMBERED_STUDIO) && !read(REMEMBERED_MODERATOR)) return null;
    const { proveKept } = await import('./chat-staff.js');
    return proveKept(hello, Boolean(read(REMEMBERED_MODERATOR)));
  }

  /** Makes a key for moderating, and returns what the owner needs to know of it. */
  async #moderate() {
    const { moderatorId } = await import('./chat-staff.js');
    const id = await moderatorId();
    write(REMEMBERED_MODERATOR, id);
    this.#connection?.proveNow();
    return id;
  }
}

/** What makes this browser the same speaker when it comes back: 16 random bytes as hex. */
function secret() {
  const kept = read(REMEMBERED_SECRET);
  if (kept) return kept;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const made = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  write(REMEMBERED_SECRET, made);
  return made;
}

/** Where there is no storage, as in some frames on other sites. */
const forThisVisit = new Map();

function read(entry) {
  try {
    return localStorage.getItem(entry);
  } catch {
    return forThisVisit.get(entry) ?? null;
  }
}

function write(entry, value) {
  try {
    localStorage.setItem(entry, value);
  } catch {
    forThisVisit.set(entry, value);
  }
}

customElements.define('swarmcast-chat', SwarmcastChat);
