// Passing a channel on: its link with the channel's key and, if wanted, the time; the same as a QR code, and code to embed it. Loaded
// when it is first opened, and lean-qr with it.

import { generate } from './vendor/lean-qr.mjs';
import { copyText } from './copy.js';
import { element, setText } from './elements.js';
import { iconButton } from './player-icons.js';
import { snippet } from './snippet.js';

const COPIED_SHOWS_MS = 2000;

export class ShareDialog {
  #shared = null;

  constructor(root) {
    this.link = element('input', { type: 'text', readOnly: true, 'aria-label': 'Link', 'data-role': 'link' });
    this.embed = element('textarea', { readOnly: true, rows: 4, 'aria-label': 'Code to embed it', 'data-role': 'embed' });
    this.code = element('canvas', { role: 'img', 'aria-label': 'The link as a QR code' });
    this.words = element('p', { className: 'quiet' });
    this.when = element('input', { type: 'checkbox', 'data-role': 'when', onchange: () => this.#write() });
    this.time = element('span');
    const close = iconButton('Close', 'close', 'close-share');
    close.onclick = () => this.dialog.close();
    const field = (input, label) => {
      const copy = element('button', { type: 'button', className: 'plain' }, label);
      copy.onclick = async () => {
        setText(copy, (await copyText(input.value, input)) ? 'Copied' : 'Not copied');
        setTimeout(() => setText(copy, label), COPIED_SHOWS_MS);
      };
      input.onfocus = () => input.select();
      return element('div', { className: 'field' }, input, copy);
    };
    this.embedPart = element('div', {}, element('h3', {}, 'Embed'), field(this.embed, 'Copy code'));
    this.dialog = element('dialog', { className: 'share', 'aria-label': 'Share' },
      element('header', {}, element('h2', {}, 'Share'), close),
      element('div', { className: 'columns' }, this.code,
        element('div', { className: 'fields' }, field(this.link, 'Copy link'),
          element('label', { className: 'when' }, this.when, this.time), this.words, this.embedPart)));
    // A click beside it closes it. (No value: `false` would take the click from what is inside.)
    this.dialog.onclick = ({ target }) => void (target === this.dialog && this.dialog.close());
    root.append(this.dialog);
  }

  /** `server` is the session's address; `key` and `secret` as in the player's attributes; `shownMs`: of when the picture is. */
  open(shared) {
    this.#shared = shared;
    const { channel, server, key, secret, shownMs } = shared;
    setText(this.time, `With the time, ${new Date(shownMs).toLocaleTimeString([], { timeStyle: 'short' })}`);
    this.#write();
    setText(this.words, secret
      ? 'Whoever has this whole link can watch. Give it to people, do not post it.'
      : key ? 'The link carries the channel’s key: whoever opens it cannot be shown another broadcaster.' : '');
    // A private channel's key would stand in the source of a page for everyone to read.
    this.embedPart.hidden = Boolean(secret);
    this.embed.value = snippet(hostOf(server), null, { kind: 'frame', channel, key, autoplay: true, muted: false, controls: true, accent: null, radius: null });
    this.dialog.showModal();
  }

  #write() {
    const { channel, server, key, secret, shownMs } = this.#shared;
    const address = new URL(`/watch/${encodeURIComponent(channel)}`, hostOf(server));
    const at = this.when.checked ? Math.floor(shownMs / 1000) : null;
    address.hash = new URLSearchParams([['key', key], ['secret', secret], ['at', at]].filter(([, value]) => value)).toString();
    this.link.value = address.href;
    generate(this.link.value).toCanvas(this.code, { on: [0, 0, 0, 255], off: [255, 255, 255, 255], pad: 2 });
  }
}

const hostOf = (server) => new URL(server.replace(/^ws/, 'http')).origin;
