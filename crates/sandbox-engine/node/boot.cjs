// Runs a program as `node FILE` runs a file in the working directory.
//
// Preloaded by `node --require`, with a placeholder as the main module. The process waits where Node.js is about to run that:
// `Module.runMain` is read, and its getter returns when it knows what to run. All that runs the program from there on is
// Node.js's own, so no frame of this text is in any of its stacks.
//
// What to run is read from descriptor 3, which may be long after the start: 64 bytes, `BYTES ARGUMENTS LETTERS NAME` padded
// with blanks, then arguments with a NUL after each, then the program's text. BYTES counts what follows the 64, ARGUMENTS
// those of the arguments among them. NAME is that of the program in the working directory. Letters:
//
//     c  a compiler has made the program one of CommonJS
//     f  the file is there: Node.js reads it, and the text is left out
//     h  the program is an ECMAScript module whose file could not be written: hooks of the loader have its text
//     k  the program may use `cluster`, which starts what `process.argv[1]` names
//     r  the text is no program but what a compiler reports of it
//     s  there is a source map
//     w  the writer waits for a byte when all is read, and closes its end when the program may start
'use strict';
const Module = require('module');
const { isMainThread } = require('worker_threads');

// What the program finds is what it would find without this; its threads load it, too.
process.execArgv = [];
delete require.cache[__filename];
delete Module._pathCache[`${__filename}\0`];

if (isMainThread) {
  const fs = require('fs');
  const path = require('path');

  const read = (size) => {
    const bytes = Buffer.alloc(size);
    for (let at = 0, count; at < size; at += count) {
      count = fs.readSync(3, bytes, at, size - at);
      if (count === 0) return null;
    }
    return bytes;
  };

  // `null` if the writer has closed its end.
  const receive = () => {
    const [bytes, size, letters, name] = read(64)?.toString('latin1').split(' ') ?? [];
    const content = bytes && read(Number(bytes));
    if (!content) return null;
    if (letters.includes('w')) {
      fs.writeSync(3, 'w');
      read(1);
    }
    fs.closeSync(3);
    return {
      letters,
      file: path.join(process.cwd(), name),
      arguments: content.toString('utf8', 0, Number(size)).split('\0').slice(0, -1),
      text: content.toString('utf8', Number(size)),
    };
  };

  // Has Node.js load a text as the file that it is not. What is replaced stands again before the program starts.
  const supply = (file, text) => {
    const replaced = [];
    const replace = (object, name, descriptor) => {
      const own = Object.getOwnPropertyDescriptor(object, name);
      replaced.push(() => Object.defineProperty(object, name, own));
      Object.defineProperty(object, name, { configurable: true, enumerable: own.enumerable, ...descriptor });
      return own.value;
    };
    Module._pathCache[`${file}\0`] = file;
    const realpathSync = replace(fs, 'realpathSync', {
      value: (given, ...rest) => (given === file ? file : realpathSync(given, ...rest)),
    });
    const readFileSync = replace(fs, 'readFileSync', {
      value: (given, ...rest) => (given === file ? text : readFileSync(given, ...rest)),
    });
    const compile = replace(Module.prototype, '_compile', {
      get() {
        for (const restore of replaced) restore();
        return compile;
      },
    });
  };

  // They run in a thread of their own, whose frames would be in the stacks of errors.
  const hook = (file, text) => {
    const { pathToFileURL } = require('url');
    const hooks = `
      Error.stackTraceLimit = 0;
      let program;
      export function initialize(data) { program = data; }
      export function resolve(specifier, context, next) {
        return specifier === program.url ? { url: specifier, shortCircuit: true } : next(specifier, context);
      }
      export function load(url, context, next) {
        return url === program.url ? { format: 'module', source: program.text, shortCircuit: true } : next(url, context);
      }`;
    const data = { url: pathToFileURL(file).href, text };
    Module.register(`data:text/javascript,${encodeURIComponent(hooks)}`, { data });
    Module._pathCache[`${file}\0`] = file;
    const { realpathSync } = fs;
    fs.realpathSync = (given, ...rest) => {
      fs.realpathSync = realpathSync;
      return given === file ? file : realpathSync(given, ...rest);
    };
  };

  // Node.js reports a package that is not there as a module. Adds a line for those who look for the package's name. The
  // report itself stays, and an error that the program handles has no such line.
  const explain = () => {
    const pattern = /^Cannot find module '((?:@[^/']+\/)?[^@./'#\\][^/']*)/;
    process.on('uncaughtExceptionMonitor', (error) => {
      const [from] = error?.requireStack ?? [];
      const [, name] = pattern.exec(error?.message) ?? [];
      if (!name || !from || error.code !== 'MODULE_NOT_FOUND') return;
      if (process.listenerCount('uncaughtException') || process.hasUncaughtExceptionCaptureCallback()) return;
      const places = Module._nodeModulePaths(path.dirname(from));
      if (places.some((place) => fs.existsSync(path.join(place, name)))) return;
      Reflect.set(error, 'help', `Cannot find package '${name}': install it with \`npm install ${name}\``);
    });
  };

  const { runMain } = Module;
  const nothing = () => {};
  const prepare = () => {
    const program = receive();
    if (!program) return nothing;
    const { letters, file, text } = program;
    // After the executable and the placeholder.
    process.argv.splice(1, 1, ...program.arguments);
    if (letters.includes('r')) {
      process.stderr.write(text);
      process.exitCode = 1;
      return nothing;
    }
    if (letters.includes('k')) {
      const { settings } = require('cluster');
      if (settings) Object.assign(settings, { exec: file, args: process.argv.slice(1) });
    }
    if (process.argv.length === 1) process.argv.push(file);
    if (letters.includes('s')) process.setSourceMapsEnabled(true);
    if (letters.includes('c')) explain();
    if (letters.includes('h')) hook(file, text);
    else if (!letters.includes('f')) supply(file, text);
    return runMain.bind(Module, file);
  };

  Object.defineProperty(Module, 'runMain', {
    configurable: true,
    enumerable: true,
    get() {
      Object.defineProperty(Module, 'runMain', { value: runMain, writable: true });
      return prepare();
    },
  });
}
