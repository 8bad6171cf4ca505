// One channel on the front page: its poster, its name, and what its owner says of it. Made once, and told what changes.

import { ago } from './ago.js';
import { element, setText } from './elements.js';
import { Poster } from './poster.js';

const languages = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'code' });

/** What is said of a channel below its name. */
export function about({ category, language }) {
  return [category, language && languageName(language)].filter(Boolean).join(' · ');
}

export function languageName(tag) {
  try {
    return languages.of(tag);
  } catch {
    return tag; // A tag that is well formed for the owner and not for the browser.
  }
}

export class ChannelCard {
  #badge = element('span', { className: 'badge' });
  #audience = element('span', { className: 'audience' });
  #name = element('span', { className: 'name' });
  #about = element('span', { className: 'about' });
  #link;
  #poster;

  constructor({ name, live, poster }) {
    const stage = element('span', { className: 'poster' }, element('span', { className: 'letter', 'aria-hidden': 'true' }, name.slice(0, 1)));
    stage.style.setProperty('--hue', hue(name));
    this.#poster = new Poster(name, poster);
    stage.append(this.#poster.canvas, this.#badge, this.#audience);
    this.#link = element('a', { href: `/watch/${encodeURIComponent(name)}`, className: live ? 'channel live' : 'channel' }, stage, this.#name, this.#about);
    this.root = element('li', {}, this.#link);
  }

  update({ name, title, live, viewers, ended_ms: ended, category, language }, now) {
    setText(this.#name, title || name);
    this.#link.title = title ? name : '';
    setText(this.#about, about({ category, language }));
    setText(this.#badge, live ? 'Live' : 'Off air');
    setText(this.#audience, live ? `${viewers.toLocaleString('en')} watching` : `live ${ago(now - ended)}`);
    this.#poster.refresh();
  }
}

/** The same colour for the same name. */
function hue(name) {
  return [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
}
