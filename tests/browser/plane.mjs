// A control plane for the page, over daemons of one process, and a client of it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export const KEY = 'key-of-the-browser-test';

export class Plane {
  static async start() {
    const program = process.env.SANDBOX_TEST_CONTROL;
    if (!program) throw new Error('SANDBOX_TEST_CONTROL is not set; run `cargo xtask test browser`');
    const child = spawn(program, ['127.0.0.1:0', KEY], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface(child.stdout);
    const ended = once(child, 'exit').then(() => {
      throw new Error('the control plane has ended');
    });
    ended.catch(() => {});
    const [url] = await Promise.race([once(lines, 'line'), ended]);
    return new Plane(child, url.replace(/\/api$/, ''));
  }

  constructor(child, url) {
    this.child = child;
    this.url = url;
  }

  async call(method, path, body) {
    const headers = { Authorization: `Bearer ${KEY}` };
    const response = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  create(wanted) {
    return this.call('POST', '/api/sandbox', wanted);
  }

  async close() {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await exited;
  }
}
