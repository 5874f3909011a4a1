// Daytona's TypeScript SDK, unmodified, on our control plane: it creates sandboxes, finds them, stops and deletes them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { fails } from './harness.mjs';
import { report } from './runner.mjs';

const KEY = 'key-of-the-suite';

// Runs a control plane over daemons of one process, and `sdk` on it; gives back whether all is well.
export async function control(title, { sdk, isOld }) {
  const program = process.env.SANDBOX_TEST_CONTROL;
  if (!program) throw new Error('SANDBOX_TEST_CONTROL is not set; run `cargo xtask test sdk`');
  const server = spawn(program, ['127.0.0.1:0', KEY], { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = () => server.kill();
  process.once('exit', end);
  let isWell = true;
  try {
    const [apiUrl] = await once(createInterface(server.stdout));
    const client = new sdk.Daytona({ apiUrl, apiKey: KEY, target: 'local' });
    // One after the other, on the same sandboxes.
    const sandboxes = {};
    for (const [name, methods, run] of cases) {
      const begun = performance.now();
      let result = 'passed';
      try {
        await run(sdk, client, sandboxes, isOld);
      } catch (error) {
        result = 'failed';
        isWell = false;
        console.log(error);
      }
      const seconds = Number(((performance.now() - begun) / 1000).toFixed(2));
      console.log(`${result === 'failed' ? 'FAILED' : result} ${seconds.toFixed(2)} s  control: ${name}`);
      for (const method of methods) report({ sdk: title, area: 'control', method, case: name, result, seconds });
    }
  } finally {
    process.off('exit', end);
    end();
  }
  return isWell;
}

// Resolves with the first line.
function once(lines) {
  return new Promise((resolve, reject) => {
    lines.once('line', (line) => resolve([line]));
    lines.once('close', () => reject(new Error('the control plane ended')));
  });
}

// The list of an old SDK, which is asked for page after page.
function pageByPage(client) {
  return async function* ({ labels, limit }) {
    for (let page = 1, total = 1; page <= total; page++) {
      const { items, totalPages } = await client.list(labels, page, limit);
      yield* items;
      total = totalPages;
    }
  };
}

// Each with the methods that it is about.
const cases = [
  [
    'sandboxes are created',
    ['create'],
    async (sdk, client, sandboxes) => {
      sandboxes.red = await client.create({ envVars: { NAME: 'a b' }, labels: { color: 'red' }, autoStopInterval: 7 });
      sandboxes.blue = await client.create({ labels: { color: 'blue' } });
      assert.equal(sandboxes.red.state, 'started');
      assert.equal(sandboxes.red.autoStopInterval, 7);
      await fails(sdk.DaytonaError, () => client.create({ image: 'no-such-image:1' }));
    },
  ],
  [
    'a toolbox goes through',
    ['create'],
    async (_sdk, _client, { red }) => {
      assert.equal((await red.process.executeCommand('echo "$NAME"')).result.trim(), 'a b');
      assert.equal((await red.process.codeRun('print(6 * 7)')).result.trim(), '42');
      await red.fs.uploadFile(Buffer.from('kept'), 'file');
      await red.process.createSession('session');
      const ran = await red.process.executeSessionCommand('session', { command: 'echo hello' });
      assert.match(ran.output ?? ran.stdout, /hello/);

      const terminal = await red.process.createPty({ id: 'terminal', cols: 80, rows: 24, onData: () => {} });
      await terminal.waitForConnection();
      await terminal.sendInput('exit 3\n');
      assert.equal((await terminal.wait()).exitCode, 3);
    },
  ],
  [
    'sandboxes are found',
    ['get', 'list'],
    async (sdk, client, { red, blue }, isOld) => {
      assert.equal((await client.get(red.name)).id, red.id);
      await fails(sdk.DaytonaNotFoundError ?? sdk.DaytonaError, () => client.get('none'));
      const list = isOld ? pageByPage(client) : (query) => client.list(query);
      const found = [];
      for await (const one of list({ labels: { color: 'blue' } })) found.push(one.id);
      assert.deepEqual(found, [blue.id]);
      const pages = [];
      for await (const one of list({ limit: 1 })) pages.push(one.id);
      assert.deepEqual(pages.sort(), [red.id, blue.id].sort());
    },
  ],
  [
    'a sandbox stops and starts',
    ['stop', 'start'],
    async (sdk, _client, { red }) => {
      await red.stop();
      assert.equal(red.state, 'stopped');
      await fails(sdk.DaytonaError, () => red.process.executeCommand('true'));
      await red.start();
      assert.equal(red.state, 'started');
      assert.equal(String(await red.fs.downloadFile('file')), 'kept');
    },
  ],
  [
    'settings are kept',
    ['setAutostopInterval', 'setAutoDeleteInterval', 'setLabels', 'refreshData'],
    async (_sdk, client, { red }) => {
      await red.setAutostopInterval(9);
      await red.setAutoDeleteInterval(11);
      await red.setLabels({ color: 'green' });
      await red.refreshData();
      assert.deepEqual([red.autoStopInterval, red.autoDeleteInterval], [9, 11]);
      assert.deepEqual((await client.get(red.id)).labels, { color: 'green' });
    },
  ],
  [
    'previews have a token',
    ['getPreviewLink', 'getSignedPreviewUrl', 'expireSignedPreviewUrl'],
    async (sdk, _client, { red }) => {
      const link = await red.getPreviewLink(3000);
      assert.equal((await fetch(link.url)).status, 401);
      const signed = await red.getSignedPreviewUrl(3000, 60);
      assert.notEqual((await fetch(signed.url)).status, 401);
      await red.expireSignedPreviewUrl(3000, signed.token);
      assert.equal((await fetch(signed.url)).status, 401);
      await fails(sdk.DaytonaError, () => red.getPreviewLink(0));
    },
  ],
  [
    'sandboxes are deleted',
    ['delete'],
    async (sdk, client, { red, blue }) => {
      for (const one of [red, blue]) await one.delete();
      await fails(sdk.DaytonaNotFoundError ?? sdk.DaytonaError, () => client.get(red.id));
    },
  ],
];
