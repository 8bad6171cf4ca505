// Passing a channel on: its link with the channel's key, the same as a QR code, and code to embed it. Loaded when it is
// first opened, and lean-qr with it.

import { generate } from './vendor/lean-qr.mjs';
import { copyText } from './copy.js';
import { element, setText } from './elements.js';
import { iconButton } from './player-icons.js';
import { snippet } from './snippet.js';

const COPIED_SHOWS_MS = 2000;

export class ShareDialog {
  constructor(root) {
    this.link = element('input', { type: 'text', readOnly: true, 'aria-label': 'Link', 'data-role': 'link' });
    this.embed = element('textarea', { readOnly: true, rows: 4, 'aria-label': 'Code to embed it', 'data-role': 'embed' });
    this.code = element('canvas', { role: 'img', 'aria-label': 'The link as a QR code' });
    this.words = element('p', { className: 'quiet' });
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
        element('div', { className: 'fields' }, field(this.link, 'Copy link'), this.words, this.embedPart)));
    // A click beside it closes it.
    this.dialog.onclick = ({ target }) => target === this.dialog && this.dialog.close();
    root.append(this.dialog);
  }

  /** `server` is the session's address; `key` and `secret` as in the player's attributes. */
  open({ channel, server, key, secret }) {
    const host = new URL(server.replace(/^ws/, 'http')).origin;
    const address = new URL(`/watch/${encodeURIComponent(channel)}`, host);
    address.hash = new URLSearchParams([['key', key], ['secret', secret]].filter(([, value]) => value)).toString();
    this.link.value = address.href;
    setText(this.words, secret
      ? 'Whoever has this whole link can watch. Give it to people, do not post it.'
      : key ? 'The link carries the channel’s key: whoever opens it cannot be shown another broadcaster.' : '');
    // A private channel's key would stand in the source of a page for everyone to read.
    this.embedPart.hidden = Boolean(secret);
    this.embed.value = snippet(host, null, { kind: 'frame', channel, key, autoplay: true, muted: false, controls: true, accent: null, radius: null });
    generate(this.link.value).toCanvas(this.code, { on: [0, 0, 0, 255], off: [255, 255, 255, 255], pad: 2 });
    this.dialog.showModal();
  }
}
