// Daytona's TypeScript SDK, unmodified, drives interpreter contexts on our daemon.

import assert from 'node:assert/strict';

import { fails, seconds } from './harness.mjs';
import { suite } from './runner.mjs';

// A context of the case's own.
async function open({ interpreter, defer }, cwd) {
  const context = await interpreter.createContext(cwd);
  defer(() => interpreter.deleteContext(context));
  return context;
}

suite('interpreter', (test) => {
  const method = ['codeInterpreter.runCode'];

  test('output and state', method, async (given) => {
    const { interpreter } = given;
    const context = await open(given);
    const code = "import os, sys; x = 1; os.system('echo sub'); print('é漢😀'); print('e', file=sys.stderr)";
    const result = await interpreter.runCode(code, { context });
    assert.deepEqual(result, { stdout: 'sub\né漢😀\n', stderr: 'e\n' });
    assert.equal((await interpreter.runCode('print(x)', { context })).stdout, '1\n');
    assert.equal((await interpreter.runCode('x')).error.name, 'NameError');
  });

  test('callbacks are told what comes, when it comes', method, async (given) => {
    const { interpreter } = given;
    const context = await open(given);
    const told = [];
    let early;
    const code = "import sys, time; print('a'); time.sleep(1); print('b', file=sys.stderr); 1/0";
    const begin = performance.now();
    const result = await interpreter.runCode(code, {
      context,
      onStdout: ({ output }) => {
        early ??= performance.now() - begin;
        told.push(['stdout', output]);
      },
      onStderr: async ({ output }) => told.push(['stderr', output]),
      onError: (error) => told.push(['error', error.name]),
    });
    const took = performance.now() - begin;
    assert.ok(took - early > 800, `told after ${early} of ${took} ms`);
    assert.deepEqual(told, [['stdout', 'a\n'], ['stderr', 'b\n'], ['error', 'ZeroDivisionError']]);
    assert.deepEqual([result.stdout, result.stderr, result.error.name], ['a\n', 'b\n', 'ZeroDivisionError']);
  });

  test('errors', method, async ({ interpreter, sdk }) => {
    const { error } = await interpreter.runCode('a = 1\n1/0');
    assert.deepEqual([error.name, error.value], ['ZeroDivisionError', 'division by zero']);
    assert.match(error.traceback, /File "<stdin>", line 2/);
    assert.equal((await interpreter.runCode('if')).error.name, 'SyntaxError');
    assert.equal((await interpreter.runCode('input()')).error.name, 'EOFError');
    assert.equal((await interpreter.runCode('import sys; sys.exit(3)')).error, undefined);
    await fails(sdk.DaytonaInvalidArgumentError, () => interpreter.runCode(' '));
  });

  test('variables', method, async ({ interpreter }) => {
    const show = "import os; print(os.environ.get('K'))";
    assert.equal((await interpreter.runCode(show, { envs: { K: 'v é' } })).stdout, 'v é\n');
    assert.equal((await interpreter.runCode(show)).stdout, 'None\n');
  });

  test('time limits are errors and keep the state', method, async (given) => {
    const { interpreter, sdk } = given;
    const context = await open(given);
    await interpreter.runCode('kept = 1', { context });
    const took = await seconds(async () => {
      const call = () => interpreter.runCode('import time; time.sleep(60)', { context, timeout: 1 });
      await fails(sdk.DaytonaTimeoutError, call);
    });
    assert.ok(took < 5, `${took} s`);
    assert.equal((await interpreter.runCode('print(kept)', { context, timeout: 0 })).stdout, '1\n');
  });

  test('a dead worker is an error and is replaced', method, async (given) => {
    const { interpreter, sdk } = given;
    const context = await open(given);
    const took = await seconds(() =>
      fails(sdk.DaytonaConnectionError, () => interpreter.runCode('import os; os._exit(3)', { context })),
    );
    assert.ok(took < 5, `${took} s`);
    assert.equal((await interpreter.runCode('print(1)', { context })).stdout, '1\n');
  });

  test('many lines', method, async ({ interpreter }) => {
    const { stdout } = await interpreter.runCode('for i in range(20000): print(i)');
    assert.ok(stdout === Array.from({ length: 20_000 }, (_, n) => `${n}\n`).join(''), `${stdout.length} characters`);
  });

  test('ten megabytes', method, async ({ interpreter }) => {
    const long = await interpreter.runCode("print('x' * 10_000_000)");
    assert.ok(long.stdout === `${'x'.repeat(10_000_000)}\n`, `${long.stdout.length} characters`);
    const zeros = await interpreter.runCode("print('\\0' * 100_000)");
    assert.ok(zeros.stdout === `${'\0'.repeat(100_000)}\n`, `${zeros.stdout.length} characters`);
  });

  test(
    'contexts',
    ['codeInterpreter.createContext', 'codeInterpreter.listContexts', 'codeInterpreter.deleteContext'],
    async ({ interpreter, sdk, daemon }) => {
      const context = await interpreter.createContext('/usr');
      assert.deepEqual([context.cwd, context.language, context.active], ['/usr', 'python', true]);
      const ids = async () => (await interpreter.listContexts()).map(({ id }) => id);
      assert.ok((await ids()).includes(context.id));
      const show = 'import os; print(os.getcwd())';
      assert.equal((await interpreter.runCode(show, { context })).stdout, '/usr\n');
      assert.equal((await interpreter.runCode(show)).stdout, `${daemon.workDir}\n`);
      await interpreter.deleteContext(context);
      assert.ok(!(await ids()).includes(context.id));
      await fails(sdk.DaytonaConnectionError, () => interpreter.runCode('1', { context }));
      await fails(sdk.DaytonaNotFoundError, () => interpreter.deleteContext(context));
      await fails(sdk.DaytonaBadRequestError, () => interpreter.deleteContext({ id: 'default' }));
      await fails(sdk.DaytonaError, () => interpreter.createContext('/no/such'));
    },
  );

  test('deleting a context ends what runs', ['codeInterpreter.deleteContext'], async ({ interpreter }) => {
    const context = await interpreter.createContext();
    let running;
    const begun = new Promise((resolve) => {
      running = interpreter.runCode('print(1); import time; time.sleep(60)', { context, onStdout: resolve });
      running.catch(resolve);
    });
    await begun;
    const took = await seconds(async () => {
      await interpreter.deleteContext(context);
      // The SDK takes the code of going away for a good end.
      assert.deepEqual(await running, { stdout: '1\n', stderr: '' });
    });
    assert.ok(took < 5, `${took} s`);
  });

  test('one context is one at a time, and many run side by side', method, async (given) => {
    const { interpreter } = given;
    const contexts = await Promise.all(Array.from({ length: 4 }, () => open(given)));
    const code = 'import time; time.sleep(0.5); n = globals().get("n", 0) + 1; print(n)';
    const took = await seconds(async () => {
      const runs = contexts.flatMap((context) => [1, 2].map(() => interpreter.runCode(code, { context })));
      const results = await Promise.all(runs);
      // Whichever of a context's two came first.
      const printed = contexts.map((_, n) => results.slice(2 * n, 2 * n + 2).map(({ stdout }) => stdout).sort());
      assert.deepEqual(printed, contexts.map(() => ['1\n', '2\n']));
    });
    assert.ok(took > 0.95 && took < 3.9, `${took} s`);
  });
});
