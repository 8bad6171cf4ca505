// The icons of the player, and buttons that show one.

import { element } from './elements.js';

const ICONS = {
  play: 'M8 5v14l11-7z',
  pause: 'M7 5h4v14H7zM13 5h4v14h-4z',
  sound: 'M4 9v6h4l5 5V4L8 9zM16 8.5a5 5 0 0 1 0 7M18.5 5.500a9 9 0 0 1 0 13',
  muted: 'M4 9v6h4l5 5V4L8 9zM16 9.500l5 5M21 9.500l-5 5',
  captions: 'M3 6h18v12H3zM10.500 10.500a2 2 0 1 0 0 3M17.500 10.500a2 2 0 1 0 0 3',
  figures: 'M5 20v-6M12 20V5M19 20v-9',
  share: 'M12 15V3.500M7.500 7.500L12 3l4.500 4.500M5 12v8h14v-8',
  pip: 'M3 5h18v14H3zM12 12h6v4h-6z',
  theatre: 'M2.500 6.500h19v11h-19z',
  full: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  unfull: 'M9 4v5H4M15 4v5h5M9 20v-5H4M15 20v-5h5',
  close: 'M6 6l12 12M18 6L6 18',
};

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

export function iconButton(label, name, action) {
  return element('button', { type: 'button', title: label, 'aria-label': label, 'data-action': action }, icon(name));
}
