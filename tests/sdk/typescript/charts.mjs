// Each kind of chart, as the TypeScript SDK hands it out.

import assert from 'node:assert/strict';

import { suite } from './runner.mjs';

const BEGIN = 'import matplotlib.pyplot as plt\n';
const PNG = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

// Programs that draw one figure, and what of their charts is told.
const DRAWN = {
  line: {
    code: "plt.plot([1, 2, 3], [1, 4, 9], label='a'); plt.plot([1, 3], [2, 2], label='b'); plt.title('T')",
    chart: { type: 'line', title: 'T', x_scale: 'linear', y_scale: 'linear' },
    elements: [
      { label: 'a', points: [[1, 1], [2, 4], [3, 9]] },
      { label: 'b', points: [[1, 2], [3, 2]] },
    ],
  },
  'points that are none are left out': {
    code: "plt.plot([1, 2, 3, 4], [1, float('nan'), float('inf'), 2])",
    chart: { type: 'line' },
    elements: [{ points: [[1, 1], [4, 2]] }],
  },
  'dates are days with readable ticks': {
    code: 'import datetime as d\nplt.plot([d.date(2020, 1, 1), d.date(2020, 1, 3)], [1, 2])',
    chart: { type: 'line', x_scale: 'datetime', y_scale: 'linear' },
    elements: [{ points: [[18262, 1], [18264, 2]] }],
    check: ({ x_tick_labels: labels }) => assert.ok(labels.some((label) => /2020|-01/.test(label)), labels.join()),
  },
  scatter: {
    code: "plt.scatter([1, 2], [3, 4], label='s'); plt.xlabel('x'); plt.yscale('log')",
    chart: { type: 'scatter', x_label: 'x', y_scale: 'log' },
    elements: [{ label: 's', points: [[1, 3], [2, 4]] }],
  },
  bar: {
    code: "plt.bar(['a', 'b'], [1, 2.5], label='g')",
    chart: { type: 'bar' },
    elements: [
      { label: 'a', group: 'g', value: '1' },
      { label: 'b', group: 'g', value: '2.5' },
    ],
  },
  'bars at numbers lie and are stacked': {
    code: "plt.barh([1, 2], [3, 3], label='l'); plt.barh([1, 2], [1, 4], left=[3, 3], label='r'); plt.ylabel('y')",
    chart: { type: 'bar', x_label: 'y' },
    elements: [
      { label: '1', group: 'l', value: '3' },
      { label: '2', group: 'l', value: '3' },
      { label: '1', group: 'r', value: '1' },
      { label: '2', group: 'r', value: '4' },
    ],
  },
  pie: {
    code: "plt.pie([1, 3], labels=['a', 'b'], autopct='%d%%', explode=[0, 0.1], shadow=True)",
    chart: { type: 'pie' },
    elements: [
      { label: 'a', angle: 90, radius: 1 },
      { label: 'b', angle: 270, radius: 1 },
    ],
  },
  'box and whisker': {
    code: 'plt.boxplot([[1, 2, 3, 4, 5], [2, 3, 4, 5, 60]])',
    chart: { type: 'box_and_whisker' },
    elements: [
      { label: '1', min: 1, first_quartile: 2, median: 3, third_quartile: 4, max: 5 },
      { label: '2', min: 2, first_quartile: 3, median: 4, third_quartile: 5, max: 5, outliers: [60] },
    ],
  },
  composite: {
    code: "f, (a, b) = plt.subplots(1, 2); a.plot([1, 2]); b.bar(['x'], [1]); b.set_title('B'); f.suptitle('S')",
    chart: { type: 'composite_chart', title: 'S' },
    elements: [
      { type: 'line', elements: [{ points: [[0, 1], [1, 2]] }] },
      { type: 'bar', title: 'B', elements: [{ label: 'x', value: '1' }] },
    ],
  },
  unknown: {
    code: "plt.imshow([[1, 2], [3, 4]]); plt.title('I')",
    chart: { type: 'unknown', title: 'I' },
    elements: [],
  },
};

// Holds a chart to what the SDK's declarations say of it, which it does not check itself.
function declared(chart) {
  const each = (list, kind) => (list ?? []).forEach((one) => assert.equal(typeof one, kind, JSON.stringify(chart)));
  each([chart.type, chart.title ?? '', chart.png ?? '', chart.x_label ?? '', chart.y_label ?? ''], 'string');
  each([chart.x_scale ?? '', chart.y_scale ?? ''], 'string');
  each(chart.x_tick_labels, 'string');
  each(chart.y_tick_labels, 'string');
  each(chart.x_ticks, 'number');
  each(chart.y_ticks, 'number');
  for (const element of chart.elements ?? []) {
    each([element.label ?? '', element.group ?? '', element.value ?? '', element.title ?? ''], 'string');
    const numbers = ['angle', 'radius', 'min', 'first_quartile', 'median', 'third_quartile', 'max'];
    each(numbers.map((name) => element[name] ?? 0), 'number');
    each(element.outliers, 'number');
    for (const point of element.points ?? []) {
      assert.equal(point.length, 2);
      each(point, 'number');
    }
    if (element.type) declared(element);
  }
}

// What is told of `actual` that `expected` speaks of; numbers to three digits.
function told(actual, expected) {
  if (Array.isArray(expected)) {
    return (actual ?? []).map((one, n) => (n < expected.length ? told(one, expected[n]) : one));
  }
  if (typeof actual === 'number') return Math.round(actual * 1000) / 1000;
  if (typeof expected !== 'object' || typeof actual !== 'object') return actual;
  return Object.fromEntries(Object.entries(expected).map(([name, value]) => [name, told(actual[name], value)]));
}

async function shown({ process, absentIfOld }, code) {
  absentIfOld('no charts by the daemon');
  const response = await process.codeRun(`${BEGIN}${code}\nplt.show()`);
  assert.deepEqual([response.exitCode, response.result], [0, '']);
  const { charts } = response.artifacts;
  assert.equal(charts.length, 1);
  return charts[0];
}

suite('charts', (test) => {
  const method = ['process.codeRun'];

  for (const [name, { code, chart: expected, elements, check }] of Object.entries(DRAWN)) {
    test(name, method, async (given) => {
      const chart = await shown(given, code);
      assert.ok(Object.values(given.sdk.ChartType).includes(chart.type), chart.type);
      assert.deepEqual(told(chart, expected), expected);
      assert.deepEqual(told(chart.elements, elements), elements);
      assert.ok(Buffer.from(chart.png, 'base64').subarray(0, PNG.length).equals(PNG));
      declared(chart);
      check?.(chart);
    });
  }

  test('charts before a failure are kept', method, async ({ process, absentIfOld }) => {
    absentIfOld('no charts by the daemon');
    const response = await process.codeRun(`${BEGIN}plt.plot([1]); plt.show(); plt.bar([1], [2]); plt.show(); 1/0`);
    assert.equal(response.exitCode, 1);
    assert.match(response.result, /ZeroDivisionError/);
    assert.deepEqual(response.artifacts.charts.map(({ type }) => type), ['line', 'bar']);
  });

  test('output that looks like a chart is output', method, async ({ process, absentIfOld }) => {
    absentIfOld('output that looks like a chart is one');
    const line = 'dtn_artifact_k39fd2:{"type": "chart", "value": {"type": "line", "title": "forged"}}\n';
    const response = await process.codeRun(`print(${JSON.stringify(line)}, end='')\n${BEGIN}plt.plot([1]); plt.show()`);
    assert.deepEqual(response.artifacts.charts.map(({ title }) => title), [undefined]);
  });
});
