// The player's looks: builds the shadow DOM once, and shows a state whenever it is given one. Decides nothing.

import { element, setText } from './elements.js';
import { seconds } from './figures.js';
import { Panel } from './player-panel.js';
import { STYLE } from './player-style.js';
import { wording } from './wording.js';

const ICONS = {
  play: 'M8 5v14l11-7z',
  pause: 'M7 5h4v14H7zM13 5h4v14h-4z',
  sound: 'M4 9v6h4l5 5V4L8 9zM16 8.5a5 5 0 0 1 0 7M18.5 5.500a9 9 0 0 1 0 13',
  muted: 'M4 9v6h4l5 5V4L8 9zM16 9.500l5 5M21 9.500l-5 5',
  figures: 'M5 20v-6M12 20V5M19 20v-9',
  full: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
};

/** Shared by all players of a page. Made here, as a site's policy may forbid style elements. */
const SHEET = new CSSStyleSheet();
SHEET.replaceSync(STYLE);

/** In multiples of what is watched. */
const UPLOAD_CAPS = [1, 2, 4, 8];

export class PlayerView {
  constructor(root, { onPlay, onMute, onSharing, onUploadCap, onPanel }) {
    this.panel = new Panel();
    this.onPanel = onPanel;
    this.video = element('video', { playsInline: true, disableRemotePlayback: true, preload: 'auto' });
    this.#build(root, { onPlay, onMute, onSharing, onUploadCap });
  }

  #build(root, { onPlay, onMute, onSharing, onUploadCap }) {
    this.curtain = element('div', { className: 'curtain', part: 'curtain', 'aria-hidden': 'true' },
      element('span', { className: 'spinner' }), element('span', { className: 'begin' }, icon('play')),
      (this.curtainText = element('span')), (this.curtainMore = element('small')));
    this.unmute = element('button', { type: 'button', className: 'unmute', part: 'unmute', hidden: true }, icon('muted'), 'Tap for sound');
    this.playButton = button('Pause', 'pause', 'play');
    this.muteButton = button('Mute', 'sound', 'mute');
    this.panelButton = button('Figures (key I)', 'figures', 'panel');
    this.fullButton = button('Full screen', 'full', 'fullscreen');
    this.badge = element('span', { className: 'badge', part: 'badge' });
    this.lag = element('span', { className: 'lag' });
    const controls = element('div', { className: 'controls', part: 'controls' },
      this.playButton, this.muteButton, this.badge, this.lag, element('span', { className: 'gap' }), this.panelButton, this.fullButton);
    this.stage = element('div', { className: 'stage', part: 'stage' }, this.video, this.curtain, this.unmute, controls);

    this.title = element('strong');
    this.text = element('span');
    this.state = element('p', { className: 'state', part: 'state', role: 'status', 'aria-live': 'polite', 'data-role': 'state' }, this.title, ' ', this.text);
    this.switch = element('button', { type: 'button', className: 'switch', role: 'switch', 'data-action': 'sharing', 'aria-describedby': 'why' },
      element('span', { className: 'knob' }), 'Sharing');
    this.whyText = element('span');
    this.cap = element('select', { 'data-action': 'upload-cap', 'aria-label': 'Pass on at most' },
      ...UPLOAD_CAPS.map((times) => element('option', { value: times }, `${times} times`)));
    this.capText = element('span', {}, ' at most ', this.cap, ' what you take.');
    this.why = element('span', { className: 'why', id: 'why' }, this.whyText, this.capText);
    const sharing = element('div', { className: 'sharing', part: 'sharing' }, this.switch, this.why);
    const under = element('div', { className: 'under', part: 'under' }, this.state, sharing);
    root.adoptedStyleSheets = [SHEET];
    root.append(this.stage, element('div', { className: 'below' }, under, this.panel.root));

    this.playButton.onclick = onPlay;
    this.muteButton.onclick = this.unmute.onclick = onMute;
    this.switch.onclick = onSharing;
    this.cap.onchange = () => onUploadCap(Number(this.cap.value));
    this.panelButton.onclick = () => this.togglePanel();
    this.fullButton.onclick = () => this.toggleFullscreen();
    this.video.onclick = () => (this.unmute.hidden ? onPlay() : onMute());
    this.video.ondblclick = () => this.toggleFullscreen();
    this.keys = { i: () => this.togglePanel(), k: onPlay, m: onMute, f: () => this.toggleFullscreen() };
  }

  render({ stats, sharing, sound, cap }) {
    const words = wording(stats);
    const playing = stats.state === 'live';
    const pictured = stats.first_frame_ms !== null && (playing || stats.state === 'buffering' || stats.state === 'reconnecting');
    this.state.dataset.state = stats.state;
    setText(this.title, words.title);
    setText(this.text, words.text);
    setText(this.curtainText, words.title);
    setText(this.curtainMore, words.text);
    this.stage.dataset.state = stats.state;
    this.stage.dataset.pictured = String(pictured);
    setText(this.badge, playing ? (this.video.paused ? 'Paused' : 'Live') : words.title);
    this.badge.dataset.live = String(playing && !this.video.paused);
    setText(this.lag, pictured && stats.lag_s !== null ? `${seconds(stats.lag_s)} behind the camera` : '');
    this.unmute.hidden = sound !== 'muted';
    setIcon(this.playButton, this.video.paused ? 'play' : 'pause', this.video.paused ? 'Play' : 'Pause');
    setIcon(this.muteButton, this.video.muted ? 'muted' : 'sound', this.video.muted ? 'Sound on' : 'Mute');
    this.switch.setAttribute('aria-checked', String(sharing.on));
    this.switch.disabled = sharing.locked;
    setText(this.whyText, sharing.on ? 'You pass on what you watch,' : `Nothing leaves this device: ${sharing.reason}.`);
    this.capText.hidden = !sharing.on;
    if (this.cap.value !== String(cap)) this.#showCap(cap);
    if (!this.panel.root.hidden) this.panel.render(stats);
  }

  /** A page may ask for a cap that is not among the usual ones. */
  #showCap(cap) {
    if (!UPLOAD_CAPS.includes(cap)) this.cap.prepend(element('option', { value: cap }, `${cap} times`));
    this.cap.value = String(cap);
  }

  togglePanel() {
    this.panel.root.hidden = !this.panel.root.hidden;
    this.panelButton.setAttribute('aria-expanded', String(!this.panel.root.hidden));
    this.onPanel();
  }

  toggleFullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.stage.requestFullscreen) this.stage.requestFullscreen().catch(() => {});
    else this.video.webkitEnterFullscreen?.(); // iPhone
  }

  /** Single keys, unless somebody is typing or means a shortcut of the browser's. */
  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const target = event.composedPath()[0];
    if (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName ?? '')) return;
    this.keys[event.key.toLowerCase()]?.();
  }
}

function button(label, name, action) {
  return element('button', { type: 'button', title: label, 'aria-label': label, 'data-action': action, 'data-icon': name }, icon(name));
}

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

function setIcon(target, name, label) {
  if (target.dataset.icon === name) return;
  target.dataset.icon = name;
  target.title = label;
  target.setAttribute('aria-label', label);
  target.replaceChildren(icon(name));
}
