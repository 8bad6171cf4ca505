// The bar at the foot of the picture: play, sound, what is held, the live edge, and what else the picture can be shown in.
// Made of media-chrome's elements, which ask for what is pressed and show what they are told: of what is live by the player, not by the
// media element, as where all viewers are is no end of a buffer. Loaded once there is something to control.

import { element, setText } from './elements.js';
import { behindS, clock, seconds } from './figures.js';
import { icon, iconButton } from './player-icons.js';
import { addTranslation, createMediaStore, stateMediator } from './vendor/media-chrome.mjs';

const AUTOHIDE_S = 3;
const PICTURE = ['mediaPaused', 'mediaMuted', 'mediaVolume', 'mediaVolumeLevel', 'mediaVolumeUnavailable', 'mediaSubtitlesList',
  'mediaSubtitlesShowing', 'mediaIsPip', 'mediaPipUnavailable', 'mediaIsFullscreen', 'mediaFullscreenUnavailable'];

// What the elements are called, by media-chrome's own words for them, with the keys of player-keys.js.
addTranslation('en', {
  play: 'Play (k)', pause: 'Pause (k)', mute: 'Mute (m)', unmute: 'Sound on (m)', volume: 'Volume',
  'seek to live': 'To the live edge (l)', 'playing live': 'At the live edge',
  seek: 'Go back over the last minute', '{time} remaining': '{time}', '{currentTime} of {totalTime}': '{currentTime} behind live',
  'closed captions': 'Captions (c)', 'enter picture in picture mode': 'Picture in picture (p)', 'exit picture in picture mode': 'Back into the page (p)',
  'enter fullscreen mode': 'Full screen (f)', 'exit fullscreen mode': 'Leave full screen (f)', 'video player': 'Player',
});

export class Controls {
  #now = { stats: { following: true, lag_s: null }, pictured: false };
  #video;
  #store;

  /**
   * For the `video` on a `stage` that may fill the screen. `on` has a function for each action: play, pause, mute, volume, seek, live,
   * captions, panel, share, pip, theatre, fullscreen.
   */
  constructor(video, stage, on) {
    this.#video = video;
    const options = { noVolumePref: true, noMutedPref: true }; // The player remembers both itself.
    this.#store = createMediaStore({ media: video, documentElement: document, stateMediator: this.#told(), requestMap: asked(on), options });
    this.seek = chrome('media-time-range', { 'data-action': 'seek' });
    this.badge = chrome('media-live-button', { part: 'badge', class: 'badge', 'data-action': 'live' });
    this.badgeText = element('span', { slot: 'text' });
    this.badge.append(element('span', { slot: 'indicator', className: 'dot' }), element('span', { slot: 'spacer' }), this.badgeText);
    this.lag = element('span', { className: 'lag' });
    this.captions = chrome('media-captions-button', { 'data-action': 'captions' }, { on: 'captions', off: 'captions' });
    this.share = iconButton('Share', 'share', 'share');
    this.panel = iconButton('Figures (i)', 'figures', 'panel');
    this.theatre = iconButton('Wide (t)', 'theatre', 'theatre');
    for (const action of ['share', 'panel', 'theatre']) this[action].onclick = on[action];
    this.row = chrome('media-control-bar', { class: 'row' });
    this.row.append(
      chrome('media-play-button', { 'data-action': 'play' }, { play: 'play', pause: 'pause' }),
      chrome('media-mute-button', { 'data-action': 'mute' }, { off: 'muted', low: 'sound', medium: 'sound', high: 'sound' }),
      chrome('media-volume-range', { 'data-action': 'volume' }),
      this.badge, this.lag, element('span', { className: 'gap' }),
      this.captions, this.share, this.panel,
      chrome('media-pip-button', { 'data-action': 'pip' }, { enter: 'pip', exit: 'pip' }),
      this.theatre,
      chrome('media-fullscreen-button', { 'data-action': 'fullscreen' }, { enter: 'full', exit: 'unfull' }),
    );
    this.bar = element('div', { className: 'controls', part: 'controls' }, this.seek, this.row);
    // Keys and taps are the player's: single keys work on the whole page, and the first tap gives sound. With `tabindex`, empty, the
    // controller is no stop of its own for the Tab key.
    this.root = chrome('media-controller', { nodefaultstore: '', nohotkeys: '', gesturesdisabled: '', tabindex: '', autohide: AUTOHIDE_S });
    this.root.fullscreenElement = stage;
    this.root.mediaStore = this.#store;
    this.root.append(this.bar);
    // Buttons that are none of the browser's would have the page scroll.
    this.row.addEventListener('keydown', (event) => event.key === ' ' && event.preventDefault());
  }

  /** What its elements are told: of the picture by media-chrome, of what is live by the player. */
  #told() {
    const player = {
      mediaStreamType: () => 'live',
      mediaTimeIsLive: () => this.#isAtEdge(),
      mediaCurrentTime: () => -behindS(this.#now.stats),
      mediaSeekable: () => [-this.#heldS(), 0],
      mediaBuffered: () => [[-this.#heldS(), 0]],
    };
    const told = PICTURE.map((name) => [name, stateMediator[name]]).concat(Object.entries(player).map(([name, get]) => [name, { get }]));
    return Object.fromEntries(told);
  }

  render(now) {
    this.#now = now;
    const { stats, pictured, covered, mayTheatre, panelOpen } = now;
    this.#store.dispatch({ type: 'optionschangerequest', detail: {} }); // That is: look again.
    this.bar.toggleAttribute('noautohide', covered);
    this.seek.hidden = this.badge.hidden = !pictured;
    setText(this.badgeText, stats.following ? 'Live' : 'Go live');
    const behind = behindS(stats);
    const far = behind >= 1 ? `${clock(behind)} behind live` : pictured && stats.lag_s !== null ? `${seconds(stats.lag_s)} behind the camera` : '';
    setText(this.lag, far);
    this.captions.setAttribute('role', 'switch'); // A button, as it calls itself, cannot be checked.
    this.captions.hidden = [...this.#video.textTracks].every(({ mode }) => mode === 'disabled');
    this.theatre.hidden = !mayTheatre;
    this.panel.setAttribute('aria-expanded', String(panelOpen));
    for (const button of this.row.children) {
      const label = button.ariaLabel;
      if (label && button.title !== label) button.title = label;
    }
  }

  #isAtEdge() {
    const { stats, pictured } = this.#now;
    return stats.following && stats.state === 'live' && pictured;
  }

  /** How far back one can go. */
  #heldS() {
    const { buffered, currentTime } = this.#video;
    return buffered.length ? Math.max(0, currentTime - buffered.start(0)) + behindS(this.#now.stats) : 0;
  }
}

/** What media-chrome's elements ask for, and who does it. */
function asked(on) {
  return {
    mediaplayrequest: () => void on.play(),
    mediapauserequest: () => void on.pause(),
    mediamuterequest: () => void on.mute(),
    mediaunmuterequest: () => void on.mute(),
    mediavolumerequest: (_, __, { detail }) => void on.volume(Number(detail)),
    mediaseekrequest: (_, __, { detail }) => void on.seek(-detail),
    mediaseektoliverequest: () => void on.live(),
    // With a detail it comes of the element's being taken off its page.
    mediatogglesubtitlesrequest: (_, __, { detail }) => void (detail ?? on.captions()),
    mediaenterpiprequest: () => void on.pip(),
    mediaexitpiprequest: () => void on.pip(),
    mediaenterfullscreenrequest: () => void on.fullscreen(),
    mediaexitfullscreenrequest: () => void on.fullscreen(),
  };
}

/** One of media-chrome's elements, with icons for its slots. */
function chrome(tag, attributes, icons = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  withoutStyleElements(made.shadowRoot);
  for (const [slot, name] of Object.entries(icons)) {
    const drawn = icon(name);
    drawn.slot = slot;
    made.append(drawn);
  }
  return made;
}

/**
 * Turns an element's own style elements, which a site's policy may forbid, into sheets that are made by a script. The element goes
 * on to find its rules in what stands in for them.
 */
function withoutStyleElements(root) {
  for (const style of root.querySelectorAll('style')) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style.textContent);
    root.adoptedStyleSheets.push(sheet);
    style.replaceWith(Object.assign(document.createElementNS(null, 'style'), { sheet }));
  }
  for (const { shadowRoot } of root.querySelectorAll('*')) if (shadowRoot) withoutStyleElements(shadowRoot);
}
