// The player's looks: builds the shadow DOM once, and shows a state whenever it is given one. Decides nothing. What is
// not needed for the picture is loaded when it is (controls) or is asked for (panel, share dialog).

import { element, setText } from './elements.js';
import { icon } from './player-icons.js';
import { STYLE } from './player-style.js';
import { SharingPill } from './sharing-pill.js';
import { wording } from './wording.js';

/** Shared by all players of a page. Made here, as a site's policy may forbid style elements. */
const SHEET = new CSSStyleSheet();
SHEET.replaceSync(STYLE);

const SHOWS_A_PICTURE = new Set(['live', 'buffering', 'reconnecting', 'ended']);
const MAY_GET_ONE = new Set(['connecting', 'live', 'buffering', 'reconnecting']);

export class PlayerView {
  #controls = null; // promised, then there
  #panel = null;
  #share = null;
  #latest = null;

  /** `on`: see Controls, and `unmute`, `sharing`, `uploadCap`, `noticed`, `answer`. */
  constructor(root, on) {
    this.root = root;
    this.on = { ...on, panel: () => this.togglePanel(), fullscreen: () => this.toggleFullscreen(), share: () => this.openShare() };
    this.video = element('video', { playsInline: true, disableRemotePlayback: true, preload: 'auto' });
    this.pill = new SharingPill({ onSharing: on.sharing, onUploadCap: on.uploadCap, onNoticed: on.noticed, onAnswer: on.answer });
    this.#build();
  }

  #build() {
    this.begin = element('button', { type: 'button', className: 'begin', 'aria-label': 'Play', 'data-action': 'begin' }, icon('play'));
    this.curtainText = element('span', { className: 'word', 'aria-hidden': 'true' });
    this.curtainMore = element('small', { 'aria-hidden': 'true' });
    this.curtain = element('div', { className: 'curtain', part: 'curtain' },
      element('span', { className: 'spinner', 'aria-hidden': 'true' }), this.begin, this.curtainText, this.curtainMore);
    this.unmute = element('button', { type: 'button', className: 'unmute', part: 'unmute', hidden: true, 'data-action': 'unmute' }, icon('muted'), 'Tap for sound');
    this.stage = element('div', { className: 'stage', part: 'stage' }, this.video, this.curtain, this.unmute);

    this.title = element('strong');
    this.text = element('span');
    this.state = element('p', { className: 'state', part: 'state', role: 'status', 'data-role': 'state' }, this.title, ' ', this.text);
    const under = element('div', { className: 'under', part: 'under' }, this.state, this.pill.root);
    this.panelPlace = element('div', { className: 'panel-place', part: 'panel', hidden: true, 'data-role': 'panel' });
    this.root.adoptedStyleSheets = [SHEET];
    this.root.append(this.stage, this.pill.notice, this.pill.question, element('div', { className: 'below' }, under, this.panelPlace));

    this.begin.onclick = this.on.play;
    this.unmute.onclick = this.on.unmute;
    const onPicture = (kind, act) => this.stage.addEventListener(kind, ({ target }) => {
      if (target === this.video || target.localName === 'media-controller') act();
    });
    onPicture('click', () => this.#tapped());
    onPicture('dblclick', () => this.toggleFullscreen());
  }

  /** A mouse pauses; a finger brings the controls up, and gives sound where the browser held it back. */
  #tapped() {
    if (!this.unmute.hidden) this.on.unmute();
    else if (!matchMedia('(hover: none)').matches) this.on.toggle();
  }

  render(now) {
    this.#latest = now;
    const { stats, sound, keysOfPage, fills } = now;
    const words = wording(stats);
    const pictured = stats.first_frame_ms !== null && this.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && SHOWS_A_PICTURE.has(stats.state);
    // Who has gone back watches on, whatever happens at the edge.
    const moving = pictured && (stats.state === 'live' || !stats.following && stats.buffer_s > 0.5);
    const refused = sound === 'refused' && this.video.paused;
    this.stage.dataset.state = stats.state;
    this.stage.dataset.pictured = String(pictured);
    this.stage.dataset.curtain = moving && !refused ? 'open' : refused || stats.state === 'idle' ? 'begin' : 'closed';
    this.stage.dataset.paused = String(this.video.paused);
    this.state.dataset.live = String(pictured && stats.state === 'live');
    const held = refused ? { title: 'Press play', text: 'This browser waits for you before it plays anything.' } : words;
    setText(this.title, held.title);
    setText(this.text, held.text);
    setText(this.curtainText, held.title);
    setText(this.curtainMore, held.text);
    this.unmute.hidden = sound !== 'muted';
    // Before, they would only keep the picture waiting.
    if (pictured || !MAY_GET_ONE.has(stats.state)) this.#controls ??= this.#bringControls();
    const covered = this.stage.dataset.curtain !== 'open';
    this.controls?.render({ stats, pictured, covered, mayTheatre: keysOfPage && !fills, panelOpen: !this.panelPlace.hidden });
    this.pill.render(now);
    if (!this.panelPlace.hidden) this.#panel?.render(now);
  }

  async #bringControls() {
    try {
      const { Controls } = await import('./player-controls.js');
      this.controls = new Controls(this.video, this.stage, this.on);
      this.stage.append(this.controls.root);
      this.render(this.#latest);
    } catch (error) {
      console.error('swarmcast: there are no controls.', error); // Keys and taps work.
    }
  }

  async togglePanel() {
    const opens = (this.panelPlace.hidden = !this.panelPlace.hidden) === false;
    this.#panel?.shown(opens);
    if (this.#latest) this.render(this.#latest);
    if (!opens || this.#panel) return;
    const { Panel } = await import('./player-panel.js');
    this.#panel ??= new Panel(this.panelPlace, this.root);
    this.#panel.shown(!this.panelPlace.hidden);
    if (this.#latest) this.#panel.render(this.#latest);
  }

  async openShare() {
    const { ShareDialog } = await import('./share-dialog.js');
    this.#share ??= new ShareDialog(this.root);
    this.#share.open(this.on.shared());
  }

  toggleFullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.stage.requestFullscreen) this.stage.requestFullscreen().catch(() => {});
    else this.video.webkitEnterFullscreen?.(); // iPhone
  }

  /** Off its page, nothing of the player goes on moving. */
  moves(on) {
    this.#panel?.shown(on && !this.panelPlace.hidden);
  }
}
