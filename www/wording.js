// What the player says of itself: a state in a word, what is happening, and what happens next.

const WORDS = {
  idle: ['Press play', ''],
  connecting: ['Connecting', 'Asking the server for this channel. The picture starts by itself.'],
  finding_peers: ['Almost there', 'The channel is live. The first picture is on its way.'],
  live: ['Live', ''],
  buffering: ['Waiting for the picture', 'Data comes too slowly just now. It goes on by itself as soon as there is enough.'],
  reconnecting: ['Reconnecting', 'The broadcast is out of reach. It is being looked for, and goes on here without a reload.'],
  lapsed: ['Not shown for now', 'The broadcaster has let this server sign the broadcast for a while, and that time is over. The picture returns by itself once it is renewed. If the clock of this device is wrong, set it right.'],
  locked: ['Private', 'This broadcast is encrypted, and the link that you came by does not hold the key to it. Ask the broadcaster for the whole link, to its last character.'],
  offline: ['Not on air', 'The picture starts here by itself when the broadcast does.'],
  failed: ['The player has stopped', 'That is a fault in the player, not in your connection. Reload the page to go on.'],
};

/** `{ title, text }` for people, from the viewer's own figures. */
export function wording({ state, reason }) {
  if (state === 'refused') return { title: 'Not shown on this site', text: reason ?? '' };
  if (state === 'unsupported') {
    const missing = reason ?? 'something that the player needs';
    return { title: 'Not supported here', text: `This browser lacks ${missing}. Current versions of Chrome, Edge, Firefox and Safari can play it.` };
  }
  const [title, text] = WORDS[state] ?? WORDS.connecting;
  const said = reason && (state === 'offline' || state === 'connecting') ? `${sentence(reason)} ` : '';
  return { title, text: said + text };
}

function sentence(text) {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}
