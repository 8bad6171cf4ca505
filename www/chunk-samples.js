// The pictures of a CMAF chunk (ISO/IEC 14496-12), as far as captions need them: when each is shown, and its bytes. What is
// laid out otherwise than the format allows is left out.

const VIDEO_TRACK = 1;
const MS_PER_S = 1000; // the video track's timescale
// Flags of `trun`, §8.8.8.
const DATA_OFFSET = 0x1;
const FIRST_FLAGS = 0x4;
const [DURATION, SIZE, FLAGS, COMPOSITION] = [0x100, 0x200, 0x400, 0x800];

/** `samples`: `shownS` and `bytes`, in decoding order; `endS`: the decoding time after the last. Null where there are none. */
export function pictures(chunk) {
  const moof = boxes(chunk).find(({ type }) => type === 'moof');
  for (const traf of moof ? boxes(moof.body).filter(({ type }) => type === 'traf') : []) {
    const parts = boxes(traf.body);
    const [header, time, run] = ['tfhd', 'tfdt', 'trun'].map((wanted) => parts.find(({ type }) => type === wanted)?.body);
    if (header && time && run && view(header).getUint32(4) === VIDEO_TRACK) return samples(chunk.subarray(moof.start), view(time), view(run));
  }
  return null;
}

function samples(media, time, run) {
  const flags = run.getUint32(0) & 0xffffff;
  if (!(flags & SIZE)) return null;
  const count = run.getUint32(4);
  let decodeMs = time.getUint8(0) === 1 ? Number(time.getBigUint64(4)) : time.getUint32(4);
  let at = flags & DATA_OFFSET ? run.getInt32(8) : 0;
  let field = 8 + (flags & DATA_OFFSET ? 4 : 0) + (flags & FIRST_FLAGS ? 4 : 0);
  const next = (flag) => (flags & flag ? run.getInt32((field += 4) - 4) : 0);
  const found = [];
  for (let index = 0; index < count; index++) {
    const [duration, size] = [next(DURATION), next(SIZE)];
    next(FLAGS);
    found.push({ shownS: (decodeMs + next(COMPOSITION)) / MS_PER_S, bytes: media.subarray(at, at + size) });
    decodeMs += duration;
    at += size;
  }
  return { samples: found, endS: decodeMs / MS_PER_S };
}

/** The boxes that follow each other in `bytes`. */
function boxes(bytes) {
  const found = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = view(bytes).getUint32(at);
    if (length < 8 || at + length > bytes.length) break;
    found.push({ type: String.fromCharCode(...bytes.subarray(at + 4, at + 8)), start: at, body: bytes.subarray(at + 8, at + length) });
    at += length;
  }
  return found;
}

function view({ buffer, byteOffset, byteLength }) {
  return new DataView(buffer, byteOffset, byteLength);
}
