// The types of www/npm, by a compiler: a site's program that uses the package as documented passes.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { path } from './lib/paths.mjs';

const COMPILER = path('tests/browser/node_modules/.bin/tsc');
const AS_A_SITE = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2022,dom', '--types', ''];

test('a site that uses the package compiles, and one that misuses it does not', () => {
  const { status, stdout } = spawnSync(COMPILER, [...AS_A_SITE, path('tests/browser/site-author.ts')], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});
