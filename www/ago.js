// How long ago something was, in words.

const times = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** `ms` ago: `this minute`, `5 minutes ago`, `3 hours ago`, `yesterday`. */
export function ago(ms) {
  const minutes = Math.max(0, Math.round(ms / 60_000));
  const hours = Math.round(minutes / 60);
  if (minutes < 60) return times.format(-minutes, 'minute');
  return hours < 24 ? times.format(-hours, 'hour') : times.format(-Math.round(hours / 24), 'day');
}
