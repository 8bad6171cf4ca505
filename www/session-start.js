// What takes longest, begun first: compiling the viewer and opening the session. Imports nothing, so that it runs as
// soon as it is there, while the rest of the player is still on its way.

/** The viewer's module, being compiled. */
export const compiled = compile(new URL('./dist/viewer_bg.wasm', import.meta.url));
compiled.catch(() => {}); // Reported by each element.

/** Address of the session on `server`, by default on the host that this file comes from. */
export function sessionAddress(server) {
  const base = new URL(server ?? import.meta.url, location.href);
  const address = new URL('/session', base);
  address.protocol = base.protocol === 'https:' || base.protocol === 'wss:' ? 'wss:' : 'ws:';
  return address.href;
}

const begun = new Map();

/** Opens a session before anybody needs it. The next `beginSession` of the same address gets it. */
export function beginEarly(address) {
  begun.set(address, open(address));
}

/** A session that is being opened, with what comes on it kept until it is handed over. */
export function beginSession(address) {
  const session = begun.get(address) ?? open(address);
  begun.delete(address);
  return session;
}

async function compile(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: status ${answer.status}`);
  return WebAssembly.compileStreaming(answer);
}

function open(address) {
  const socket = new WebSocket(address);
  socket.binaryType = 'arraybuffer';
  const received = [];
  socket.onmessage = ({ data }) => received.push(data);
  return {
    handOver() {
      socket.onmessage = null;
      return { socket, received };
    },
    abandon: () => socket.close(),
  };
}
