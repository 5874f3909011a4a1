// The evaluation of one piece of code.

const post = (method, parameters, then) => session.post(method, parameters, then);

// By which the inspector finds us.
let taken;
const handle = Symbol.for('sandbox');
const handleText = "globalThis[Symbol.for('sandbox')]";
Object.defineProperty(globalThis, handle, {
  value: Object.freeze({ interrupt: (number) => interrupt(number), take: (value) => { taken = value; } }),
});
let take;
post('Runtime.evaluate', { expression: `${handleText}.take` }, (_, { result: { objectId } }) => { take = { objectId }; });

// The value that the inspector speaks of.
const valueOf = ({ type, objectId, value, unserializableValue }) => {
  const argument = objectId ? { objectId } : unserializableValue ? { unserializableValue } : { value };
  post('Runtime.callFunctionOn', {
    functionDeclaration: '(take, value) => take(value)',
    objectId: take.objectId,
    arguments: type === 'undefined' ? [take] : [take, argument],
    silent: true,
  });
  const found = taken;
  taken = undefined;
  return found;
};

const GROUP = 'run';
const ON = Symbol('on');

// V8 tells in the middle of a garbage collection that a promise for which somebody waits was collected, and Node.js does
// not survive that. So the promise of a text, the first that its evaluation makes, is kept: while it may be settled, and
// for ever if it was given up.
let latestPromise = null;
const givenUp = [];

const begin = ({ code, shows, variables, number }) => {
  openDescriptors();
  if (input && (input.readableEnded || input.destroyed)) input = null;
  latest = 0;
  isInterrupted = false;
  const mine = { number, phase: 'user', before: [], cut: null, failure: null, value: null };
  run = mine;
  for (let at = 0; at < variables.length; at += 2) {
    const name = variables[at];
    mine.before.push([name, Object.hasOwn(process.env, name) ? process.env[name] : undefined]);
    process.env[name] = variables[at + 1];
  }
  // What cannot be read is told before anything has run.
  let isRead = false;
  const show = (value) => {
    if (!shows || value === undefined) return;
    keep(value);
    mine.value = forms(value);
  };
  const fail = (error) => {
    mine.failure = describe(error, '');
  };
  // Ends the run with what `work` finds out.
  const ending = (work) => (...found) => {
    if (run !== mine || mine.cut) return;
    try {
      if (work(...found) === ON) return;
    } catch (error) {
      // What the program has replaced was needed.
      mine.failure = attempt(() => describe(error, ''), ['Error', '', '']);
    }
    end('done');
  };
  const settled = ending((error, reply) => {
    const { result, exceptionDetails } = reply || {};
    if (error) throw new Error(error.message);
    if (exceptionDetails) {
      const thrown = valueOf(exceptionDetails.exception || result);
      mine.failure = describe(thrown, isRead ? '' : placeOf(code, exceptionDetails));
    } else if (result.subtype === 'promise') {
      then.call(valueOf(result), ending(show), ending(fail));
      return ON;
    } else {
      show(valueOf(result));
    }
  });
  const name = attempt(() => nameOf(code), FILE);
  latestPromise = null;
  const stopLooking = promiseHooks.onInit((promise) => {
    latestPromise = latestPromise || promise;
    stopLooking();
  });
  post('Runtime.evaluate', {
    expression: `${code}\n//# sourceURL=${name}`,
    replMode: true,
    objectGroup: GROUP,
    silent: true,
  }, settled);
  stopLooking();
  isRead = true;
};

// As in Node.js's own console, `_` is the last value, until the program has use for the name.
let kept;
const keptValue = () => kept;
const keep = (value) => {
  const own = Object.getOwnPropertyDescriptor(globalThis, '_');
  if (own && own.get !== keptValue) return;
  kept = value;
  const set = (other) => {
    Object.defineProperty(globalThis, '_', { value: other, configurable: true, enumerable: true, writable: true });
  };
  Object.defineProperty(globalThis, '_', { get: keptValue, set, configurable: true });
};
