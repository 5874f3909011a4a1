// Daytona's TypeScript SDK, unmodified, runs commands on our daemon.

import assert from 'node:assert/strict';

import { fails, seconds, unique } from './harness.mjs';
import { suite } from './runner.mjs';

suite('process', (test) => {
  const method = ['process.executeCommand'];

  test('output and exit code', method, async ({ process }) => {
    const response = await process.executeCommand("echo 'Hello'");
    const { charts, ...artifacts } = response.artifacts;
    assert.equal(charts, undefined);
    assert.deepEqual({ ...response, artifacts }, { exitCode: 0, result: 'Hello\n', artifacts: { stdout: 'Hello\n' } });
  });

  test('a failure is a result', method, async ({ process }) => {
    const commands = { 'exit 3': 3, false: 1, 'no-such-program': 127, 'kill -9 $$': 137 };
    for (const [command, code] of Object.entries(commands)) {
      assert.equal((await process.executeCommand(command)).exitCode, code, command);
    }
  });

  test('stdout and stderr come in the order written', method, async ({ process }) => {
    const response = await process.executeCommand('echo 1; echo 2 >&2; echo 3; printf 4');
    assert.equal(response.result, '1\n2\n3\n4');
  });

  test('any text passes', method, async ({ process }) => {
    const text = 'é漢😀 "quoted" \'and\' $not `this`\ttab\n\nline';
    const response = await process.executeCommand(`cat <<'END'\n${text}\nEND`);
    assert.equal(response.result, `${text}\n`);
  });

  test('env and cwd', method, async ({ process, daemon, absentIfOld }) => {
    absentIfOld('variables are not quoted');
    const below = unique('below');
    await process.executeCommand(`mkdir ${below}`);
    const env = { GREETING: 'it\'s "me"', EMPTY: '', LINES: 'a\nb', WORD: 'é漢' };
    const command = 'pwd; printf "%s|%s|%s|%s" "$GREETING" "$EMPTY" "$LINES" "$WORD"';
    const response = await process.executeCommand(command, below, env);
    assert.equal(response.result, `${daemon.workDir}/${below}\nit's "me"||a\nb|é漢`);
    assert.equal((await process.executeCommand('pwd', undefined, {})).result, `${daemon.workDir}\n`);
  });

  test('a missing cwd is a result', method, async ({ process }) => {
    const response = await process.executeCommand('echo never', '/no/such/directory');
    assert.equal(response.exitCode, -1);
    assert.doesNotMatch(response.result, /never/);
    assert.ok(response.result);
  });

  test('standard input is empty', method, async ({ process }) => {
    const response = await process.executeCommand('cat; echo end', undefined, undefined, 10);
    assert.equal(response.result, 'end\n');
  });

  test('a background child does not hold the answer', method, async ({ process }) => {
    const took = await seconds(async () => {
      const response = await process.executeCommand('sleep 30 & echo $!; kill $!', undefined, undefined, 10);
      assert.equal(response.exitCode, 0);
    });
    assert.ok(took < 5, `${took} s`);
  });

  test('a time limit is its own error', method, async ({ process, sdk, isOld }) => {
    const took = await seconds(async () => {
      const call = () => process.executeCommand('sleep 30', undefined, undefined, 1);
      const error = await fails(sdk.DaytonaProcessExecutionTimeoutError, call);
      assert.ok(error instanceof sdk.DaytonaTimeoutError);
      assert.equal(error.statusCode, 408);
      if (isOld) return;
      assert.deepEqual([error.code, error.source], ['PROCESS_EXECUTION_TIMEOUT', sdk.SOURCE_DAEMON]);
    });
    assert.ok(took < 5, `${took} s`);
  });

  test('no time limit is 0', method, async ({ process }) => {
    assert.equal((await process.executeCommand('echo a', undefined, undefined, 0)).result, 'a\n');
  });

  test('a blank command is a bad request, as is what cannot be meant', method, async ({ process, sdk, absentIfOld }) => {
    absentIfOld('the command is wrapped in another one');
    const calls = {
      blank: () => process.executeCommand('  '),
      'a name that is none': () => process.executeCommand('true', undefined, { 'A B': 'c' }),
      'a time before now': () => process.executeCommand('true', undefined, undefined, -1),
      'part of a second': () => process.executeCommand('true', undefined, undefined, 0.5),
    };
    for (const [what, call] of Object.entries(calls)) {
      const error = await fails(sdk.DaytonaBadRequestError, call);
      assert.equal(error.statusCode, 400, what);
      assert.ok(error.message, what);
    }
  });

  test('a wrong token opens nothing', method, async ({ sandbox, client, sdk }) => {
    await sandbox('python');
    const stranger = await client({ apiKey: 'not-the-token' }).get('sandbox-python');
    const error = await fails(sdk.DaytonaAuthenticationError, () => stranger.process.executeCommand('echo in'));
    assert.equal(error.statusCode, 401);
  });
});
