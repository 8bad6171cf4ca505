// Shows one channel both ways and writes down what each says. Works on any site: everything comes from the server that
// the address names, by default from where this file is.

const asked = new URLSearchParams(location.search);
const server = new URL(asked.get('server') ?? location.origin).origin;
const channel = asked.get('channel') ?? '';
const EVENTS = ['live', 'offline', 'stall', 'error'];

document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: `${server}/assets/style.css` }),
  Object.assign(document.createElement('link'), { rel: 'stylesheet', href: `${server}/assets/embed.css` }));

const player = document.createElement('swarmcast-player');
player.setAttribute('channel', channel);
document.getElementById('element').append(player);
listen(player, 'element-said');
import(`${server}/embed.js`).catch((error) => say('element-said', String(error)));

const frame = document.createElement('iframe');
Object.assign(frame, { src: `${server}/embed/${encodeURIComponent(channel)}`, title: channel, allow: 'autoplay; fullscreen', referrerPolicy: 'origin' });
document.getElementById('frame').append(frame);
const { SwarmcastFrame } = await import(`${server}/assets/npm/frame.js`);
window.framed = new SwarmcastFrame(frame);
listen(window.framed, 'frame-said');

function listen(target, id) {
  for (const event of EVENTS) target.addEventListener(event, ({ detail }) => say(id, `${event}: ${detail.message}`));
}

function say(id, line) {
  document.getElementById(id).append(`${line}\n`);
}
