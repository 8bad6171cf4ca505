// For bundled sites: loads the player from a server, and steers a framed one.

export { SwarmcastFrame } from './frame.js';

/**
 * Loads <swarmcast-player> from `server`, and resolves once elements of that name play. A browser runs no other loader than
 * the one with the hash `integrity`, where that is given.
 */
export async function load(server, { integrity } = {}) {
  const src = new URL('/embed.js', server).href;
  if (!document.querySelector(`script[src="${CSS.escape(src)}"]`)) {
    const script = Object.assign(document.createElement('script'), { type: 'module', src, crossOrigin: 'anonymous' });
    if (integrity) script.integrity = integrity;
    const failed = new Promise((_, reject) => script.addEventListener('error', () => reject(new Error(`cannot load ${src}`))));
    document.head.append(script);
    await Promise.race([customElements.whenDefined('swarmcast-player'), failed]);
  }
  await customElements.whenDefined('swarmcast-player');
}
