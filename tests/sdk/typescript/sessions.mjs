// Daytona's TypeScript SDK, unmodified, drives sessions on our daemon.

import assert from 'node:assert/strict';

import { ENTRYPOINT, eventually, fails, seconds, unique } from './harness.mjs';
import { Absent, suite } from './runner.mjs';

// A session of the case's own, and short words for what is done with it.
export async function open({ process, defer }, id = unique('session')) {
  await process.createSession(id);
  let isThere = true;
  const session = {
    id,
    run: (command, options) => process.executeSessionCommand(id, { command, ...options }),
    start: async (command, options) => (await session.run(command, { runAsync: true, ...options })).cmdId,
    async logs(command) {
      // Old SDKs give back no text where it is empty.
      const { stdout = '', stderr = '', ...rest } = await process.getSessionCommandLogs(id, command);
      return { stdout, stderr, ...rest };
    },
    send: (command, data) => process.sendSessionCommandInput(id, command, data),
    command: (command) => process.getSessionCommand(id, command),
    async exitCode(command) {
      let code;
      await eventually(async () => (code = (await session.command(command)).exitCode) !== undefined, 'an exit code');
      return code;
    },
    // What a follower of a command is given, from its beginning to its end.
    async follow(command) {
      const [out, err] = [[], []];
      await process.getSessionCommandLogs(id, command, (text) => out.push(text), (text) => err.push(text));
      return [out.join(''), err.join('')];
    },
    async delete() {
      isThere = false;
      await process.deleteSession(id);
    },
  };
  defer(() => isThere && process.deleteSession(id));
  return session;
}

function absentIfForeign(daemon) {
  if (!daemon.isOurs) throw new Absent('only the daemon that the suites start has a known entrypoint');
}

suite('session', (test) => {
  test('state is kept', ['process.executeSessionCommand'], async (given) => {
    const session = await open(given);
    const below = unique('state');
    await session.run(`mkdir ${below} && cd ${below}`);
    await session.run('NAME=kept && f() { echo "<$1>"; }');
    const response = await session.run('pwd; echo $NAME; f é漢; echo oops >&2; (exit 3)');
    assert.equal(response.stdout, `${given.daemon.workDir}/${below}\nkept\n<é漢>\n`);
    assert.equal(response.stderr, 'oops\n');
    assert.equal(response.exitCode, 3);
    assert.ok(response.cmdId);
    assert.equal((await session.run('echo $?')).stdout, '3\n');
  });

  test('what is started is answered at once', ['process.executeSessionCommand'], async (given) => {
    const session = await open(given);
    const took = await seconds(async () => {
      const response = await session.run('sleep 30', { runAsync: true });
      assert.deepEqual([response.stdout ?? '', response.stderr ?? '', response.exitCode ?? null], ['', '', null]);
      assert.equal((await session.command(response.cmdId)).exitCode, undefined);
    });
    assert.ok(took < 5, `${took} s`);
    assert.ok(await session.start('true', { runAsync: undefined, async: true }), 'the older name');
  });

  test(
    'sessions and commands are listed in order',
    ['process.getSession', 'process.listSessions', 'process.getSessionCommand'],
    async (given) => {
      const session = await open(given);
      const ids = [];
      for (const n of [0, 1, 2, 3, 4]) ids.push((await session.run(`echo ${n}`)).cmdId);
      const expect = ids.map((id, n) => ({ id, command: `echo ${n}`, exitCode: 0 }));
      // Daemons may tell more of a command.
      const told = ({ id, command, exitCode }) => ({ id, command, exitCode });
      const got = await given.process.getSession(session.id);
      assert.deepEqual([got.sessionId, got.commands.map(told)], [session.id, expect]);
      assert.deepEqual(told(await session.command(ids[3])), expect[3]);
      const listed = await given.process.listSessions();
      assert.deepEqual(listed.find(({ sessionId }) => sessionId === session.id).commands.map(told), expect);
    },
  );

  test('what wedges others does not wedge', ['process.executeSessionCommand'], async (given) => {
    const session = await open(given);
    const commands = ['echo "unbalanced', 'wait', 'false || true', 'cat <<E\nx\nE', 'sleep 60 & echo hi', '(exit 7)', 'trap : EXIT'];
    for (const command of commands) {
      const took = await seconds(async () => {
        await session.run(command);
        assert.equal((await session.run('echo ok')).stdout, 'ok\n', command);
      });
      assert.ok(took < 5, `${command}: ${took} s`);
    }
  });

  test('a session that ended says so', ['process.executeSessionCommand'], async (given) => {
    const session = await open(given);
    assert.equal((await session.run('echo bye; exit 7')).exitCode, 7);
    const error = await fails(given.sdk.DaytonaSessionEndedError, () => session.run('echo more'));
    assert.ok(error instanceof given.sdk.DaytonaGoneError);
  });

  test('logs are whole and apart', ['process.getSessionCommandLogs'], async (given) => {
    const session = await open(given);
    const command = "printf '\\001\\001\\001x\\002\\002\\002y\\n'; printf '\\002\\002\\002e\\001' >&2; printf abc";
    const { cmdId } = await session.run(command);
    const logs = await session.logs(cmdId);
    assert.deepEqual([logs.stdout, logs.stderr], ['\x01\x01\x01x\x02\x02\x02y\nabc', '\x02\x02\x02e\x01']);
  });

  test('logs grow while a command runs', ['process.getSessionCommandLogs'], async (given) => {
    const session = await open(given);
    const command = await session.start('echo first; read x; echo "second $x"');
    await eventually(async () => (await session.logs(command)).stdout === 'first\n', 'the first line');
    await session.send(command, 'now');
    assert.equal(await session.exitCode(command), 0);
    assert.equal((await session.logs(command)).stdout, 'first\nnow\nsecond now\n');
  });

  test('followers get every byte', ['process.getSessionCommandLogs'], async (given) => {
    const session = await open(given);
    const count = 50_000;
    const command = `for ((i = 1; i <= ${count}; i++)); do echo out-$i; echo err-$i >&2; done`;
    const [out, err] = await session.follow(await session.start(command));
    const lines = (word) => Array.from({ length: count }, (_, n) => `${word}-${n + 1}\n`).join('');
    assert.ok(out === lines('out'), `${out.length} characters of stdout`);
    assert.ok(err === lines('err'), `${err.length} characters of stderr`);
  });

  test('followers see output as it comes', ['process.getSessionCommandLogs'], async (given) => {
    const session = await open(given);
    const command = await session.start('echo ready; read x; echo "got $x"; echo apart >&2');
    const [out, err] = [[], []];
    let answer;
    const told = (text) => {
      out.push(text);
      // Not before it has been seen: it is the answer.
      if (out.join('') === 'ready\n') answer = session.send(command, 'é漢');
    };
    await given.process.getSessionCommandLogs(session.id, command, told, (text) => err.push(text));
    await answer;
    assert.deepEqual([out.join(''), err.join('')], ['ready\né漢\ngot é漢\n', 'apart\n']);
  });

  test('many followers, early and late, see the same', ['process.getSessionCommandLogs'], async (given) => {
    const session = await open(given);
    const command = await session.start('seq 2000; read x; seq 2000 >&2');
    const early = Array.from({ length: 5 }, () => session.follow(command));
    await eventually(async () => (await session.logs(command)).stdout.endsWith('2000\n'), 'the first half');
    const halfway = Array.from({ length: 5 }, () => session.follow(command));
    await session.send(command, 'on');
    assert.equal(await session.exitCode(command), 0);
    const numbers = Array.from({ length: 2000 }, (_, n) => `${n + 1}\n`).join('');
    for (const seen of await Promise.all([...early, ...halfway, session.follow(command)])) {
      assert.deepEqual(seen, [`${numbers}on\n`, numbers]);
    }
  });

  test('the end is followed at once', ['process.getSessionCommandLogs', 'process.getSessionCommand'], async (given) => {
    const session = await open(given);
    const times = [];
    for (let round = 0; round < 3; round++) {
      const command = await session.start('sleep 0.2; echo end');
      times.push(await seconds(async () => assert.deepEqual(await session.follow(command), ['end\n', ''])));
      assert.equal((await session.command(command)).exitCode, 0);
    }
    // The machine may be busy, but not always.
    assert.ok(Math.min(...times) < 0.6, `${times} s`);
  });

  test('input is given and echoed', ['process.sendSessionCommandInput'], async (given) => {
    const session = await open(given);
    const command = await session.start('read a; read b; echo "<$a><$b>"');
    await session.send(command, 'one');
    await session.send(command, 'two é\n');
    assert.equal(await session.exitCode(command), 0);
    assert.equal((await session.logs(command)).stdout, 'one\ntwo é\n<one><two é>\n');
    const silent = await session.start('read a; echo "<$a>"', { suppressInputEcho: true });
    await session.send(silent, 'one');
    assert.equal(await session.exitCode(silent), 0);
    assert.equal((await session.logs(silent)).stdout, '<one>\n');
    await fails(given.sdk.DaytonaCommandAlreadyCompletedError, () => session.send(silent, 'late'));
    await fails(given.sdk.DaytonaBadRequestError, () => session.send(silent, ''));
  });

  test(
    'what is not there says so',
    ['process.createSession', 'process.getSession', 'process.getSessionCommand', 'process.deleteSession'],
    async (given) => {
      const { process, sdk } = given;
      const session = await open(given);
      const none = 'no-such-session';
      const missing = [
        () => process.getSession(none),
        () => process.deleteSession(none),
        () => process.executeSessionCommand(none, { command: 'true' }),
        () => session.command('no-such-command'),
        () => session.logs('no-such-command'),
        () => session.send('no-such-command', 'text'),
      ];
      for (const call of missing) assert.equal((await fails(sdk.DaytonaNotFoundError, call)).statusCode, 404);
      // It comes from the WebSocket, for which the SDK has no type.
      await assert.rejects(session.follow('no-such-command'), ({ message }) => /404/.test(message));
      await fails(sdk.DaytonaConflictError, () => process.createSession(session.id));
      await fails(sdk.DaytonaBadRequestError, () => process.createSession('entrypoint'));
      await fails(sdk.DaytonaBadRequestError, () => session.run(' '));
    },
  );

  test('deleting ends what runs and who follows', ['process.deleteSession'], async (given) => {
    const session = await open(given);
    const marker = `98${Math.floor(Math.random() * 1e6)}`;
    const command = `(trap '' TERM; setsid sleep ${marker}) & echo on; sleep ${marker}`;
    const id = await session.start(command);
    let took;
    const seen = [];
    const told = (text) => {
      seen.push(text);
      if (seen.join('') === 'on\n') took = seconds(() => session.delete());
    };
    await given.process.getSessionCommandLogs(session.id, id, told, told);
    assert.equal(seen.join(''), 'on\n');
    assert.ok((await took) < 3, `${await took} s`);
    const left = await given.process.executeCommand(`ps -eo args | grep '[s]leep ${marker}' || true`);
    assert.equal(left.result, '');
    await fails(given.sdk.DaytonaNotFoundError, () => given.process.getSession(session.id));
  });

  test('a client that gave up leaves the session whole', ['process.executeSessionCommand'], async (given) => {
    const { process, sdk } = given;
    const session = await open(given);
    const call = () => process.executeSessionCommand(session.id, { command: 'read x; W=1; sleep 2; W=2' }, 1);
    await fails(sdk.DaytonaTimeoutError, call);
    assert.equal((await session.run('echo $W')).stdout, '2\n');
  });

  test('the entrypoint is a session', ['process.getEntrypointSession', 'process.getEntrypointLogs'], async ({ process, daemon, sdk, absentIfOld }) => {
    absentIfForeign(daemon);
    absentIfOld('no entrypoint');
    const session = await process.getEntrypointSession();
    assert.equal(session.sessionId, 'entrypoint');
    assert.equal(session.commands.length, 1);
    await eventually(async () => (await process.getEntrypointSession()).commands[0].exitCode === 0, 'its end');
    const logs = await process.getEntrypointLogs();
    assert.deepEqual([logs.stdout, logs.stderr], [`${ENTRYPOINT}\n`, '']);
    await fails(sdk.DaytonaBadRequestError, () => process.deleteSession('entrypoint'));
  });

  test('the entrypoint is followed', ['process.getEntrypointLogs'], async ({ process, daemon, absentIfOld }) => {
    absentIfForeign(daemon);
    absentIfOld('no entrypoint');
    const [out, err] = [[], []];
    await process.getEntrypointLogs((text) => out.push(text), (text) => err.push(text));
    assert.deepEqual([out.join(''), err.join('')], [`${ENTRYPOINT}\n`, '']);
  });
});
