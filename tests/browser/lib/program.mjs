// A program under test: started, listened to line by line, killed. Its output is kept in a file and shown only
// when a scenario fails.

import { spawn } from 'node:child_process';
import { createWriteStream, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { until } from './until.mjs';

const LINES_SHOWN = 40;
const AHEAD_OF_BROWSERS = '-10'; // as niceness

export class Program {
  lines = [];
  ended = null; // { code, signal } once it has
  #mayEnd = false;

  constructor(name, [command, ...args], { logs, env = {} }) {
    this.name = name;
    const log = createWriteStream(`${logs}/${name}.log`, { flags: 'a' });
    log.write(`# ${command} ${args.join(' ').slice(0, 400)}\n`);
    const nice = ['-n', AHEAD_OF_BROWSERS, command, ...args];
    this.child = spawn('nice', nice, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.#goesFirst();
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        log.write(`${new Date().toISOString().slice(11, 23)} ${line}\n`);
      });
    }
    this.exit = new Promise((resolve) => {
      const end = (code, signal) => resolve((this.ended ??= { code, signal }));
      this.child.on('error', (error) => (this.lines.push(String(error)), end(127, null)));
      this.child.on('close', end);
    });
  }

  /**
   * On a machine of its own it would not wait for a viewer's page to load. Where the kernel shares out its cores by session, niceness is
   * the session's: hence one for each program.
   */
  #goesFirst() {
    try {
      writeFileSync(`/proc/${this.child.pid}/autogroup`, AHEAD_OF_BROWSERS);
    } catch {
      // The kernel does not, or the user may not.
    }
  }

  /** The first match of `pattern` in what it has said so far or says within `seconds`. */
  async says(pattern, seconds = 10) {
    return until(`${this.name} says ${pattern}`, seconds, () => {
      for (const line of this.lines) {
        const match = line.match(pattern);
        if (match) return match;
      }
    }, () => this.check());
  }

  /** Fails when the program has ended though nobody asked it to. */
  check() {
    if (this.ended && !this.#mayEnd) {
      throw new Error(`${this.name} ended by itself: ${JSON.stringify(this.ended)}\n${this.tail()}`);
    }
  }

  /** From here on its end is no failure (an encoder whose server goes away gives up, for instance). */
  mayEnd() {
    this.#mayEnd = true;
    return this;
  }

  async kill(signal = 'SIGKILL') {
    this.mayEnd();
    this.child.kill(signal);
    return this.exit;
  }

  tail() {
    const state = this.ended ? `ended with ${JSON.stringify(this.ended)}` : 'running';
    return `--- ${this.name} (${state}), last lines\n${this.lines.slice(-LINES_SHOWN).join('\n')}`;
  }
}
