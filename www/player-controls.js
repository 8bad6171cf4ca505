// The bar at the foot of the picture: play, sound, the last minute, the live edge, and what else the picture can be shown
// in. Shows a state when given one, and says which action was asked for; decides nothing.

import { element, setText } from './elements.js';
import { clock, seconds } from './figures.js';
import { iconButton, setIcon } from './player-icons.js';

/** How far back one can go: what the engine has the browser keep (`Playout`, in the swarm crate). */
export const KEPT_S = 60;

const IDLE_AFTER_MS = 2500;

export class Controls {
  #idleTimer = 0;
  #dragged = false;

  /** `on` has a function for each action: play, mute, volume, seek, live, captions, panel, share, pip, theatre, fullscreen. */
  constructor(video, on) {
    this.video = video;
    this.seek = element('input', { type: 'range', className: 'seek', min: -KEPT_S, max: 0, step: 1, value: 0, 'aria-label': 'Go back over the last minute', 'data-action': 'seek' });
    this.play = iconButton('Pause', 'pause', 'play');
    this.mute = iconButton('Mute', 'sound', 'mute');
    this.volume = element('input', { type: 'range', className: 'volume', min: 0, max: 1, step: 0.05, value: 1, 'aria-label': 'Volume', 'data-action': 'volume' });
    this.badge = element('button', { type: 'button', className: 'badge', part: 'badge', 'data-action': 'live' });
    this.lag = element('span', { className: 'lag' });
    this.captions = iconButton('Captions', 'captions', 'captions');
    this.share = iconButton('Share', 'share', 'share');
    this.panel = iconButton('Figures', 'figures', 'panel');
    this.pip = iconButton('Picture in picture', 'pip', 'pip');
    this.theatre = iconButton('Wide', 'theatre', 'theatre');
    this.fullscreen = iconButton('Full screen', 'full', 'fullscreen');
    const row = element('div', { className: 'row' }, this.play, this.mute, this.volume, this.badge, this.lag,
      element('span', { className: 'gap' }), this.captions, this.share, this.panel, this.pip, this.theatre, this.fullscreen);
    this.root = element('div', { className: 'controls', part: 'controls' }, this.seek, row);
    for (const action of ['play', 'mute', 'captions', 'share', 'panel', 'pip', 'theatre', 'fullscreen']) this[action].onclick = on[action];
    this.badge.onclick = on.live;
    this.volume.oninput = () => on.volume(Number(this.volume.value));
    this.seek.oninput = () => {
      this.#dragged = true;
      this.#say(-Number(this.seek.value));
    };
    this.seek.onchange = () => {
      this.#dragged = false;
      on.seek(-Number(this.seek.value));
    };
    this.panel.setAttribute('aria-expanded', 'false');
  }

  /** Hides the bar once nobody has moved for a while. */
  follow(stage) {
    const wake = () => {
      stage.classList.remove('still');
      clearTimeout(this.#idleTimer);
      this.#idleTimer = setTimeout(() => stage.classList.add('still'), IDLE_AFTER_MS);
    };
    for (const kind of ['pointermove', 'pointerdown', 'keydown', 'focusin']) stage.addEventListener(kind, wake);
    stage.addEventListener('pointerleave', () => stage.classList.add('still'));
    wake();
  }

  /** Leaves no timer behind. */
  rest() {
    clearTimeout(this.#idleTimer);
  }

  render({ stats, pictured, mayTheatre }) {
    const { video } = this;
    const behind = behindS(stats);
    const atEdge = stats.following && stats.state === 'live' && pictured;
    setIcon(this.play, video.paused ? 'play' : 'pause', video.paused ? 'Play (k)' : 'Pause (k)');
    const silent = video.muted || video.volume === 0;
    setIcon(this.mute, silent ? 'muted' : 'sound', silent ? 'Sound on (m)' : 'Mute (m)');
    this.volume.value = video.muted ? 0 : video.volume;
    this.volume.setAttribute('aria-valuetext', `${Math.round(this.volume.value * 100)} %`);
    fill(this.volume, this.volume.value);
    this.badge.hidden = !pictured;
    this.badge.dataset.live = String(atEdge && !video.paused);
    setText(this.badge, stats.following ? 'Live' : 'Go live');
    this.badge.title = atEdge ? 'At the live edge' : 'To the live edge (l)';
    this.seek.hidden = !pictured;
    if (!this.#dragged) {
      this.seek.value = -behind;
      this.#say(behind);
    }
    const oldest = video.buffered.length ? video.currentTime - video.buffered.start(0) + behind : 0;
    this.seek.style.setProperty('--held', `${Math.min(1, oldest / KEPT_S) * 100}%`);
    if (stats.following) setText(this.lag, pictured && stats.lag_s !== null ? `${seconds(stats.lag_s)} behind the camera` : '');
    this.captions.hidden = [...video.textTracks].every(({ mode }) => mode === 'disabled');
    this.captions.setAttribute('aria-pressed', String([...video.textTracks].some(({ mode }) => mode === 'showing')));
    this.pip.hidden = !document.pictureInPictureEnabled;
    this.theatre.hidden = !mayTheatre;
    const full = document.fullscreenElement !== null;
    setIcon(this.fullscreen, full ? 'unfull' : 'full', full ? 'Leave full screen (f)' : 'Full screen (f)');
  }

  #say(behind) {
    const text = behind < 1 ? 'Live' : `${clock(behind)} behind live`;
    this.seek.setAttribute('aria-valuetext', text);
    fill(this.seek, 1 - behind / KEPT_S);
    if (behind >= 1) setText(this.lag, text);
  }
}

/** Seconds that the viewer has gone back from where all viewers are. */
export function behindS({ following, lag_s: lag, target_lag_s: target }) {
  return following || lag === null ? 0 : Math.max(0, lag - target);
}

function fill(range, share) {
  range.style.setProperty('--share', `${Math.max(0, Math.min(1, share)) * 100}%`);
}
