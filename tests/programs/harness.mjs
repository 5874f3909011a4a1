// What a program of Node.js needs: a control plane of this checkout, and a record of what became of each call. See harness.py.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

// `sandbox up` exits with it where sandboxes cannot be isolated.
const CANNOT_ISOLATE = 126;

// A program, and its calls.
class Program {
  passed = 0;
  failed = 0;

  constructor(title) {
    this.title = title;
  }

  // Records a call, whose result is `yes`, or what became of it on purpose.
  async call(name, action, result = 'yes') {
    const begun = performance.now();
    let outcome = 'passed';
    try {
      await action();
    } catch (error) {
      outcome = 'failed';
      console.log(error);
    }
    this[outcome] += 1;
    const seconds = Number(((performance.now() - begun) / 1000).toFixed(2));
    console.log(`${outcome} ${seconds.toFixed(2)} s  ${name}: ${result}`);
    const line = { sdk: this.title, area: 'programs', method: name, case: result, result: outcome, seconds };
    const report = process.env.SANDBOX_TEST_REPORT;
    // At once, since several processes may write to it.
    if (report) fs.appendFileSync(report, `${JSON.stringify(line)}\n`);
  }
}

// The packages below SANDBOX_TEST_MODULES.
class Modules {
  constructor(folder) {
    this.folder = path.join(folder, 'node_modules');
    this.require = createRequire(path.join(folder, 'program.mjs'));
  }

  version(name) {
    return JSON.parse(fs.readFileSync(path.join(this.folder, name, 'package.json'))).version;
  }

  load(name) {
    return import(pathToFileURL(this.require.resolve(name)));
  }
}

// `sandbox up` on a port of its own, with a key and a state directory of its own.
class Plane {
  static async open() {
    const plane = new Plane();
    plane.key = randomBytes(16).toString('hex');
    plane.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sandbox-programs-'));
    const state = path.join(plane.folder, 'state');
    const options = ['up', '--json', '--listen', '127.0.0.1:0', '--state-dir', state];
    const env = { ...process.env, SANDBOX_API_KEY: plane.key };
    plane.process = spawn(process.env.SANDBOX_TEST_BINARY, options, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    plane.ended = new Promise((resolve) => plane.process.once('exit', resolve));
    const line = await new Promise((resolve) => {
      const lines = createInterface(plane.process.stdout);
      lines.once('line', resolve);
      lines.once('close', () => resolve(null));
    });
    if (line === null) {
      const code = await plane.ended;
      fs.rmSync(plane.folder, { recursive: true });
      if (code !== CANNOT_ISOLATE) throw new Error(`\`sandbox up\` exited with ${code}`);
      console.log('skipped: this machine cannot isolate sandboxes');
      process.exit(0);
    }
    plane.url = JSON.parse(line).url;
    return plane;
  }

  async ask(method, route) {
    const answer = await fetch(this.url + route, { method, headers: { authorization: `Bearer ${this.key}` } });
    if (!answer.ok) throw new Error(`${method} ${route}: ${answer.status}`);
    return answer.json();
  }

  // The sandboxes that there are.
  async left() {
    return (await this.ask('GET', '/sandbox')).items.map(({ id }) => id);
  }

  // Ends the control plane, and the sandboxes that a program has left, since they would run on.
  async close() {
    try {
      for (const id of await this.left()) await this.ask('DELETE', `/sandbox/${id}`);
    } finally {
      this.process.kill();
      await this.ended;
      fs.rmSync(this.folder, { recursive: true });
    }
  }
}

// Runs a program on a control plane, which is where it looks for Daytona's.
export async function main(name, run) {
  for (const variable of ['SANDBOX_TEST_BINARY', 'SANDBOX_TEST_MODULES']) {
    if (!process.env[variable]) throw new Error(`${variable} is not set; run \`cargo xtask test programs\``);
  }
  const modules = new Modules(process.env.SANDBOX_TEST_MODULES);
  const plane = await Plane.open();
  Object.assign(process.env, { DAYTONA_API_URL: plane.url, DAYTONA_API_KEY: plane.key, DAYTONA_TARGET: 'local' });
  const program = new Program(`program ${name} ${modules.version(name)}`);
  try {
    await run(program, modules);
    await program.call('leaves no sandbox', async () => {
      const left = await plane.left();
      if (left.length) throw new Error(left.join(', '));
    });
  } finally {
    await plane.close();
  }
  console.log(`${program.title}: ${program.passed} passed, ${program.failed} failed`);
  process.exit(program.passed && !program.failed ? 0 : 1);
}
