// Starting to play: with sound where the browser allows it, else muted until the viewer asks for sound.

/** Plays, and says how it went: `sound`, `muted` (by the browser's wish), or `refused`. */
export async function play(video) {
  const outcome = await attempt(video);
  if (outcome !== 'refused' || video.muted) return outcome;
  video.muted = true;
  const muted = await attempt(video);
  if (muted === 'refused') video.muted = false;
  return muted;
}

async function attempt(video) {
  try {
    await video.play();
  } catch (error) {
    if (error.name === 'NotAllowedError') return 'refused';
    // A new media source interrupts a start; the next one follows at once.
  }
  return video.muted ? 'muted' : 'sound';
}
