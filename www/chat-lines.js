// What is written in a chat, as a list that follows its end until somebody scrolls back.

import { mayBan, mayDelete } from './chat-model.js';
import { ROLES } from './chat-wording.js';
import { element, setText } from './elements.js';

const NEAR_END_PX = 40;
const TINTS = 6;

export class ChatLines {
  #say;
  #list;
  #newer;
  #items = new Map(); // id -> element
  #you = '';
  #unseen = 0;

  constructor(say) {
    this.#say = say;
    // Scrolled by the keyboard as well, hence in its order.
    this.#list = element('div', { className: 'chat-lines', role: 'log', tabIndex: 0, 'aria-label': 'What was written', 'aria-live': 'polite', 'aria-relevant': 'additions' });
    this.#newer = element('button', { type: 'button', className: 'chat-newer', hidden: true });
    this.root = element('div', { className: 'chat-middle' }, this.#list, this.#newer);
    this.#list.addEventListener('scroll', () => this.#isAtEnd() && this.#seen());
    this.#newer.onclick = () => (this.#toEnd(), this.#list.focus());
    // Keys scroll the list here, and do not steer the player.
    this.#list.addEventListener('keydown', (event) => {
      if (/^(Arrow|Page|Home|End| $)/.test(event.key)) event.stopPropagation();
    });
    new ResizeObserver(() => this.#unseen === 0 && this.#toEnd()).observe(this.#list);
  }

  render(model) {
    const { lines, you } = model;
    const [atEnd, before] = [this.#isAtEnd() || !this.#items.size, this.#items.size];
    const shown = new Set(lines.map(({ id }) => id));
    for (const [id, item] of this.#items) if (!shown.has(id)) this.#forget(id, item);
    // What may be done with each line changes with what one is.
    const changed = this.#you !== `${you.by} ${you.role}`;
    this.#you = `${you.by} ${you.role}`;
    let added = 0;
    for (const line of lines) {
      const item = this.#items.get(line.id);
      if (item && !changed) continue;
      const made = this.#line(model, line);
      if (item) item.replaceWith(made);
      else this.#list.append(made);
      added += item ? 0 : 1;
      this.#items.set(line.id, made);
    }
    // What was there before one came is not read out.
    this.#list.setAttribute('aria-live', before ? 'polite' : 'off');
    if (atEnd) this.#toEnd();
    else if (added) this.#unseenMore(added);
  }

  #line(model, line) {
    const { id, by, name, role, text } = line;
    const words = element('span', { className: 'chat-text', dir: 'auto' }, ...(model.state.links ? linked(text) : [text]));
    const who = element('b', { dir: 'auto', 'data-tint': parseInt(by.slice(0, 4), 16) % TINTS }, name);
    const badge = ROLES[role] ? [element('span', { className: 'chat-badge', 'data-role': role }, ROLES[role]), ' '] : [];
    const acts = [];
    if (mayDelete(model, line)) acts.push(act('Delete', `Delete the line of ${name}`, () => this.#say({ type: 'delete', id })));
    if (mayBan(model, line)) acts.push(act('Ban', `Ban ${name} for this broadcast`, () => this.#say({ type: 'ban', id })));
    const shown = acts.length ? [element('span', { className: 'chat-acts' }, ...acts)] : [];
    return element('p', { className: 'chat-line', 'data-id': id }, ...badge, who, ': ', words, ...shown);
  }

  #forget(id, item) {
    const next = item.nextElementSibling ?? item.previousElementSibling;
    const hadFocus = item.contains(document.activeElement);
    item.remove();
    this.#items.delete(id);
    // Who deletes with the keyboard stays in the list.
    if (hadFocus) (next?.querySelector('button') ?? this.#list).focus();
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  #toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#seen();
  }

  #seen() {
    this.#unseen = 0;
    this.#newer.hidden = true;
  }

  #unseenMore(added) {
    this.#unseen += added;
    setText(this.#newer, this.#unseen === 1 ? '1 new line' : `${this.#unseen} new lines`);
    this.#newer.hidden = false;
  }
}

function act(text, label, onclick) {
  return element('button', { type: 'button', 'aria-label': label, onclick }, text);
}

/** Text with its addresses as links, where the owner allows them. */
function linked(text) {
  return text.split(/(\s+)/).map((word) => {
    const address = URL.canParse(word) ? new URL(word) : null;
    if (!/^https?:$/.test(address?.protocol ?? '')) return word;
    return element('a', { href: address.href, target: '_blank', rel: 'noopener noreferrer nofollow ugc' }, word);
  });
}
