// A small runner: each case in one way of using the SDK; the first case of each method, and all cases of files, which
// depend on what the platform has, in all of them, side by side, since most of a case's time is waiting. It writes a line
// for each, and a line of the report for each method.

import fs from 'node:fs';

// Longest time that a case may take, in milliseconds.
const LIMIT = 60_000;

const cases = [];

// Adds cases: `define` is given the function that adds one, `(name, methods, run)`. `run` is given what a case needs
// (see `Place.equipment` in the harness), and `defer`, which takes what is to be done when the case has ended.
export function suite(area, define) {
  define((name, methods, run) => cases.push({ area, name, methods, run }));
}

// What an SDK cannot do, or a daemon that is not ours cannot be asked.
export class Absent extends Error {}

// Runs the cases whose name has one of `wanted` in it, or all; gives back whether all is well.
export async function run(place, wanted) {
  const tally = { passed: 0, absent: 0, failed: 0 };
  const equipments = await Promise.all(place.manners.map((manner) => place.equipment(manner)));
  const called = new Set();
  for (const one of cases) {
    if (wanted.length && !wanted.some((text) => `${one.area}: ${one.name}`.includes(text))) continue;
    const methods = one.methods.map((method) => `${one.area} ${method}`);
    const isEverywhere = one.area === 'files' || methods.some((method) => !called.has(method));
    methods.forEach((method) => called.add(method));
    const ways = isEverywhere ? equipments : equipments.slice(0, 1);
    const attempts = await Promise.all(ways.map((equipment) => attempt(one, equipment)));
    for (const { manner, result, error, seconds } of attempts) {
      const name = one.name + (manner === place.manners[0] ? '' : ` (${manner})`);
      const title = `${one.area}: ${name}`;
      tally[result] += 1;
      console.log(`${result === 'failed' ? 'FAILED' : result} ${seconds.toFixed(2)} s  ${title}`);
      if (error) console.log(error instanceof Absent ? `  ${error.message}` : explained(error));
      for (const method of one.methods) {
        report({
          sdk: place.title,
          area: one.area,
          method,
          case: name,
          result,
          seconds: Number(seconds.toFixed(2)),
          ...(result === 'absent' && { reason: error.message }),
        });
      }
    }
  }
  console.log(`${place.title}: ${tally.passed} passed, ${tally.absent} absent, ${tally.failed} failed`);
  return tally.failed === 0 && tally.passed > 0;
}

async function attempt(one, equipment) {
  const deferred = [];
  const begin = performance.now();
  let error;
  try {
    await limited(() => one.run({ ...equipment, defer: (action) => deferred.push(action) }));
  } catch (caught) {
    error = caught;
  }
  for (const action of deferred.reverse()) {
    try {
      await limited(action);
    } catch (caught) {
      error ??= caught;
    }
  }
  const seconds = (performance.now() - begin) / 1000;
  const result = error instanceof Absent ? 'absent' : error ? 'failed' : 'passed';
  return { manner: equipment.manner, result, error, seconds };
}

// Ends with the action, with the limit, or with an error that nobody else caught.
function limited(action) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`did not end within ${LIMIT / 1000} s`)), LIMIT);
    const uncaught = (error) => reject(new Error('nobody caught an error', { cause: error }));
    // Whichever of those that run it was: all fail.
    const events = ['uncaughtException', 'unhandledRejection'];
    events.forEach((event) => process.on(event, uncaught));
    const calm = () => {
      clearTimeout(late);
      events.forEach((event) => process.off(event, uncaught));
    };
    Promise.resolve().then(action).then(resolve, reject).finally(calm);
  });
}

// An error's trace with those of its causes, without what the SDKs add of requests.
function explained(error) {
  const text = String(error?.stack ?? error).replace(/^/gm, '  ');
  return error?.cause ? `${text}\n  caused by\n${explained(error.cause)}` : text;
}

// Writes a line of the report, if there is one.
export function report(line) {
  const path = process.env.SANDBOX_TEST_REPORT;
  // At once, since several processes may write to it.
  if (path) fs.appendFileSync(path, `${JSON.stringify(line)}\n`);
}
