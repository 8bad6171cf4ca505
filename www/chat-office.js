// What the owner and moderators see of a chat beside its lines: slow mode and bans; and the door for who wants to moderate.

import { moderates } from './chat-model.js';
import { ROLES } from './chat-wording.js';
import { element, setText } from './elements.js';

const PACES = [[0, 'off'], [5, '5 s'], [15, '15 s'], [30, '30 s'], [60, '1 min'], [300, '5 min']];

export class ChatOffice {
  #say;
  #slow;
  #role;
  #bans;
  #count;
  #list;
  #key;
  #told = '';

  constructor({ say, moderate }) {
    this.#say = say;
    this.#role = element('span', { className: 'chat-badge' });
    this.#slow = element('select', { 'aria-label': 'Slow mode: time between two lines of a guest' });
    this.#count = element('summary');
    this.#list = element('ul');
    this.#bans = element('details', { className: 'chat-bans', hidden: true }, this.#count, this.#list);
    this.root = element('div', { className: 'chat-office', hidden: true }, this.#role, element('label', {}, 'Slow mode ', this.#slow), this.#bans);
    this.#key = element('div', { className: 'chat-key', role: 'status' });
    this.door = element('details', { className: 'chat-door' }, element('summary', {}, 'Moderate'), this.#key);
    this.#slow.onchange = () => this.#say({ type: 'slow', seconds: Number(this.#slow.value) });
    this.door.ontoggle = async () => {
      if (!this.door.open || this.#key.childElementCount) return;
      try {
        const id = await moderate();
        this.#key.replaceChildren(element('p', {}, 'Send this to the broadcaster, who can make you a moderator with it. Its other half stays in this browser.'), element('code', {}, id));
      } catch {
        setText(this.#key, 'This browser keeps no key: it allows this page no storage.');
      }
    };
  }

  get isOpen() {
    return this.door.open;
  }

  render(model) {
    const { state, you, bans } = model;
    this.root.hidden = !moderates(model);
    this.door.hidden = you.role === 'owner';
    if (this.root.hidden) return;
    setText(this.#role, ROLES[you.role]);
    this.#role.dataset.role = you.role;
    this.#showPace(state.slow_s);
    this.#showBans(bans);
  }

  #showPace(seconds) {
    if (this.#slow.value === String(seconds)) return;
    const paces = PACES.some(([pace]) => pace === seconds) ? PACES : [...PACES, [seconds, `${seconds} s`]];
    this.#slow.replaceChildren(...paces.map(([pace, words]) => element('option', { value: pace }, words)));
    this.#slow.value = String(seconds);
  }

  #showBans(bans) {
    const told = bans.map(({ ban }) => ban).join();
    if (told === this.#told) return;
    this.#told = told;
    this.#bans.hidden = bans.length === 0;
    setText(this.#count, `${bans.length} banned`);
    this.#list.replaceChildren(...bans.map(({ ban, by, name }) => {
      const who = name || `Somebody (${by.slice(0, 6)})`;
      const lift = element('button', { type: 'button', 'aria-label': `Lift the ban of ${who}`, onclick: () => this.#say({ type: 'lift', ban }) }, 'Lift');
      return element('li', {}, element('span', { dir: 'auto' }, who), ' ', lift);
    }));
  }
}
