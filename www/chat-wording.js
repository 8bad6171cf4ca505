// The chat's states and refusals, in words.

/** What stands where one would write; empty: one can. */
export function standing({ phase, state, you }) {
  switch (phase) {
    case 'connecting': return 'Connecting …';
    case 'reconnecting': return 'The chat is out of reach. Trying again …';
    case 'full': return 'The chat has no room for more people. Trying again …';
    case 'removed': return 'This channel was removed.';
    case 'banned': return 'You are banned from this channel, and its chat.';
    case 'bad_message': return 'This page does not speak the server’s chat. Load it again.';
  }
  if (state.open === 'off') return 'The chat is switched off for this channel.';
  if (state.open === 'waiting') return 'The chat opens with the broadcast. Nothing is kept of the last one.';
  if (you.banned) return 'A moderator has banned you from this chat until the broadcast ends. You can read on.';
  return '';
}

/** Why something was not done. */
export function refusal(reason) {
  switch (reason) {
    case 'no_name': return 'Say your name first.';
    case 'bad_name': return 'A name has 1 to 24 characters, a letter or a digit among them.';
    case 'name_taken': return 'That name is taken, or looks like one that is. Choose another.';
    case 'bad_text': return 'That line is empty or too long: 300 characters at most.';
    case 'link': return 'Links are not allowed in this chat.';
    case 'too_fast': return 'That was too fast.';
    case 'busy': return 'Many are writing just now. Try again in a moment.';
    case 'closed': return 'The chat is closed.';
    case 'banned': return 'You are banned from this chat.';
    case 'not_allowed': return 'Only a moderator may do that.';
    case 'unknown': return 'That line is gone already.';
    case 'not_listed': return 'The owner of this channel has not named your key as a moderator’s.';
    case 'bad_proof': return 'The server does not accept the proof of your key.';
    case 'sealing': return 'This broadcast is private: load the page again with the whole link.';
    default: return '';
  }
}

export const ROLES = { moderator: 'Moderator', owner: 'Broadcaster' };
