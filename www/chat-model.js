// What a chat is, from what the server tells: a pure function from one model and a message to the next.

const LINES_MAX = 300; // The page's own memory; the server keeps fewer.

export const EMPTY = Object.freeze({
  phase: 'connecting',
  state: { open: 'waiting', slow_s: 0, links: false, sealed: false },
  you: { by: '', role: 'guest', name: '', banned: false },
  lines: [],
  bans: [],
});

export function told(model, message) {
  switch (message.type) {
    case 'welcome': return { ...model, state: message.state, you: message.you, lines: message.lines, bans: [] };
    case 'line': return { ...model, lines: [...model.lines, message].slice(-LINES_MAX) };
    case 'deleted': return { ...model, lines: model.lines.filter(({ id }) => !message.ids.includes(id)) };
    case 'state': return { ...model, state: without(message) };
    case 'you': return { ...model, you: without(message), bans: message.role === 'guest' ? [] : model.bans };
    case 'cleared': return { ...model, lines: [] };
    case 'bans': return { ...model, bans: message.bans };
    default: return model;
  }
}

export const moderates = ({ you }) => you.role !== 'guest';

/** Whether this viewer may take a line away: their own, or one of somebody below them. */
export function mayDelete({ you }, line) {
  return line.by === you.by || rank(you.role) > rank(line.role);
}

export const mayBan = ({ you }, line) => moderates({ you }) && line.by !== you.by && rank(you.role) > rank(line.role);

const rank = (role) => ['guest', 'moderator', 'owner'].indexOf(role);

const without = ({ type, ...rest }) => rest;
