// Daytona's TypeScript SDK, unmodified, on our control plane: it creates sandboxes, finds them, stops and deletes them. Not a part of
// the report, which is about one daemon.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { fails } from './harness.mjs';

const KEY = 'key-of-the-suite';

// Runs a control plane over daemons of one process, and `sdk` on it.
export async function control(sdk) {
  const program = process.env.SANDBOX_TEST_CONTROL;
  if (!program) throw new Error('SANDBOX_TEST_CONTROL is not set; run `cargo xtask test sdk`');
  const server = spawn(program, ['127.0.0.1:0', KEY], { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = () => server.kill();
  process.once('exit', end);
  try {
    const [apiUrl] = await once(createInterface(server.stdout));
    await life(sdk, new sdk.Daytona({ apiUrl, apiKey: KEY, target: 'local' }));
    console.log('ok: the control plane');
  } finally {
    process.off('exit', end);
    end();
  }
}

// Resolves with the first line.
function once(lines) {
  return new Promise((resolve, reject) => {
    lines.once('line', (line) => resolve([line]));
    lines.once('close', () => reject(new Error('the control plane ended')));
  });
}

async function life(sdk, client) {
  const sandbox = await client.create({ envVars: { NAME: 'a b' }, labels: { color: 'red' } });
  const other = await client.create({ labels: { color: 'blue' } });
  assert.equal(sandbox.state, 'started');
  assert.equal((await sandbox.process.executeCommand('echo "$NAME"')).result.trim(), 'a b');
  assert.equal((await sandbox.process.codeRun('print(6 * 7)')).result.trim(), '42');
  await sandbox.fs.uploadFile(Buffer.from('kept'), 'file');
  await sandbox.process.createSession('session');
  const ran = await sandbox.process.executeSessionCommand('session', { command: 'echo hello' });
  assert.match(ran.output ?? ran.stdout, /hello/);

  const terminal = await sandbox.process.createPty({ id: 'terminal', cols: 80, rows: 24, onData: () => {} });
  await terminal.waitForConnection();
  await terminal.sendInput('exit 3\n');
  assert.equal((await terminal.wait()).exitCode, 3);

  assert.equal((await client.get(sandbox.name)).id, sandbox.id);
  const found = [];
  for await (const one of client.list({ labels: { color: 'blue' } })) found.push(one.id);
  assert.deepEqual(found, [other.id]);

  await sandbox.stop();
  assert.equal(sandbox.state, 'stopped');
  await fails(sdk.DaytonaError, () => sandbox.process.executeCommand('true'));
  await sandbox.start();
  assert.equal(sandbox.state, 'started');
  assert.equal(String(await sandbox.fs.downloadFile('file')), 'kept');

  await sandbox.setAutostopInterval(9);
  await sandbox.refreshData();
  assert.equal(sandbox.autoStopInterval, 9);
  const link = await sandbox.getPreviewLink(3000);
  assert.equal((await fetch(link.url)).status, 401);

  for (const one of [sandbox, other]) await one.delete();
  await fails(sdk.DaytonaNotFoundError ?? sdk.DaytonaError, () => client.get(sandbox.id));
}
