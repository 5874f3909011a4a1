// Runs pieces of JavaScript one after another in one global scope, as the engine gives them.
//
// Travels as the argument of `node -e`, with requests on descriptor 3, reports on 4, and 5 for charts, of which there are
// none. The messages are those that python/worker.py describes, and one more to us:
//
//     I  interrupt what runs
//
// V8 evaluates a text as it does in the console of a browser: `let`, `const` and `class` stay, and may be declared anew;
// `await` is good outside of functions. The code has ended when its last statement has; if the value of that is a promise,
// when it is settled. What timers, sockets and other promises still do goes on in the background, also while nothing runs.
//
// Requests are read by a thread of their own. It asks for an interrupt through the inspector, which reaches code that is
// busy; termination cannot be caught, so what it ends is told by the event loop, not by a `finally`.
//
// Works with Node.js 20.6 and newer.
'use strict';
{
  const fs = require('fs');
  const inspector = require('inspector');
  const { createRequire, SourceMap } = require('module');
  const path = require('path');
  const { Writable } = require('stream');
  const { pathToFileURL } = require('url');
  const util = require('util');
  const { promiseHooks } = require('v8');
  const { MessageChannel, Worker } = require('worker_threads');

  const FILE = '[stdin]'; // What the program's text is called in stacks.
  const SHOWN_BYTES = 16 * 1024 * 1024; // Of one value, in all its forms.
  const TEXT_BYTES = 1024 * 1024; // Of what one error says, and of its stack.

  // What is used of these stays what it is, whatever the program replaces.
  const { Atomics, Buffer, Error, Object, String, process } = globalThis;
  const { closeSync, fstatSync, openSync, writeSync } = fs;
  const { inspect } = util;
  const { parse, stringify } = JSON;
  const { then } = Promise.prototype;

  // Opened again, so that no child inherits them.
  const again = (number, flags) => openSync(`/proc/self/fd/${number}`, flags);
  const requests = again(3, 'r');
  const reports = again(4, 'w');
  const spares = [again(0, 'r'), again(1, 'w'), again(2, 'w')];
  for (const number of [3, 4, 5]) closeSync(number);

  // Cells shared with the reader of requests: how often the engine has read all that was written.
  const cells = new Int32Array(new SharedArrayBuffer(4));

  const session = new inspector.Session();
  session.connect();

  // What runs, or was the last to run. `phase` is 'user' while code of the program may be on the stack, 'ours' while its end
  // is told, and 'idle'; `cut` says what has ended it.
  let run = { number: 0, phase: 'idle' };
  // The output that was written to last.
  let latest = 0;
  // A message is being written, which no interrupt may cut in two; whether one has come meanwhile.
  let isHeld = false;
  let isInterrupted = false;

  const writeAll = (descriptor, bytes) => {
    for (let at = 0; at < bytes.length;) {
      try {
        at += writeSync(descriptor, bytes, at);
      } catch (error) {
        if (error.code !== 'EAGAIN') throw error; // A child has made the pipe one that does not wait.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
  };

  const tell = (kind, ...fields) => {
    const parts = [Buffer.from(kind)];
    for (const field of fields) {
      const bytes = Buffer.from(field);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      parts.push(length, bytes);
    }
    const body = Buffer.concat(parts);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(body.length);
    isHeld = true;
    writeAll(reports, Buffer.concat([length, body]));
    isHeld = false;
    if (isInterrupted) {
      isInterrupted = false;
      interrupt(run.number);
    }
  };

  // The two outputs are pipes of their own, so whoever writes to one after the other waits until the engine has read that,
  // and knows what came first.
  // Nothing of it waits: what an interrupt ends in the middle would leave it waiting for ever.
  class Output extends Writable {
    constructor(descriptor) {
      super();
      this.fd = descriptor;
      this._type = 'pipe';
      this._isStdio = true;
    }

    write(chunk, encoding, done) {
      const isText = typeof chunk === 'string';
      if (!isText && !ArrayBuffer.isView(chunk)) return super.write(chunk, encoding, done); // Which refuses it.
      if (run.phase === 'user' && latest !== this.fd) {
        if (latest !== 0) inOrder();
        latest = this.fd;
      }
      const bytes = isText
        ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8')
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      writeAll(this.fd, bytes);
      const then = typeof encoding === 'function' ? encoding : done;
      if (then) process.nextTick(then);
      return true;
    }

    // Whoever comes later writes, too.
    end(chunk, encoding, done) {
      if (typeof chunk !== 'function' && chunk !== undefined && chunk !== null) this.write(chunk, encoding);
      const then = [chunk, encoding, done].find((one) => typeof one === 'function');
      process.nextTick(() => {
        this.emit('finish');
        if (then) then();
      });
      return this;
    }

    destroy() {
      return this;
    }
  }

  const inOrder = () => {
    const before = Atomics.load(cells, 0);
    tell('S');
    while (Atomics.load(cells, 0) === before) Atomics.wait(cells, 0, before);
  };

  // At its end for every execution anew.
  let input = null;
  const openInput = () => {
    input = input || new fs.ReadStream(null, { fd: 0, autoClose: false });
    return input;
  };

  // What the program closed is open again.
  const openDescriptors = () => {
    for (const [number, spare] of spares.entries()) {
      try {
        fstatSync(number);
      } catch {
        again(spare, number === 0 ? 'r' : 'w'); // The lowest that is free, and so this one.
      }
    }
  };

  // Of texts that were translated: they are called by a number, and shown as the program wrote them.
  const maps = [];
  const MAPPED = /\[stdin-(\d+)\]:(\d+):(\d+)/g;
  const MAP = '\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,';
  const nameOf = (code) => {
    const at = code.lastIndexOf(MAP);
    if (at < 0) return FILE;
    const map = parse(Buffer.from(code.slice(at + MAP.length).trim(), 'base64').toString());
    return `[stdin-${maps.push(new SourceMap(map)) - 1}]`;
  };
  const asWritten = (text) => text.replace(MAPPED, (_, number, line, column) => {
    const { originalLine, originalColumn } = maps[number].findEntry(line - 1, column - 1);
    return originalLine === undefined ? `${FILE}:${line}:${column}` : `${FILE}:${originalLine + 1}:${originalColumn + 1}`;
  });

  // Stacks end where this text begins.
  const formatStack = (error, sites) => {
    const own = sites.findIndex((site) => {
      const file = site.getFileName();
      return file === 'node:inspector' || file === '[eval]';
    });
    const shown = own < 0 ? sites : sites.slice(0, own);
    const head = attempt(() => Error.prototype.toString.call(error), 'Error');
    return shown.reduce((stack, site) => `${stack}\n    at ${asWritten(String(site))}`, head);
  };

  const bounded = (text) => {
    const bytes = Buffer.from(String(text));
    if (bytes.length <= TEXT_BYTES) return bytes;
    const half = TEXT_BYTES / 2;
    const out = `\n[${bytes.length - 2 * half} bytes left out]\n`;
    return Buffer.concat([bytes.subarray(0, half), Buffer.from(out), bytes.subarray(-half)]);
  };

  const attempt = (work, otherwise) => {
    try {
      return work();
    } catch {
      return otherwise;
    }
  };

  // An error's name, what it says, and where it came from, in lines of the program's own texts and files.
  const describe = (error, place) => {
    if (!util.types.isNativeError(error) && !(error instanceof Error)) {
      const value = attempt(() => inspect(error), '');
      return ['Uncaught', value, `Uncaught ${value}\n`].map(bounded);
    }
    const name = attempt(() => String(error.name || error.constructor.name), 'Error');
    const value = attempt(() => String(error.message), '');
    const plain = `${name}: ${value}`;
    const stack = place ? plain : attempt(() => inspect(error), plain);
    const lines = stack.split('\n').filter((line) => !/^\s+at .*(node:|\[eval\])/.test(line));
    return [name, value, `${place}${lines.join('\n')}\n`].map(bounded);
  };

  // Where a text cannot be read, as Node.js shows it.
  const placeOf = (code, { lineNumber, columnNumber }) => {
    const line = code.split('\n')[lineNumber];
    if (line === undefined || line.length > 1000) return `${FILE}:${lineNumber + 1}\n`;
    return `${FILE}:${lineNumber + 1}\n${line}\n${' '.repeat(columnNumber)}^\n`;
  };

  const JUPYTER_DISPLAY = Symbol.for('Jupyter.display');

  // A value's media types and contents in turn, the smallest first.
  const forms = (value) => {
    const found = Object.create(null);
    const add = (kind, content) => {
      if (content === undefined || content === null) return;
      const isText = /^text\/|json$|javascript$|\+xml$/.test(kind);
      if (typeof content === 'string') found[kind] = Buffer.from(content, isText ? 'utf8' : 'base64');
      else if (content instanceof Uint8Array) found[kind] = Buffer.from(content);
      else found[kind] = Buffer.from(stringify(content));
    };
    const isObject = typeof value === 'object' && value !== null;
    if (isObject && attempt(() => typeof value[JUPYTER_DISPLAY] === 'function', false)) {
      const bundle = attempt(() => value[JUPYTER_DISPLAY](), {});
      for (const kind of Object.keys(Object(bundle))) attempt(() => add(kind, bundle[kind]));
    }
    if (!found['text/plain']) add('text/plain', attempt(() => inspect(value), String(typeof value)));
    if (!found['application/json'] && isJson(value)) {
      attempt(() => add('application/json', stringify(value)));
    }
    let room = SHOWN_BYTES;
    const smallestFirst = Object.entries(found).sort((a, b) => a[1].length - b[1].length);
    return smallestFirst.flatMap(([kind, content]) => {
      const fits = content.length <= room;
      if (fits) room -= content.length;
      return [kind, fits ? Buffer.concat([Buffer.from('1'), content]) : `0${content.length}`];
    });
  };

  // Whether JSON says what a value is: of what it does not know, it says `{}`.
  const isJson = (value) => {
    if (typeof value === 'number') return Number.isFinite(value);
    if (value === null || ['boolean', 'string'].includes(typeof value)) return true;
    if (typeof value !== 'object') return false;
    return attempt(() => {
      const prototype = Object.getPrototypeOf(value);
      const isPlain = prototype === Object.prototype || prototype === null || Array.isArray(value);
      return isPlain || typeof value.toJSON === 'function';
    }, false);
  };

  // --- evaluation

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

  // --- ends

  // Leads back to the event loop, from wherever the end became known.
  const { port1: ended, port2: back } = new MessageChannel();

  const end = (how) => {
    if (run.phase !== 'user' || run.cut) return;
    back.postMessage(run.number);
    run.cut = how;
  };

  // What was rejected meanwhile has been told by now.
  ended.on('message', (number) => {
    if (number !== run.number || run.phase !== 'user') return;
    const { before, cut, failure, value } = run;
    run.phase = 'ours';
    if (cut !== 'done') givenUp.push(latestPromise);
    for (const [name, old] of before) {
      if (old === undefined) delete process.env[name];
      else process.env[name] = old;
    }
    post('Runtime.releaseObjectGroup', { objectGroup: GROUP });
    post('Runtime.discardConsoleEntries');
    if (cut === 'interrupted') tell('E', 'KeyboardInterrupt', '', 'KeyboardInterrupt\n');
    else if (failure) tell('E', ...failure);
    else if (value && cut === 'done') tell('V', ...value);
    run.phase = 'idle';
    tell('D');
  });

  const stackNow = () => {
    const { stackTraceLimit, prepareStackTrace } = Error;
    Error.stackTraceLimit = Infinity;
    Error.prepareStackTrace = (_, sites) => sites.map((site) => site.getFunctionName());
    const { stack } = new Error();
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
    return stack;
  };

  // Node.js does not survive the termination of what it calls from there.
  const mayTerminate = (stack) => !stack.includes('processImmediate');

  // Called through the inspector, possibly on top of a program that is busy.
  const interrupt = (number) => {
    if (number !== run.number || run.phase !== 'user' || run.cut) return;
    if (isHeld) {
      isInterrupted = true;
      return;
    }
    const stack = stackNow();
    // Nothing but `stackNow`, this, and what the inspector evaluates.
    const isBusy = stack.length > 3;
    if (isBusy && !mayTerminate(stack)) return;
    end('interrupted');
    if (isBusy) post('Runtime.terminateExecution');
  };

  class Exit extends Error {}

  const { exit } = process;

  // The context is deleted: the process ends as any other, so that listeners of 'exit' run.
  const leave = () => {
    run.phase = 'idle';
    process.exit = exit;
    process.exit();
  };

  // The code ends there, as a process would: no `finally` runs. The context stays.
  process.exit = () => {
    end('exit');
    if (!mayTerminate(stackNow())) throw new Exit('process.exit() was called');
    post('Runtime.terminateExecution');
    for (;;);
  };

  const uncaught = (event, words) => (error) => {
    if (process.listenerCount(event) > 1 || error instanceof Exit) return;
    process.stderr.write(`${words}${describe(error, '')[2]}`);
  };
  process.on('uncaughtException', uncaught('uncaughtException', 'Uncaught '));
  process.on('unhandledRejection', uncaught('unhandledRejection', 'Uncaught (in promise) '));
  // Comes with every interrupt, for the children.
  process.on('SIGINT', () => {});

  // --- requests

  const reader = new Worker(`
    'use strict';
    const inspector = require('inspector');
    const net = require('net');
    const { parentPort, workerData: { requests, cells, handle } } = require('worker_threads');
    let number = 0;
    let arrived = [];
    let size = 0;
    const ask = (expression) => {
      const session = new inspector.Session();
      session.connectToMainThread();
      session.post('Runtime.evaluate', { expression }, () => session.disconnect());
    };
    const take = (body) => {
      const kind = String.fromCharCode(body[0]);
      if (kind === 'S') {
        Atomics.add(cells, 0, 1);
        Atomics.notify(cells, 0);
      } else if (kind === 'I') {
        ask(handle + '.interrupt(' + number + ')');
      } else if (kind === 'R') {
        const fields = [];
        for (let at = 1; at < body.length;) {
          const length = body.readUInt32LE(at);
          fields.push(body.toString('utf8', at + 4, at + 4 + length));
          at += 4 + length;
        }
        const [code, shows, ...variables] = fields;
        number += 1;
        parentPort.postMessage({ code, shows: shows !== '', variables, number });
      }
    };
    const socket = new net.Socket({ fd: requests, readable: true, writable: false });
    socket.on('data', (bytes) => {
      arrived.push(bytes);
      size += bytes.length;
      while (size >= 4) {
        if (arrived[0].length < 4) arrived = [Buffer.concat(arrived)];
        const length = arrived[0].readUInt32LE(0);
        if (size < 4 + length) return;
        const whole = Buffer.concat(arrived);
        take(whole.subarray(4, 4 + length));
        size -= 4 + length;
        arrived = [whole.subarray(4 + length)];
      }
    });
    // Nothing more is to be run. The engine gives the program a second; without an engine nothing else ends a busy one.
    socket.on('end', () => {
      parentPort.postMessage('end');
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 2000);
    });
    parentPort.postMessage('begun');`, {
    eval: true,
    env: {},
    execArgv: [],
    workerData: { requests, cells, handle: handleText },
  });
  reader.on('error', () => process.reallyExit(70));
  reader.on('message', (message) => {
    if (message === 'begun') tell('B');
    else if (message === 'end') leave();
    else begin(message);
  });

  // --- what the program finds

  for (const [number, name] of [[1, 'stdout'], [2, 'stderr']]) {
    Object.defineProperty(process, name, {
      value: new Output(number), configurable: true, enumerable: true, writable: true,
    });
  }
  Object.defineProperty(process, 'stdin', { get: openInput, configurable: true, enumerable: true });
  Object.defineProperty(Error, 'prepareStackTrace', { value: formatStack, configurable: true, writable: true });
  process.execArgv = [];
  delete process._eval;

  // What the engine puts in the place of `import`, which nothing resolves in texts for the inspector.
  const filename = path.join(process.cwd(), FILE);
  const $import = (specifier, options) => import(specifier, options);
  // As TypeScript has it: a module of CommonJS has all of its names.
  const { cache, resolve } = createRequire(filename);
  $import.interop = async (specifier, options) => {
    const module = await import(specifier, options);
    const file = attempt(() => resolve(specifier), '');
    const loaded = cache[file];
    const isCommon = loaded && loaded.exports === module.default;
    return isCommon ? babelHelpers.importStar(loaded.exports) : module;
  };
  $import.meta = { dirname: path.dirname(filename), filename, url: pathToFileURL(filename).href };
  Object.defineProperty(globalThis, '$import', { value: $import, configurable: true, writable: true });
}
