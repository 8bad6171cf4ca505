// What the player says of itself: a state in a word, what is happening, and what happens next.

const WORDS = {
  idle: ['Press play', ''],
  connecting: ['Connecting', 'Asking the server for this channel. The picture starts by itself.'],
  finding_peers: ['Finding the picture', 'The channel is live. The first picture is on its way.'],
  live: ['Live', ''],
  buffering: ['Waiting for the picture', 'Data comes too slowly just now. It goes on by itself as soon as there is enough.'],
  reconnecting: ['Reconnecting', 'The broadcast is out of reach. It is being looked for, and goes on here without a reload.'],
  lapsed: ['Not shown for now', 'The broadcaster has let this server sign the broadcast for a while, and that time is over. The picture returns by itself once it is renewed. If the clock of this device is wrong, set it right.'],
  locked: ['Private', 'This broadcast is encrypted, and the link that you came by does not hold the key to it. Ask the broadcaster for the whole link, to its last character.'],
  offline: ['Not on air', 'The picture starts here by itself when the broadcast does.'],
  ended: ['The broadcast has ended', 'If this channel goes on air again, it starts here by itself.'],
  failed: ['The player has stopped', 'That is a fault in the player, not in your connection. Reload the page to go on.'],
};

/** What the server says goes with these. */
const SHUT_OUT = { refused: 'Not shown on this site', uninvited: 'For invited viewers', banned: 'You are banned here' };

const NEED_A_PICTURE = new Set(['live', 'buffering', 'reconnecting']);

const CURRENT = 'Current versions of Chrome, Edge, Firefox and Safari can play it.';

/** `{ title, text }` for people, from the viewer's own figures. */
export function wording({ state, reason, attempt, first_frame_ms: firstFrameMs }) {
  if (SHUT_OUT[state]) return { title: SHUT_OUT[state], text: reason ?? '' };
  if (state === 'unsupported') return unsupported(reason ?? 'something that the player needs');
  // What the viewer sees counts: before there was a picture, nothing is live, and nothing is lost.
  const seen = firstFrameMs === null && NEED_A_PICTURE.has(state) ? 'finding_peers' : state;
  const [title, text] = WORDS[seen] ?? WORDS.connecting;
  const said = reason && (seen === 'offline' || seen === 'connecting') ? `${sentence(reason)} ` : '';
  const tries = (seen === 'reconnecting' || seen === 'connecting') && attempt > 1 ? ` (${attempt})` : '';
  return { title: title + tries, text: said + text };
}

function unsupported(missing) {
  const title = 'Not supported here';
  if (/^a decoder for .*(avc|mp4a|hvc|hev)/.test(missing)) {
    return { title, text: `This browser came without ${missing}. Installing its media codecs helps, or another browser: ${CURRENT}` };
  }
  return { title, text: `This browser lacks ${missing}. ${CURRENT}` };
}

function sentence(text) {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}
