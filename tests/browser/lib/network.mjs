// Where a scenario runs: a network of its own, so that nothing leaves the machine, every port is free, and all
// processes are gone when the scenario is. The scenario's file starts itself again inside of it.
//
//   await onLan();         one network namespace with one address, 10.77.0.1 (Chromium gathers no candidates where
//                          there is only loopback: hence the veth pair and the default route; and it starts anew what
//                          it loads when an address appears: hence no IPv6 address a second after the start)
//   await onWan('homes');  the hosts of tests/netlab/scenarios/homes.toml; this process sits in the host `server`

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { path } from './paths.mjs';

const LAN_ADDRESS = '10.77.0.1';
const LAN_SETUP = `
  ip link set lo up
  ip link add lan type veth peer name lan-far
  ip link set lan addrgenmode none
  ip link set lan-far addrgenmode none
  ip link set lan-far up
  ip address add ${LAN_ADDRESS}/24 dev lan
  ip link set lan up
  ip route add default dev lan
  exec "$@"`;

export async function onLan() {
  if (process.env.SWARMCAST_NETWORK) return;
  await startAgain(['sh', '-ec', LAN_SETUP, 'lan'], { SWARMCAST_NETWORK: 'lan', SWARMCAST_ADDRESS: LAN_ADDRESS });
}

export async function onWan(scenario) {
  if (process.env.SWARMCAST_NETWORK) return;
  const netlab = path('target/release/netlab');
  const homes = path(`tests/netlab/scenarios/${scenario}.toml`);
  const wan = [netlab, 'up', '--quiet', homes, '--', netlab, 'exec', 'server'];
  await startAgain(wan, { SWARMCAST_NETWORK: 'wan' });
}

/** The address of this process's host, the same for all browsers of the network. */
export const address = () => process.env.SWARMCAST_ADDRESS ?? process.env.NETLAB_IP;

/** What to put before a command so that it runs in a host of the WAN. */
export const inHost = (host) => (host ? [process.env.NETLAB, 'exec', host] : []);

/** Runs this same file under `wrapper`, in fresh namespaces, and ends with its exit code. Never returns. */
function startAgain(wrapper, environment) {
  const isRoot = process.getuid() === 0;
  const namespaces = ['--net', '--pid', '--fork', '--kill-child', '--mount-proc', ...(isRoot ? [] : ['--map-root-user'])];
  const self = [process.execPath, ...process.execArgv, process.argv[1], ...process.argv.slice(2)];
  const state = mkdtempSync(`${tmpdir()}/netlab-`);
  process.on('exit', () => rmSync(state, { recursive: true, force: true }));
  const child = spawn('unshare', [...namespaces, '--', ...wrapper, ...self], {
    stdio: 'inherit',
    env: { ...process.env, ...environment, NETLAB_STATE: state },
  });
  // The first process of the namespace dies with its parent, and takes all others along.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill('SIGKILL'));
  return new Promise(() => {
    child.on('error', (error) => {
      console.error(`cannot make a network namespace: ${error.message}`);
      process.exit(1);
    });
    child.on('exit', (code) => process.exit(code ?? 1));
  });
}
