// Captions as encoders send them: CEA-608 in the picture's own stream (ANSI/SCTE 128, what OBS and broadcast encoders
// write), signed, passed on and sealed with it. Here they become text tracks of the video element, so that they are shown
// as this device's owner has captions shown. Loaded when the first one comes.

import { pictures } from './chunk-samples.js';
import { Cta608Parser, extractCta608DataFromSample } from './vendor/cml-608.mjs';

const WANTED = 'swarmcast.captions';
const KEPT_S = 65; // as long as the media that one can go back to, and what plays besides
const REORDERED_MAX = 32; // pictures that wait for their turn: twice what H.264 allows
const [ROWS, COLUMNS] = [15, 32];
const MARGIN = 10; // per cent: the grid fills the middle four fifths

export class Captions {
  #video;
  #wanted;
  #epoch = null;
  #services = [];
  #fields = [];
  #waiting = [];

  constructor(video) {
    this.#video = video;
    this.#wanted = remembered();
  }

  /** The next chunk of the broadcast `epoch`. */
  take(chunk, epoch) {
    if (epoch !== this.#epoch) this.#begin(epoch);
    const found = pictures(chunk);
    if (!found) return;
    this.#waiting.push(...found.samples);
    this.#waiting.sort((one, other) => one.shownS - other.shownS);
    // What comes later is shown later than this: the rest waits for pictures that it was sent ahead of.
    while (this.#waiting.length && (this.#waiting[0].shownS < found.endS || this.#waiting.length > REORDERED_MAX)) this.#read(this.#waiting.shift());
    for (const field of this.#fields) field.cueSplitAtTime(found.endS);
  }

  /** Shows the first, then the next if there are several, then none. */
  next() {
    const there = this.#services.map(({ track }) => track).filter(Boolean);
    if (!there.length) return;
    const next = there[there.findIndex(({ mode }) => mode === 'showing') + 1];
    for (const track of there) track.mode = track === next ? 'showing' : 'hidden';
    this.#wanted = next?.label ?? '';
    remember(this.#wanted);
  }

  /** Takes all of them off the element, which cannot lose a track. */
  close() {
    for (const service of this.#services) service.close();
  }

  #begin(epoch) {
    this.close();
    this.#epoch = epoch;
    this.#waiting = [];
    this.#services = ['CC1', 'CC2', 'CC3', 'CC4'].map((name) => new Service(() => this.#track(name)));
    this.#fields = [new Cta608Parser(1, ...this.#services.slice(0, 2)), new Cta608Parser(3, ...this.#services.slice(2))];
  }

  #track(name) {
    const track = [...this.#video.textTracks].find(({ label }) => label === name) ?? this.#video.addTextTrack('captions', name);
    const shown = this.#services.find((service) => service.track?.mode === 'showing')?.track;
    const isBest = name === this.#wanted || (this.#wanted && !shown);
    if (isBest && shown) shown.mode = 'hidden';
    track.mode = isBest ? 'showing' : 'hidden';
    return track;
  }

  #read({ shownS, bytes }) {
    const fields = extractCta608DataFromSample(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.byteLength);
    fields.forEach((pairs, index) => this.#fields[index].addData(shownS, pairs));
  }
}

/** One of the four services: what the parser says of it goes into a track of its own. */
class Service {
  track = null;
  #open;
  #last = null;

  constructor(open) {
    this.#open = open;
  }

  /** `screen` was on from `start` to `end`, and may still be. */
  newCue(start, end, screen) {
    const { text, line, position } = laidOut(screen);
    if (!text || end <= start) return;
    this.track ??= this.#open();
    if (this.#last?.text === text && this.#last.line === line && this.#last.endTime >= start) {
      this.#last.endTime = end;
    } else {
      this.#last = Object.assign(new VTTCue(start, end, text), { line, position, snapToLines: false, align: 'start', positionAlign: 'line-left' });
      this.track.addCue(this.#last);
    }
    while (this.track.cues[0].endTime < end - KEPT_S) this.track.removeCue(this.track.cues[0]);
  }

  close() {
    if (!this.track) return;
    for (const cue of [...this.track.cues]) this.track.removeCue(cue);
    this.track.mode = 'disabled';
    this.track = null;
  }
}

/** A screen of rows and columns as a WebVTT cue has it: text, and where its first character stands, in per cent. */
function laidOut({ rows }) {
  const lines = rows.map((row) => row.getTextString().trimEnd());
  const first = lines.findIndex(Boolean);
  const filled = lines.slice(first, lines.findLastIndex(Boolean) + 1);
  const indent = Math.min(...filled.filter(Boolean).map((line) => line.search(/\S/)));
  const text = filled.map((line) => line.slice(indent).replace(/^ +/, (blank) => '\u00a0'.repeat(blank.length)));
  const share = (part, whole) => MARGIN + (part / whole) * (100 - 2 * MARGIN);
  return { text: escaped(text.join('\n')), line: share(first, ROWS), position: share(indent, COLUMNS) };
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The service that this viewer has last wanted to see, or none. */
function remembered() {
  try {
    return localStorage.getItem(WANTED) ?? '';
  } catch {
    return '';
  }
}

function remember(wanted) {
  try {
    localStorage.setItem(WANTED, wanted);
  } catch {
    // Without storage it holds for this page.
  }
}
