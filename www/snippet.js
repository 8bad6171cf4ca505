// The text that a site pastes, and the policy that it needs, from what was chosen on the page. Reads no page itself.

const attribute = (name, value) => (value === '' ? ` ${name}` : ` ${name}="${escaped(value)}"`);

export function escaped(text) {
  const names = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return String(text).replace(/[&<>"]/g, (character) => names[character]);
}

/** Attributes of the element for these choices; those that say what holds anyway are left out. */
export function attributesOf({ channel, key, autoplay, muted, controls }) {
  const attributes = { channel };
  if (key) attributes.key = key;
  if (!autoplay) attributes.autoplay = 'off';
  if (muted) attributes.muted = '';
  if (!controls) attributes.controls = 'off';
  return attributes;
}

/** Custom properties of the element, as a style. */
export function styleOf({ accent, radius }) {
  return [accent && `--swarmcast-accent: ${accent}`, radius !== null && `--swarmcast-radius: ${radius}px`].filter(Boolean).join('; ');
}

/** Address of the frame for these choices. */
export function frameAddress(host, { channel, key, autoplay, muted, controls, accent }) {
  const address = new URL(`/embed/${encodeURIComponent(channel)}`, host);
  if (!autoplay) address.searchParams.set('autoplay', '0');
  if (muted) address.searchParams.set('muted', '1');
  if (!controls) address.searchParams.set('controls', '0');
  if (accent) address.searchParams.set('accent', accent);
  if (key) address.hash = `key=${key}`;
  return address.href;
}

export function snippet(host, integrity, choices) {
  return choices.kind === 'frame' ? frameSnippet(host, choices) : elementSnippet(host, integrity, choices);
}

function elementSnippet(host, integrity, choices) {
  const pinned = integrity ? ` integrity="${integrity}" crossorigin` : '';
  const attributes = Object.entries(attributesOf(choices)).map(([name, value]) => attribute(name, value)).join('');
  const style = styleOf(choices) ? attribute('style', styleOf(choices)) : '';
  return `<script type="module" src="${host}/embed.js"${pinned}></script>\n<swarmcast-player${attributes}${style}></swarmcast-player>`;
}

function frameSnippet(host, choices) {
  const rounded = choices.radius === null ? '' : `; border-radius: ${choices.radius}px`;
  return `<iframe src="${escaped(frameAddress(host, choices))}"\n  title="${escaped(choices.channel)}, live"`
    + ` allow="autoplay; fullscreen; picture-in-picture" referrerpolicy="origin"\n`
    + `  style="width: 100%; aspect-ratio: 16 / 9; border: 0${rounded}"></iframe>`;
}

/** What a policy of the site must allow. */
export function policy(host, { kind }) {
  if (kind === 'frame') return `frame-src ${host};`;
  const socket = host.replace(/^http/, 'ws');
  return `script-src ${host} 'wasm-unsafe-eval'; connect-src ${host} ${socket}; media-src blob:;`;
}
