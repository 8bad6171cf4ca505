// What stands before the picture while a channel is off air: its poster, when it was last live, and the wish to be told when it
// starts. Loaded when it is first needed. That the picture then starts by itself is the player's affair.

import { ago } from './ago.js';
import { element, setText } from './elements.js';
import { icon } from './player-icons.js';
import { Poster } from './poster.js';

const REFRESH_MS = 30_000;

export class OffAir {
  #stage;
  #curtain;
  #server;
  #channel;
  #endedMs = null;
  #wanted = false; // to be told
  #timer = null;
  #when = element('p', { className: 'when' });
  #ask = element('button', { type: 'button', className: 'alert', 'data-action': 'alert' }, 'Tell me when it starts');
  #how = element('p', { className: 'when', role: 'status' });
  #root = element('div', { className: 'offair', hidden: true }, this.#when, this.#ask, this.#how);
  #notice = element('div', { className: 'started', role: 'status', part: 'started' });
  #poster = null;

  /** Adds itself to the `curtain` over the `stage`; `server` is an address of the server whose `channel` it is. */
  constructor({ stage, curtain, server, channel }) {
    [this.#stage, this.#curtain, this.#server, this.#channel] = [stage, curtain, server, channel];
    this.#ask.onclick = () => this.#want(!this.#wanted);
    this.#curtain.append(this.#root);
    this.#stage.append(this.#notice);
    this.#want(false);
  }

  /** The channel is off air: looks up since when, and what it looked like. */
  async show() {
    if (!this.#root.hidden) return;
    this.#root.hidden = false;
    this.#notice.replaceChildren();
    this.#timer = setInterval(() => this.#say(), REFRESH_MS);
    const found = await this.#lookUp().catch(() => null); // No way to the server: the state's own words say so.
    if (!found || this.#root.hidden) return;
    this.#endedMs = found.ended_ms ?? null;
    this.#say();
    this.#poster = new Poster(this.#channel, found.poster, this.#server);
    this.#curtain.prepend(this.#poster.canvas);
    this.#poster.refresh();
  }

  /** It is on air, or the player is gone. */
  hide() {
    clearInterval(this.#timer);
    this.#root.hidden = true;
    this.#poster?.canvas.remove();
  }

  close() {
    this.hide();
    this.#root.remove();
    this.#notice.remove();
  }

  /** Tells that it has started, if somebody wanted to be told. */
  started() {
    if (!this.#wanted) return;
    this.#want(false);
    const words = `${this.#channel} is live`;
    const close = element('button', { type: 'button', 'aria-label': 'Close', onclick: () => this.#notice.replaceChildren() }, icon('close'));
    this.#notice.replaceChildren(words, close);
    const isSeen = !document.hidden && document.hasFocus();
    if (!isSeen && permission() === 'granted') notify(words).catch(() => {});
  }

  async #lookUp() {
    const answer = await fetch(new URL(`/api/v1/channels/${encodeURIComponent(this.#channel)}`, this.#server), { cache: 'no-store' });
    return answer.ok ? answer.json() : null;
  }

  #say() {
    if (this.#endedMs !== null) setText(this.#when, `Last live ${ago(Date.now() - this.#endedMs)}.`);
  }

  async #want(wanted) {
    this.#wanted = wanted;
    this.#ask.setAttribute('aria-pressed', String(wanted));
    if (wanted && permission() === 'default') await Notification.requestPermission().catch(() => {});
    setText(this.#how, this.#wanted ? PROMISES[permission()] : '');
  }
}

const HERE = 'It says so here and in the page’s title';
const PROMISES = {
  granted: 'You get a notification, as long as this page stays open.',
  denied: `${HERE}: this site may not send notifications.`,
  default: `${HERE}: notifications were not allowed.`,
  none: `${HERE}: there are no notifications on this page.`,
};

const permission = () => (window.isSecureContext && globalThis.Notification?.permission) || 'none';

/** By the service worker where there is one: Chrome on Android takes notifications from nowhere else. */
async function notify(words) {
  const worker = await navigator.serviceWorker?.getRegistration();
  if (worker) await worker.showNotification(words);
  else new Notification(words);
}
