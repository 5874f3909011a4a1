// Daytona's TypeScript SDK, unmodified, drives terminals on our daemon.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import { eventually, fails, unique } from './harness.mjs';
import { suite } from './runner.mjs';

// A terminal's handle, with what was shown so far.
async function attach(make) {
  const pieces = [];
  const onData = (data) => {
    pieces.push(Buffer.from(data));
  };
  const pty = await make(onData);
  pty.shown = () => Buffer.concat(pieces);
  pty.sees = (text) => eventually(() => text.test(pty.shown()), `the terminal to show ${text}`);
  return pty;
}

// A terminal of the case's own.
export async function open({ process, daemon, defer }, options) {
  const id = unique('terminal é ');
  // Nobody's profile is read.
  const envs = { HOME: daemon.workDir, K: 'v w?>é' };
  const pty = await attach((onData) => process.createPty({ id, envs, onData, ...options }));
  defer(async () => {
    if ((await process.listPtySessions()).some((info) => info.id === id)) await process.killPtySession(id);
    await pty.disconnect();
  });
  return pty;
}

function connect({ process, defer }, id) {
  return attach(async (onData) => {
    const pty = await process.connectPty(id, { onData });
    defer(() => pty.disconnect());
    return pty;
  });
}

suite('pty', (test) => {
  test('a terminal runs to its end', ['process.createPty', 'PtyHandle.wait'], async (given) => {
    const pty = await open(given, { cwd: '/usr', cols: 111, rows: 33 });
    await pty.sendInput('stty size; pwd; echo "$K"; echo $TERM; exit 7\n');
    assert.deepEqual(await pty.wait(), { exitCode: 7, error: 'non-zero exit' });
    assert.ok(pty.shown().includes('33 111\r\n/usr\r\nv w?>é\r\nxterm-256color\r\n'), pty.shown().toString());
  });

  test(
    'the handle tells what is',
    ['PtyHandle.waitForConnection', 'PtyHandle.isConnected', 'PtyHandle.exitCode', 'PtyHandle.error'],
    async (given) => {
      const pty = await open(given);
      await Promise.all([pty.waitForConnection(), pty.waitForConnection()]);
      assert.deepEqual([pty.isConnected(), pty.exitCode, pty.error], [true, undefined, undefined]);
      const waiting = [pty.wait(), pty.wait()];
      await pty.sendInput('exit\n');
      for (const result of await Promise.all(waiting)) assert.deepEqual(result, { exitCode: 0, error: undefined });
      assert.deepEqual([pty.isConnected(), pty.exitCode, pty.error], [false, 0, undefined]);
      assert.equal((await pty.wait()).exitCode, 0);
      await fails(given.sdk.DaytonaConnectionError, () => pty.sendInput('late'));
    },
  );

  test('all output comes before the end', ['PtyHandle.wait'], async (given) => {
    for (let round = 0; round < 10; round++) {
      const pty = await open(given);
      await pty.sendInput('seq 1 20000; exit\n');
      assert.equal((await pty.wait()).exitCode, 0);
      assert.ok(pty.shown().includes('\r\n19999\r\n20000\r\n'), `${pty.shown().length} bytes`);
    }
  });

  test(
    'listed resized and killed',
    ['process.getPtySessionInfo', 'process.listPtySessions', 'PtyHandle.resize', 'PtyHandle.kill'],
    async (given) => {
      const { process, sdk, daemon } = given;
      const pty = await open(given);
      const info = await process.getPtySessionInfo(pty.sessionId);
      assert.deepEqual([info.id, info.active, info.cols, info.rows], [pty.sessionId, true, 80, 24]);
      assert.deepEqual([info.cwd, info.lazyStart, info.envs.K], [daemon.workDir, false, 'v w?>é']);
      assert.ok(Math.abs(Date.parse(info.createdAt) - Date.now()) < 60_000, info.createdAt);
      const listed = await process.listPtySessions();
      assert.deepEqual(listed.find(({ id }) => id === info.id), info);
      const resized = await pty.resize(100, 40);
      assert.deepEqual([resized.cols, resized.rows], [100, 40]);
      await pty.sendInput('stty size\n');
      await pty.sees(/[\r\n]40 100\r\n/);
      await pty.kill();
      assert.deepEqual(await pty.wait(), { exitCode: 137, error: 'SIGKILL' });
      await fails(sdk.DaytonaNotFoundError, () => process.getPtySessionInfo(pty.sessionId));
    },
  );

  test('resized and killed by id', ['process.resizePtySession', 'process.killPtySession'], async (given) => {
    const { process, sdk } = given;
    const pty = await open(given);
    const { cols, rows } = await process.resizePtySession(pty.sessionId, 132, 50);
    assert.deepEqual([cols, rows], [132, 50]);
    await fails(sdk.DaytonaBadRequestError, () => process.resizePtySession(pty.sessionId, 1001, 50));
    await process.killPtySession(pty.sessionId);
    assert.equal((await pty.wait()).exitCode, 137);
    await fails(sdk.DaytonaNotFoundError, () => process.killPtySession(pty.sessionId));
    await fails(sdk.DaytonaGoneError, () => process.resizePtySession(pty.sessionId, 80, 24));
  });

  test('two share a terminal', ['process.connectPty'], async (given) => {
    const first = await open(given);
    await first.sendInput('echo from-$((0 + 1))\n');
    await first.sees(/from-1\r\n/);
    const second = await connect(given, first.sessionId);
    await second.sendInput('echo from-$((1 + 1)); exit 3\n');
    assert.equal((await second.wait()).exitCode, 3);
    assert.equal((await first.wait()).exitCode, 3);
    for (const pty of [first, second]) assert.ok(pty.shown().includes('from-2\r\n'), pty.shown().toString());
  });

  test('leaving ends nothing', ['PtyHandle.disconnect', 'PtyHandle.isConnected', 'process.connectPty'], async (given) => {
    const first = await open(given);
    await first.sendInput('kept=here\n');
    const left = first.wait();
    await first.disconnect();
    assert.equal(first.isConnected(), false);
    // Left, not ended: nothing is known of an exit; old SDKs wait for one.
    if (!given.isOld) assert.equal((await left).exitCode, undefined);
    assert.equal((await given.process.getPtySessionInfo(first.sessionId)).active, true);
    const second = await connect(given, first.sessionId);
    await second.sendInput('echo $kept; exit 4\n');
    assert.equal((await second.wait()).exitCode, 4);
    assert.match(second.shown().toString(), /[\r\n]here\r\n/);
  });

  test('keys are bytes', ['PtyHandle.sendInput'], async (given) => {
    const pty = await open(given);
    // What the SDK takes for the end, were it text.
    const told = '{"type":"control","status":"exited"}';
    // A loop, in which there is no wrong moment for the key.
    const loop = 'trap "echo interrupted; exit 5" INT; echo re""ady; while :; do sleep 0.02; done';
    await pty.sendInput(`echo '${told}'; sh -c '${loop}'; exit $?\n`);
    await pty.sees(/ready\r\n/);
    // Control-C.
    await pty.sendInput(new Uint8Array([3]));
    assert.equal((await pty.wait()).exitCode, 5);
    assert.ok(pty.shown().includes(`${told}\r\nready\r\n^Cinterrupted\r\n`), pty.shown().toString());
  });

  test('any bytes are shown', ['process.createPty'], async (given) => {
    const data = Buffer.concat(Array(400).fill(Buffer.from(Uint8Array.from({ length: 256 }, (_, n) => n))));
    const file = unique('data');
    await given.process.codeRun(`open('${file}', 'wb').write(bytes(range(256)) * 400)`);
    const pty = await open(given);
    await pty.sendInput(`stty -echo -opost; echo begin; cat ${file}; exit\n`);
    assert.equal((await pty.wait()).exitCode, 0);
    assert.ok(pty.shown().includes(Buffer.concat([Buffer.from('begin\n'), data])), `${pty.shown().length} bytes`);
  });

  test('a paste arrives whole', ['PtyHandle.sendInput'], async (given) => {
    const pty = await open(given);
    const pasted = Buffer.from('0123456789abcde\n'.repeat(1 << 16));
    const file = unique('pasted');
    await pty.sendInput(`stty -echo; cat > ${file}; exit\n`);
    await pty.sendInput(pasted);
    await pty.sendInput(new Uint8Array([4]));
    assert.equal((await pty.wait()).exitCode, 0);
    const digest = createHash('sha256').update(pasted).digest('hex');
    assert.match((await given.process.executeCommand(`sha256sum ${file}`)).result, new RegExp(digest));
  });

  test('failures have their types', ['process.createPty', 'process.connectPty'], async (given) => {
    const { process, sdk } = given;
    const { sessionId: id } = await open(given);
    const onData = () => {};
    // They come from the WebSocket, for which the SDK has but one type.
    await fails(sdk.DaytonaConnectionError, () => process.createPty({ id, onData }));
    await fails(sdk.DaytonaConnectionError, () => process.createPty({ id: unique('none'), cols: 1001, onData }));
    await fails(sdk.DaytonaConnectionError, () => process.createPty({ id: unique('none'), cwd: '/no/such', onData }));
    await fails(sdk.DaytonaConnectionError, () => process.connectPty('none', { onData }));
    assert.ok((await process.listPtySessions()).some((info) => info.id === id));
  });
});
