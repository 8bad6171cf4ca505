// Sound: starting with it where the browser allows that, else muted until the viewer asks; and the volume of last time.

const VOLUME = 'swarmcast.volume';

/** Plays, and says how it went: `sound`, `muted` or `refused`. */
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

/** As loud as this viewer last wanted it. Whether that is silent. */
export function restoreVolume(video) {
  try {
    const { volume, muted } = JSON.parse(localStorage.getItem(VOLUME)) ?? {};
    if (volume >= 0 && volume <= 1) video.volume = volume;
    if (muted === true) video.muted = true;
    return muted === true;
  } catch {
    return false; // Nothing is remembered, or nothing that makes sense.
  }
}

export function rememberVolume({ volume, muted }) {
  try {
    localStorage.setItem(VOLUME, JSON.stringify({ volume, muted }));
  } catch {
    // Without storage it holds for this page.
  }
}
