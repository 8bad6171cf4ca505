// A viewer that no direct way leads to: its links go through a TURN server, with credentials that its welcome brought.

import assert from 'node:assert/strict';
import { address, onLan } from './lib/network.mjs';
import { bytesTaken } from './lib/swarm.mjs';
import { watch } from './lib/until.mjs';
import { scenario } from './lib/world.mjs';

await onLan();

const SECRET = 'a-secret-shared-with-coturn';

scenario('a viewer behind a strict NAT is linked through coturn, and passes nothing on', async (world) => {
  const coturn = world.run('coturn', ['turnserver', '-n', '--log-file', 'stdout', '--simple-log', '--no-cli', '--no-tls',
    '--no-dtls', '--listening-ip', address(), '--listening-port', '3490', '--relay-ip', address(), '--realm', 'swarmcast',
    '--use-auth-secret', '--static-auth-secret', SECRET, '--pidfile', `${world.scratch}/coturn.pid`,
    '--userdb', `${world.scratch}/coturn.db`]);
  await coturn.says(/Total General servers/);
  await world.startTracker(['--turn-url', `turn:${address()}:3490?transport=udp`, '--turn-secret', SECRET]);
  await world.startUploader();
  await world.startEncoder();
  await world.goesLive();

  const strict = await world.viewer({ name: 'behind a strict NAT', onlyRelayed: true });
  await strict.firstFrame();
  await strict.until('is fed over a relayed link', 20, async () => (await bytesTaken([strict])).source > 100_000);
  assert.ok((await strict.ways()).every((way) => way === 'relay'), 'no link of its own goes another way');

  const other = await world.viewer({ name: 'at home' });
  await other.firstFrame();
  await watch(10);
  assert.equal((await strict.stats()).uploaded_bytes, 0, 'who sends everything twice is a leaf');
  assert.equal((await strict.state()), 'live');
  assert.equal((await other.state()), 'live');
});
