// The pill that says whether this viewer passes on what they watch, how much went which way and to how many people, and
// that turns it off. On the first visit, one sentence says what sharing is, or asks
// for it where the channel's owner wants that.

import { element, setText } from './elements.js';
import { bytes, shares } from './figures.js';

/** In multiples of what is watched. */
const UPLOAD_CAPS = [1, 2, 4, 8];

export class SharingPill {
  constructor({ onSharing, onUploadCap, onNoticed, onAnswer }) {
    this.switch = element('button', { type: 'button', className: 'switch', role: 'switch', 'data-action': 'sharing', 'aria-describedby': 'why' },
      element('span', { className: 'knob' }), 'Sharing');
    this.whyText = element('span', { 'data-role': 'shared' });
    this.cap = element('select', { 'data-action': 'upload-cap', 'aria-label': 'Pass on at most' },
      ...UPLOAD_CAPS.map((times) => element('option', { value: times }, `${times} times`)));
    this.capText = element('span', { className: 'cap' }, 'At most ', this.cap, ' what you take.');
    const why = element('span', { className: 'why', id: 'why' }, this.whyText, this.capText);
    this.root = element('div', { className: 'sharing', part: 'sharing' }, this.switch, why);
    const noticed = element('button', { type: 'button', 'data-action': 'noticed' }, 'All right');
    this.declines = element('button', { type: 'button', 'data-action': 'decline' }, 'Only watch');
    const sentence = 'While you watch, this page passes parts of the picture on to other viewers, who can see your network address; the Sharing switch turns that off.';
    this.notice = element('p', { className: 'notice', part: 'notice', hidden: true, 'data-role': 'notice' }, element('span', {}, sentence), this.declines, noticed);
    const decline = element('button', { type: 'button', 'data-action': 'decline' }, 'Only watch');
    const agree = element('button', { type: 'button', 'data-action': 'agree' }, 'Share');
    const asked = 'May this page pass parts of the picture on to other viewers? They could see your network address. You watch either way.';
    this.question = element('p', { className: 'notice', part: 'notice', hidden: true, 'data-role': 'question' }, element('span', {}, asked), agree, decline);
    agree.onclick = () => onAnswer(true);
    decline.onclick = this.declines.onclick = () => onAnswer(false);
    this.switch.onclick = onSharing;
    this.cap.onchange = () => onUploadCap(Number(this.cap.value));
    noticed.onclick = onNoticed;
  }

  render({ stats, sharing, cap, noticed, fills }) {
    this.switch.setAttribute('aria-checked', String(sharing.on));
    this.switch.disabled = sharing.locked;
    setText(this.whyText, sharing.on ? account(stats) : `Nothing leaves this device: ${sharing.reason}.`);
    this.capText.hidden = !sharing.on;
    this.notice.hidden = !sharing.on || noticed;
    this.declines.hidden = !fills; // The switch is not in sight there.
    this.question.hidden = !sharing.asks;
    if (this.cap.value !== String(cap)) this.#showCap(cap);
  }

  /** A page may ask for a cap that is not among the usual ones. */
  #showCap(cap) {
    if (!UPLOAD_CAPS.includes(cap)) this.cap.prepend(element('option', { value: cap }, `${cap} times`));
    this.cap.value = String(cap);
  }
}

function account({ bytes: received, uploaded_bytes: uploaded, links }) {
  const people = links.filter(({ kind, stripes_out: out }) => kind === 'viewer' && out.length > 0).length;
  const whom = people === 0 ? 'to nobody just now' : people === 1 ? 'to one person' : `to ${people} people`;
  return `↓ ${bytes(shares(received).total)}  ↑ ${bytes(uploaded)}, ${whom}. `;
}
