// Firefox ESR, driven by puppeteer-core over WebDriver BiDi; its pages answer to what the scenarios ask of Playwright's.

import { readFileSync } from 'node:fs';
import driver from 'puppeteer-core';
import { firefox } from './paths.mjs';

const inPage = readFileSync(new URL('./in-page.js', import.meta.url), 'utf8');

const PREFERENCES = {
  'media.autoplay.default': 0, // allowed: the scenarios are not about that
  'media.peerconnection.ice.loopback': false,
  // Nothing of the browser's own goes out; there is no way out of the scenario's network anyway.
  'datareporting.policy.dataSubmissionEnabled': false,
  'browser.safebrowsing.downloads.remote.enabled': false,
};

export function launchFirefox(scratch) {
  return driver.launch({
    browser: 'firefox',
    executablePath: firefox,
    headless: true,
    extraPrefsFirefox: PREFERENCES,
    env: { ...process.env, TMPDIR: scratch, HOME: scratch, MOZ_HEADLESS: '1' },
  });
}

/** A fresh page that is watched from outside of the player. */
export async function freshFirefoxPage(browser) {
  const page = await browser.newPage();
  await page.evaluateOnNewDocument(inPage);
  return page;
}
