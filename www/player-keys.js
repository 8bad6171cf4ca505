// Single keys, as players elsewhere have them.

const KEYS = {
  ' ': 'toggle', k: 'toggle', m: 'mute', f: 'fullscreen', t: 'theatre', c: 'captions', p: 'pip', i: 'panel', l: 'live',
  arrowleft: 'back', arrowright: 'forward', arrowup: 'louder', arrowdown: 'quieter',
};
const ON_VOLUME = { arrowleft: 'quieter', arrowright: 'louder' };

/** What a key press asks for, or undefined: somebody is typing, or means a control of its own or a shortcut of the browser's. */
export function keyAction(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return undefined;
  const key = event.key.toLowerCase();
  const target = event.composedPath()[0];
  const is = (selector) => target instanceof Element && target.matches(selector);
  if (target.isContentEditable || is('input:not([type=range]), textarea, select')) return undefined;
  if (key === ' ' && is('button, a, summary')) return undefined;
  const onVolume = event.composedPath().some(({ dataset }) => dataset?.action === 'volume');
  const action = (onVolume && ON_VOLUME[key]) || KEYS[key];
  // Held down, arrows go on; anything else would flicker.
  return event.repeat && !key.startsWith('arrow') ? undefined : action;
}
