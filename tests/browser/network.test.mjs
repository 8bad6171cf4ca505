// The harness's own network: two contexts find each other over WebRTC without anything outside of the machine, so
// that a scenario in which they do not is a finding and no accident; and tabs of the suite are not slowed down.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { freshPage, launch } from './lib/browser.mjs';
import { address, onLan } from './lib/network.mjs';

await onLan();

test('two contexts open a data channel, and their connections are counted', async () => {
  const scratch = mkdtempSync(`${tmpdir()}/network-`);
  const server = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html>'));
  await new Promise((resolve) => server.listen(0, address(), resolve));
  const browser = await launch({ scratch });
  try {
    const [anna, ben] = await Promise.all([freshPage(browser), freshPage(browser)]);
    for (const page of [anna, ben]) {
      await page.goto(`http://${address()}:${server.address().port}`);
      await page.evaluate(prepare);
    }
    const offer = await anna.evaluate(() => window.describe('createOffer'));
    const answer = await ben.evaluate((sdp) => window.describe('createAnswer', { type: 'offer', sdp }), offer);
    const heard = await anna.evaluate(async (sdp) => {
      const reply = new Promise((resolve) => (window.channel.onmessage = ({ data }) => resolve(data)));
      window.channel.onopen = () => window.channel.send('hello');
      await window.connection.setRemoteDescription({ type: 'answer', sdp });
      return reply;
    }, answer);
    assert.equal(heard, 'hello to you');

    const network = await anna.evaluate(() => window.underTest.network);
    assert.equal(network.connections, 1);
    assert.ok(network.candidates >= 1, 'candidates are counted');
    assert.deepEqual(await Promise.all([anna, ben].map((page) => page.evaluate(ticks))), [true, true]);
  } finally {
    await browser.close();
    server.close();
    rmSync(scratch, { recursive: true, force: true });
  }
});

/** In the page: a connection, and `describe`, which returns its description once all candidates are in. */
function prepare() {
  const connection = (window.connection = new RTCPeerConnection());
  window.channel = connection.createDataChannel('talk', { negotiated: true, id: 0 });
  window.channel.onmessage = ({ data }) => window.channel.send(`${data} to you`);
  window.describe = async (method, remote) => {
    const complete = new Promise((resolve) => {
      connection.addEventListener('icegatheringstatechange', () => connection.iceGatheringState === 'complete' && resolve());
    });
    if (remote) await connection.setRemoteDescription(remote);
    await connection.setLocalDescription(await connection[method]());
    await complete;
    return connection.localDescription.sdp;
  };
}

/** In the page: whether a timer of 20 ms and the screen keep their pace for a second. */
async function ticks() {
  let timer = 0;
  let screen = 0;
  const interval = setInterval(() => timer++, 20);
  const frame = () => requestAnimationFrame(frame, screen++);
  frame();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  clearInterval(interval);
  return timer > 30 && screen > 30;
}
