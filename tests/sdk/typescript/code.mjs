// Daytona's TypeScript SDK, unmodified, runs programs on our daemon.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

import { fails, ROOT, seconds } from './harness.mjs';
import { suite } from './runner.mjs';

// Arguments that a shell would make something else of.
const ARGUMENTS = ['a b', "it's", '"', '$HOME', '*', '', '-x', 'é\n'];

suite('process', (test) => {
  const method = ['process.codeRun'];

  test('output', method, async ({ process }) => {
    const response = await process.codeRun("x = 10\ny = 20\nprint(f'Sum: {x + y} é漢😀')");
    const result = 'Sum: 30 é漢😀\n';
    const { charts, ...artifacts } = response.artifacts;
    assert.deepEqual(charts ?? [], []);
    assert.deepEqual({ ...response, artifacts }, { exitCode: 0, result, artifacts: { stdout: result } });
  });

  test('exit codes', method, async ({ process }) => {
    for (const [code, expect] of [['import sys; sys.exit(3)', 3], ['import os; os._exit(7)', 7]]) {
      assert.equal((await process.codeRun(code)).exitCode, expect, code);
    }
  });

  test('an exception is a result', method, async ({ process }) => {
    const response = await process.codeRun("print('before')\nraise ValueError('boom')");
    assert.equal(response.exitCode, 1);
    assert.match(response.result, /^before\nTraceback [^]*ValueError: boom\n$/);
  });

  test('arguments are verbatim', method, async ({ process, sdk, absentIfOld }) => {
    absentIfOld('arguments are not quoted');
    const params = Object.assign(new sdk.CodeRunParams(), { argv: ARGUMENTS });
    const response = await process.codeRun('import json, sys; print(json.dumps(sys.argv[1:]))', params);
    assert.deepEqual(JSON.parse(response.result), ARGUMENTS);
  });

  test('env', method, async ({ process, absentIfOld }) => {
    absentIfOld('variables are not quoted');
    const response = await process.codeRun("import os; print(os.environ['K'])", { env: { K: "it's $HOME" } });
    assert.equal(response.result, "it's $HOME\n");
  });

  test('standard input of code is empty', method, async ({ process }) => {
    const response = await process.codeRun('input()', undefined, 10);
    assert.equal(response.exitCode, 1);
    assert.match(response.result, /EOFError/);
  });

  test('a time limit is an error', method, async ({ process, sdk, isOld }) => {
    const took = await seconds(async () => {
      const call = () => process.codeRun('import time; time.sleep(30)', undefined, 1);
      const error = await fails(sdk.DaytonaProcessExecutionTimeoutError, call);
      assert.equal(error.statusCode, 408);
      assert.equal(error.source, isOld ? undefined : sdk.SOURCE_DAEMON);
    });
    assert.ok(took < 5, `${took} s`);
  });

  test('a program that is none is a bad request', method, async ({ process, sdk, absentIfOld }) => {
    absentIfOld('a program is an argument of a command');
    await fails(sdk.DaytonaBadRequestError, () => process.codeRun(''));
    await fails(sdk.DaytonaBadRequestError, () => process.codeRun('1', { env: { '1A': '' } }));
  });

  test('much output of code arrives whole', method, async ({ process }) => {
    const response = await process.codeRun("for i in range(200000): print('line', i)");
    const lines = Array.from({ length: 200_000 }, (_, i) => `line ${i}\n`);
    assert.ok(response.result === lines.join(''), `${response.result.length} characters`);
  });

  test('a line chart', method, async ({ process, sdk, absentIfOld }) => {
    absentIfOld('no charts by the daemon');
    const program = fs.readFileSync(path.join(ROOT, 'xtask/assets/line_chart.py'), 'utf8');
    const response = await process.codeRun(program);
    assert.deepEqual([response.exitCode, response.result], [0, '']);
    const [chart, ...more] = response.artifacts.charts;
    assert.equal(more.length, 0);
    assert.equal(chart.type, sdk.ChartType.LINE);
    assert.equal(chart.title, 'Line Chart');
    assert.deepEqual([chart.x_label, chart.y_label], ['X-axis (seconds)', 'Y-axis (amplitude)']);
    for (const axis of ['x', 'y']) {
      assert.equal(chart[`${axis}_scale`], 'linear');
      const ticks = chart[`${axis}_ticks`];
      assert.ok(ticks.length > 2);
      assert.deepEqual(ticks, ticks.toSorted((one, other) => one - other));
      assert.equal(ticks.length, chart[`${axis}_tick_labels`].length);
    }
    const [{ points }] = chart.elements;
    assert.equal(points.length, 30);
    points.forEach(([x, y], index) => {
      assert.ok(Math.abs(x - (index * 10) / 29) < 1e-9, `x ${x} of ${index}`);
      assert.ok(Math.abs(y - Math.sin(x)) < 1e-9, `y ${y} of ${index}`);
    });
  });

  for (const language of ['javascript', 'typescript']) {
    test(`${language}: output, arguments and variables`, method, async ({ sandbox, absentIfOld }) => {
      absentIfOld('arguments are not quoted');
      const { process } = await sandbox(language);
      const code = 'console.log(JSON.stringify([process.argv.slice(1), process.env.K, "é漢😀"]));';
      const response = await process.codeRun(code, { argv: ARGUMENTS, env: { K: "it's $HOME" } });
      assert.equal(response.exitCode, 0, response.result);
      assert.deepEqual(JSON.parse(response.result), [ARGUMENTS, "it's $HOME", 'é漢😀']);
      assert.deepEqual(response.artifacts.charts, []);
    });

    test(`${language}: failures`, method, async ({ sandbox, sdk, absentIfOld }) => {
      absentIfOld(`no ${language} by the daemon`);
      const { process } = await sandbox(language);
      assert.equal((await process.codeRun('process.exit(3)')).exitCode, 3);
      const response = await process.codeRun("console.log('before');\nthrow new RangeError('boom');");
      assert.equal(response.exitCode, 1);
      assert.match(response.result, /^before\n[^]*RangeError: boom/);
      const call = () => process.codeRun('setTimeout(() => {}, 30000)', undefined, 1);
      await fails(sdk.DaytonaProcessExecutionTimeoutError, call);
    });
  }

  test('typescript: types, enums and modules', method, async ({ sandbox, absentIfOld }) => {
    absentIfOld('no typescript by the daemon');
    const { process } = await sandbox('typescript');
    const code = `
      import * as path from 'path';
      enum Color { Red = 1, Green }
      interface Point { x: number; y?: number }
      const shift = <T extends Point>(point: T): T => ({ ...point, x: point.x + 1 });
      const words: string = [path.basename('/a/b'), Color[2], shift({ x: 1 }).x].join(' ');
      console.log(words satisfies string);`;
    const response = await process.codeRun(code);
    assert.deepEqual([response.result, response.exitCode], ['b Green 2\n', 0]);
  });
});
