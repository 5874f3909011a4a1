// What the suites need: the daemon under test, a stand-in for the control plane that official SDKs ask first, and the
// SDK's objects in each way of getting them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { Absent } from './runner.mjs';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

// What the daemon's entrypoint says.
export const ENTRYPOINT = 'at your service';

// Longest wait for the daemon to come up or to end, in milliseconds.
const PATIENCE = 20_000;

// What makes the SDK believe that it runs where a WebSocket takes no headers, as in a browser.
const SERVERLESS = 'CF_PAGES';

// A variable that `cargo xtask test` sets.
function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run \`cargo xtask test sdk\``);
  return value;
}

// Holds a call to an error of a class of the SDK's; gives the error.
export async function fails(kind, call) {
  try {
    await call();
  } catch (error) {
    if (error instanceof kind) return error;
    throw new Error(`expected a ${kind.name}`, { cause: error });
  }
  throw new Error(`expected a ${kind.name}, but it succeeded`);
}

// Whether a condition comes true before long.
export async function eventually(condition, what) {
  const deadline = Date.now() + PATIENCE;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// A name for a file in the working directory that no other case has.
export function unique(word) {
  return `${word}-${randomUUID()}`;
}

// Seconds that something took.
export async function seconds(action) {
  const begin = performance.now();
  await action();
  return (performance.now() - begin) / 1000;
}

// A daemon, the control plane that knows it, and the SDK's objects for it.
export class Place {
  // The ways of using the SDK: as an ECMAScript module, as a CommonJS one, with objects made on nothing but the
  // daemon's address, and as where WebSockets take no headers.
  manners = ['module', 'commonjs', 'direct', 'serverless'];

  #package;
  #clients = [];

  static async open() {
    const place = new Place();
    place.#package = new Package(setting('SANDBOX_TEST_MODULES'));
    place.title = `typescript ${place.#package.name} ${place.#package.version}`;
    // An old one is a CommonJS module alone, and its objects cannot be made without a client.
    if (place.#package.isOld) place.manners = ['commonjs', 'serverless'];
    place.daemon = process.env.SANDBOX_TEST_URL ? await Foreign.open() : await Daemon.open();
    place.plane = await ControlPlane.open(place.daemon);
    return place;
  }

  // What each case is given: the SDK, its objects for Python, and what makes others.
  async equipment(manner) {
    const { isOld } = this.#package;
    const loaded = await this.#package.load(manner);
    const sdk = isOld ? withPlainErrors(loaded) : loaded;
    const absentIfOld = (what) => {
      if (isOld) throw new Absent(`SDKs up to 0.143: ${what}`);
    };
    const { daemon } = this;
    const client = (options) => {
      const settings = { apiKey: daemon.token, apiUrl: this.plane.url, target: 'local' };
      const client = new sdk.Daytona({ ...settings, ...options });
      this.#clients.push(client);
      return client;
    };
    const own = client();
    const sandbox = async (language) => {
      const made = await own.create({ language });
      return manner === 'direct' ? this.#direct(sdk, made, language) : made;
    };
    const { process, codeInterpreter, fs } = await sandbox('python');
    const socket = this.#package.require('ws');
    const objects = { process, interpreter: codeInterpreter, fs };
    return { manner, sdk, daemon, client, sandbox, ...objects, isOld, absentIfOld, WebSocket: socket };
  }

  // The SDK's objects without its client: made on the daemon's address.
  #direct(sdk, made, language) {
    const api = this.#package.require('@daytona/toolbox-api-client');
    const headers = {
      Authorization: `Bearer ${this.daemon.token}`,
      'X-Daytona-Source': 'sdk-typescript',
      'X-Daytona-SDK-Version': this.#package.version,
    };
    const configuration = new api.Configuration({ basePath: this.daemon.url, baseOptions: { headers } });
    // What makes the SDK's errors of answers; it is no part of the configuration.
    const axios = sdk.Daytona.createAxiosInstance();
    const processes = new api.ProcessApi(configuration, '', axios);
    const interpreters = new api.InterpreterApi(configuration, '', axios);
    const files = new api.FileSystemApi(configuration, '', axios);
    // Not exported, but each sandbox has one.
    const CodeInterpreter = made.codeInterpreter.constructor;
    return {
      process: new sdk.Process(configuration, processes, undefined, language),
      codeInterpreter: new CodeInterpreter(configuration, interpreters, undefined),
      fs: new sdk.FileSystem(configuration, files),
    };
  }

  async close() {
    await Promise.all(this.#clients.map((client) => client[Symbol.asyncDispose]()));
    await this.plane.close();
    const code = await this.daemon.close();
    assert.equal(code, 0, '`sandbox serve` did not end well after SIGTERM');
  }
}

// An installed SDK.
class Package {
  #folder;
  #exports;

  constructor(modules) {
    this.require = createRequire(path.join(path.resolve(modules), 'package.json'));
    [this.name] = Object.keys(this.require('./package.json').dependencies);
    const manifest = this.require.resolve(`${this.name}/package.json`);
    this.#folder = path.dirname(manifest);
    ({ version: this.version, exports: this.#exports } = this.require(manifest));
  }

  // Whether it is one of those up to 0.143, which do much themselves: they quote commands, and run code by a command.
  get isOld() {
    return this.version.localeCompare('0.144.0', 'en', { numeric: true }) < 0;
  }

  async load(manner) {
    if (manner === 'commonjs') return this.#required();
    if (manner === 'serverless') {
      process.env[SERVERLESS] = '1';
      try {
        return this.#required();
      } finally {
        delete process.env[SERVERLESS];
      }
    }
    const file = path.join(this.#folder, this.#exports['.'].import.default);
    return import(pathToFileURL(file));
  }

  // Anew, since it looks around once, when it is loaded.
  #required() {
    const { cache } = this.require;
    for (const file of Object.keys(cache)) {
      if (file.startsWith(this.#folder + path.sep)) delete cache[file];
    }
    return this.require(this.name);
  }
}

// An old SDK, which has few classes of errors and seldom uses them.
function withPlainErrors(sdk) {
  const get = (module, name) => module[/^Daytona.*Error$/.test(name) ? 'DaytonaError' : name];
  return new Proxy({}, { get: (_, name) => get(sdk, name) });
}

// A daemon that somebody else runs, at SANDBOX_TEST_URL.
class Foreign {
  isOurs = false;

  static async open() {
    const daemon = new Foreign();
    daemon.url = setting('SANDBOX_TEST_URL').replace(/\/+$/, '');
    daemon.token = process.env.SANDBOX_TEST_TOKEN || 'none';
    const headers = { Authorization: `Bearer ${daemon.token}` };
    const answer = await fetch(`${daemon.url}/work-dir`, { headers, signal: AbortSignal.timeout(PATIENCE) });
    assert.equal(answer.status, 200);
    daemon.workDir = (await answer.json()).dir;
    return daemon;
  }

  async close() {
    return 0;
  }
}

// `sandbox serve` on a port of its own, with a token of its own and an empty working directory.
class Daemon {
  isOurs = true;
  token = randomBytes(16).toString('hex');

  #folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sandbox-sdk-'));
  #process;
  #ended;

  static async open() {
    const daemon = new Daemon();
    try {
      await daemon.#start();
    } catch (error) {
      await daemon.close();
      throw error;
    }
    return daemon;
  }

  async #start() {
    this.workDir = path.join(this.#folder, 'work');
    fs.mkdirSync(this.workDir);
    const tokenFile = path.join(this.#folder, 'token');
    fs.writeFileSync(tokenFile, this.token);
    const options = ['--listen', '127.0.0.1:0', '--token-file', tokenFile, '--work-dir', this.workDir];
    // What the machine has by default may be zsh, to which a variable of a test is something special.
    options.push('--shell', '/bin/bash', '--python', setting('SANDBOX_TEST_PYTHON'));
    const command = ['serve', ...options, '--', 'echo', ENTRYPOINT];
    // SDKs up to 0.143 run code by a command of their own, with the first python3 on the PATH.
    const env = { ...process.env, PATH: `${path.dirname(setting('SANDBOX_TEST_PYTHON'))}:${process.env.PATH}` };
    this.#process = spawn(setting('SANDBOX_TEST_BINARY'), command, { stdio: ['ignore', 'pipe', 'inherit'], env });
    this.#ended = new Promise((resolve, reject) => {
      this.#process.once('error', reject);
      this.#process.once('exit', (code, signal) => resolve(code ?? signal));
    });
    // Whoever waits is told; a daemon that nobody waits for is no reason to end.
    this.#ended.catch(() => {});
    // However this ends.
    process.once('exit', () => {
      this.#process.kill('SIGTERM');
      fs.rmSync(this.#folder, { recursive: true, force: true });
    });
    this.url = await this.#announced();
    const answer = await fetch(`${this.url}/healthz`, { signal: AbortSignal.timeout(PATIENCE) });
    assert.equal(answer.status, 200);
  }

  // The address, from the line that the daemon prints once it listens.
  async #announced() {
    const late = setTimeout(() => this.#process.kill('SIGKILL'), PATIENCE);
    const lines = createInterface({ input: this.#process.stdout });
    const first = new Promise((resolve) => lines.once('line', resolve).once('close', resolve));
    const line = await Promise.race([first, this.#ended]);
    clearTimeout(late);
    const found = /^listening on (http:\/\/\S+)$/.exec(line ?? '');
    if (!found) throw new Error(`\`sandbox serve\` did not announce its address but ${JSON.stringify(line)}`);
    return found[1];
  }

  // Ends the daemon as a service manager would, and gives back its exit code.
  async close() {
    try {
      if (!this.#process) return null;
      this.#process.kill('SIGTERM');
      const late = setTimeout(() => this.#process.kill('SIGKILL'), PATIENCE);
      return await this.#ended.finally(() => clearTimeout(late));
    } finally {
      fs.rmSync(this.#folder, { recursive: true, force: true });
    }
  }
}

// Knows a sandbox for each language, and says that it is started and where its daemon is.
class ControlPlane {
  #daemon;
  #labels = new Map();
  #server = http.createServer((request, response) => this.#answer(request, response));

  static async open(daemon) {
    const plane = new ControlPlane();
    plane.#daemon = daemon;
    await new Promise((resolve) => plane.#server.listen(0, '127.0.0.1', resolve));
    plane.url = `http://127.0.0.1:${plane.#server.address().port}`;
    return plane;
  }

  async #answer(request, response) {
    let body = '';
    for await (const piece of request) body += piece;
    const content = this.#content(request.method, request.url.split('?')[0], body);
    // The SDKs also look for events, and do without.
    response.writeHead(content ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(content ?? { statusCode: 404, message: 'not here' }));
  }

  #content(method, path, body) {
    const [, root, id, ...below] = path.split('/');
    if (root !== 'sandbox') return null;
    if (id === undefined && method === 'POST') {
      const labels = JSON.parse(body).labels ?? {};
      const made = `sandbox-${labels['code-toolbox-language']}`;
      this.#labels.set(made, labels);
      return this.#sandbox(made);
    }
    if (!this.#labels.has(id)) return null;
    if (below.length === 0) return this.#sandbox(id);
    // Where SDKs up to 0.143 ask for the daemon.
    if (below[0] === 'toolbox-proxy-url') return { url: this.#daemon.url };
    // Where a WebSocket takes no headers, its address brings this token.
    if (below[0] === 'ports') return { sandboxId: id, url: this.#daemon.url, token: this.#daemon.token };
    return null;
  }

  #sandbox(id) {
    return {
      id,
      organizationId: 'organization',
      name: id,
      user: 'user',
      env: {},
      labels: this.#labels.get(id),
      public: false,
      networkBlockAll: false,
      kvm: false,
      target: 'local',
      cpu: 1,
      gpu: 0,
      memory: 1,
      disk: 1,
      state: 'started',
      toolboxProxyUrl: this.#daemon.url,
    };
  }

  async close() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
