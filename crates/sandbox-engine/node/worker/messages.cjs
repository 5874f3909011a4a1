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
//
// The files of this directory are one text, in one block: messages.cjs (this file, with all that is required), output.cjs,
// errors.cjs, values.cjs, evaluation.cjs, ends.cjs, requests.cjs, globals.cjs.

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
// The output that was written to last; 0 before any was, and `ANY` if children may have written since.
const ANY = -1;
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
