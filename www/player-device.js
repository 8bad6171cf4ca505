// What the device is told while something plays: that the screen stays on, what is on, and what its media keys do.

/** Keeps the screen on while `video` plays in sight, until `signal` ends it. */
export function keepAwake(video, signal) {
  let lock = null;
  const update = async () => {
    const wanted = !video.paused && !document.hidden && !signal.aborted;
    if (!wanted) return void (lock = lock?.release() && null);
    try {
      lock ??= await navigator.wakeLock?.request('screen');
      lock?.addEventListener('release', () => (lock = null), { once: true });
      if (video.paused || signal.aborted) update();
    } catch {
      // A low battery refuses; the screen then goes dark as it always does.
    }
  };
  for (const kind of ['play', 'pause', 'emptied']) video.addEventListener(kind, update, { signal });
  document.addEventListener('visibilitychange', update, { signal });
  signal.addEventListener('abort', update);
  update();
}

/** The device's media keys and its lock screen, for as long as `signal` lets them. */
export function tellMediaSession(video, title, { play, pause, seekBy }, signal) {
  const session = navigator.mediaSession;
  if (!session) return;
  const actions = {
    play,
    pause,
    seekbackward: ({ seekOffset }) => seekBy(-(seekOffset ?? 10)),
    seekforward: ({ seekOffset }) => seekBy(seekOffset ?? 10),
  };
  const set = (name, act) => {
    try {
      session.setActionHandler(name, act);
    } catch {
      // This browser does not know the key.
    }
  };
  // Of several players on a page, the one that was started last has them.
  video.addEventListener('play', () => {
    session.metadata = new MediaMetadata({ title, artist: location.hostname });
    for (const [name, act] of Object.entries(actions)) set(name, act);
    session.playbackState = 'playing';
  }, { signal });
  video.addEventListener('pause', () => (session.playbackState = 'paused'), { signal });
  signal.addEventListener('abort', () => Object.keys(actions).forEach((name) => set(name, null)));
}
