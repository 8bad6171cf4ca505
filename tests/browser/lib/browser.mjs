// Chromium, driven by playwright-core: one process per host, a fresh context (its own storage and cache) per viewer.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { chromium as driver } from 'playwright-core';
import { inHost } from './network.mjs';
import { chromium } from './paths.mjs';

const inPage = readFileSync(new URL('./in-page.js', import.meta.url), 'utf8');

// Viewers leave tabs in the background, so the suite does not ask for kinder timers than they get.
const KINDER_THAN_LIFE = [
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
];

const isRoot = process.getuid() === 0;
// As root it would put the threads that load a page before those that take in and decode what another page shows.
const AS_A_USER = isRoot ? ['setpriv', '--bounding-set', '-sys_nice', '--inh-caps', '-sys_nice'] : [];

export async function launch({ host, scratch, args = [] }) {
  const executablePath = `${scratch}/chromium${host ? `-${host}` : ''}`;
  writeFileSync(executablePath, `#!/bin/sh\nexec ${[...inHost(host), ...AS_A_USER, chromium].join(' ')} "$@"\n`);
  chmodSync(executablePath, 0o755);
  return driver.launch({
    executablePath,
    args: ['--autoplay-policy=no-user-gesture-required', ...(isRoot ? ['--no-sandbox'] : []), ...args],
    ignoreDefaultArgs: KINDER_THAN_LIFE,
    env: { ...process.env, TMPDIR: scratch },
  });
}

/**
 * A fresh context with one page that is watched from outside of the player (`in-page.js`). With `onlyRelayed` its links
 * go through a TURN server or nowhere.
 */
export async function freshPage(browser, { onlyRelayed = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 640, height: 480 }, ...options });
  await context.addInitScript(`window.onlyRelayed = ${onlyRelayed};`);
  await context.addInitScript(inPage);
  return context.newPage();
}
