// What the TypeScript SDKs in the field insist on, or get wrong unless the daemon helps.

import assert from 'node:assert/strict';

import { fails, seconds, unique } from './harness.mjs';
import { open as terminal } from './ptys.mjs';
import { suite } from './runner.mjs';
import { open as session } from './sessions.mjs';

// Milliseconds from the upgrade to the first message of a terminal.
function greeted({ WebSocket, daemon, process }) {
  const id = unique('greeted');
  const url = new URL(`${daemon.url.replace(/^http/, 'ws')}/process/pty/create-connect`);
  url.search = new URLSearchParams({ id, cols: 80, rows: 24 });
  const socket = new WebSocket(url, ['X-Daytona-Pty-Exit-Control'], {
    headers: { Authorization: `Bearer ${daemon.token}`, 'X-Daytona-SDK-Version': '0.216.0' },
  });
  return new Promise((resolve, reject) => {
    let begin;
    socket.once('upgrade', () => (begin = performance.now()));
    socket.once('error', reject);
    socket.once('message', (data, isBinary) => {
      const took = performance.now() - begin;
      const first = isBinary ? data : JSON.parse(data);
      socket.once('close', () => resolve({ took, first }));
      process.killPtySession(id).catch(reject);
    });
  });
}

suite('quirks', (test) => {
  test("Node's client is given a subprotocol that it offered", ['process.createPty'], async (given) => {
    // It hangs up when it offered some and none is chosen; one of them brings the variables, and is for nobody's log.
    const pty = await terminal(given, { envs: { HOME: given.daemon.workDir, SECRET: 'é'.repeat(1000) } });
    // An old SDK offers one only where a WebSocket takes no headers.
    const chosen = given.isOld && given.manner !== 'serverless' ? /^$/ : /^X-Daytona-(Pty-Exit-Control|SDK-Version~[0-9.]+)$/;
    assert.match(pty.ws.protocol, chosen);
    assert.equal(pty.ws.url.includes('DAYTONA_SANDBOX_AUTH_KEY='), given.manner === 'serverless');
    await pty.sendInput('echo ${#SECRET}; exit 3\n');
    assert.equal((await pty.wait()).exitCode, 3);
    assert.match(pty.shown().toString(), /[\r\n][12]000\r\n/);
  });

  test('a terminal without variables is one, too', ['process.createPty'], async (given) => {
    const pty = await terminal(given, { envs: undefined });
    await pty.kill();
    assert.equal((await pty.wait()).exitCode, 137);
  });

  test('terminals are connected within a tenth of a second', ['process.createPty'], async (given) => {
    // SDKs of other languages wait no longer for the first message; the machine may be busy, so most must make it.
    const times = [];
    for (let round = 0; round < 9; round++) {
      const { took, first } = await greeted(given);
      assert.deepEqual(first, { type: 'control', status: 'connected' });
      times.push(took);
    }
    times.sort((one, other) => one - other);
    assert.ok(times[4] < 100, `${times} ms`);
  });

  test('many terminals at once', ['process.createPty'], async (given) => {
    const use = async () => {
      const pty = await terminal(given);
      await pty.sendInput('exit 3\n');
      return (await pty.wait()).exitCode;
    };
    assert.deepEqual(await Promise.all(Array.from({ length: 10 }, use)), Array(10).fill(3));
  });

  test('a terminal that ends at once is one, too', ['process.createPty', 'PtyHandle.wait'], async (given) => {
    // Its end may come with its beginning.
    const home = unique('home');
    await given.process.executeCommand(`mkdir ${home} && echo 'exit 9' > ${home}/.bash_profile`);
    const pty = await terminal(given, { envs: { HOME: `${given.daemon.workDir}/${home}` } });
    assert.equal((await pty.wait()).exitCode, 9);
  });

  test('messages end where the demultiplexer does not stumble', ['process.getSessionCommandLogs'], async (given) => {
    // It loses a marker at a message's end.
    const own = await session(given);
    const command = 'for ((i = 0; i < 3000; i++)); do printf o; printf e >&2; done';
    assert.deepEqual(await own.follow(await own.start(command)), ['o'.repeat(3000), 'e'.repeat(3000)]);
  });

  test('messages are small enough for the demultiplexer', ['process.getSessionCommandLogs'], async (given) => {
    // It passes each byte of a message as an argument of one call, of which there cannot be many.
    const own = await session(given);
    const [out, err] = await own.follow(await own.start("head -c 4000000 /dev/zero | tr '\\0' x"));
    assert.ok(out === 'x'.repeat(4_000_000), `${out.length} characters`);
    assert.equal(err, '');
  });

  test('characters may be cut anywhere', ['process.getSessionCommandLogs'], async (given) => {
    const own = await session(given);
    const command =
      "for ((i = 0; i < 20; i++)); do printf '\\303'; sleep 0.005; printf '\\251'; printf '\\346' >&2; sleep 0.005; printf '\\274\\242' >&2; done";
    assert.deepEqual(await own.follow(await own.start(command)), ['é'.repeat(20), '漢'.repeat(20)]);
  });

  test('names that an address must quote', ['process.createSession', 'process.getSessionCommandLogs'], async (given) => {
    // The SDK leaves that to the WebSocket client where it follows logs.
    const own = await session(given, unique('quoted é "漢" '));
    assert.equal((await own.run('echo a')).stdout, 'a\n');
    assert.deepEqual(await own.follow(await own.start('echo b')), ['b\n', '']);
  });

  test('much output arrives whole', ['process.executeCommand'], async ({ process }) => {
    const response = await process.executeCommand("head -c 20000000 /dev/zero | tr '\\0' x");
    assert.equal(response.exitCode, 0);
    assert.ok(response.result === 'x'.repeat(20_000_000), `${response.result.length} characters`);
  });

  test('bytes that are no text are replaced', ['process.executeCommand'], async ({ process }) => {
    assert.equal((await process.executeCommand("printf 'a\\377b\\0c'")).result, 'a\ufffdb\0c');
  });

  test('many at once', ['process.executeCommand'], async ({ process }) => {
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    const run = async (n) => Number((await process.executeCommand(`echo ${n}`)).result);
    assert.deepEqual(await Promise.all(numbers.map(run)), numbers);
  });

  test('sessions work side by side', ['process.executeSessionCommand'], async (given) => {
    const numbers = Array.from({ length: 10 }, (_, n) => n);
    const use = async (n) => {
      const own = await session(given);
      const { stdout } = await own.run(`sleep 1; echo ${n}`);
      return Number(stdout);
    };
    const took = await seconds(async () => assert.deepEqual(await Promise.all(numbers.map(use)), numbers));
    assert.ok(took < 8, `${took} s`);
  });

  test('a limit of its own is longer than that of all requests', ['process.executeCommand'], async ({ client, sandbox, sdk }) => {
    // With a limit for every request, the SDK waits for a command as long as the command may take and 5 s more.
    await sandbox('python');
    const { process } = await client({ requestTimeoutMs: 500 }).get('sandbox-python');
    assert.equal((await process.executeCommand('sleep 1; echo a', undefined, undefined, 10)).result, 'a\n');
    const call = () => process.executeCommand('sleep 30', undefined, undefined, 1);
    assert.equal((await fails(sdk.DaytonaProcessExecutionTimeoutError, call)).statusCode, 408);
  });
});
