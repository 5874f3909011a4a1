// Runs a program as a file in the working directory would run, though there is none. Travels as the argument of `node -e`,
// which calls it and says what the program is; `decorate` defines what decorators are compiled to calls of.
//
// What to run is read from descriptor 3, which may be long after the start: 64 bytes, `BYTES ARGUMENTS LETTERS` with blanks
// behind, then arguments with a NUL behind each, then the program's text. BYTES counts what follows the 64, ARGUMENTS those
// of the arguments among them. Letters: `m` there is a source map, `d` there are decorators, `r` the text is no program but
// what a compiler says of it, `w` whoever wrote it waits for a byte when it is here, and closes his end when it may begin.
(function begin(isModule, decorate) {
  'use strict';
  const fs = require('fs');
  const path = require('path');
  const Module = require('module');
  const { pathToFileURL } = require('url');

  // What it forks starts without this.
  process.execArgv = [];
  delete process._eval;

  const file = path.join(process.cwd(), isModule ? '[program].mjs' : '[program].js');
  const url = pathToFileURL(file).href;
  let told;
  if (isModule) {
    const { port1, port2: port } = new MessageChannel();
    told = port1;
    // Found by hooks, which have its text when it is here.
    const hooks = `
      import { receiveMessageOnPort } from 'node:worker_threads';
      let program, source;
      export function initialize(data) { program = data; }
      export function resolve(specifier, context, next) {
        return specifier === program.url
          ? { url: specifier, format: 'module', shortCircuit: true }
          : next(specifier, context);
      }
      export function load(url, context, next) {
        if (url !== program.url) return next(url, context);
        source ??= receiveMessageOnPort(program.port).message;
        return { format: 'module', source, shortCircuit: true };
      }`;
    const hooksUrl = `data:text/javascript,${encodeURIComponent(hooks)}`;
    Module.register(hooksUrl, { data: { url, port }, transferList: [port] });
  }

  const read = (size) => {
    const bytes = Buffer.alloc(size);
    for (let at = 0, count; at < size; at += count) {
      count = fs.readSync(3, bytes, at, size - at);
      if (count === 0) return null;
    }
    return bytes;
  };
  const [bytes, argumentBytes, letters] = read(64)?.toString('latin1').split(' ') ?? [];
  const given = bytes && read(Number(bytes));
  // Whoever was to write it has gone.
  if (!given) return;
  if (letters.includes('w')) {
    fs.writeSync(3, 'w');
    read(1);
  }
  fs.closeSync(3);
  const text = Number(argumentBytes);
  process.argv.push(...given.toString('utf8', 0, text).split('\0').slice(0, -1));
  const code = given.toString('utf8', text);

  if (letters.includes('r')) {
    process.stderr.write(code);
    process.exitCode = 1;
    return;
  }
  if (letters.includes('m')) process.setSourceMapsEnabled(true);
  if (letters.includes('d')) decorate();
  if (isModule) {
    told.postMessage(code);
    // TypeScript is often written as if it were CommonJS.
    globalThis.require = Module.createRequire(url);
    import(url);
    return;
  }
  const main = new Module('.', null);
  main.filename = file;
  main.paths = Module._nodeModulePaths(process.cwd());
  process.mainModule = main;
  delete globalThis.module;
  delete globalThis.exports;
  delete globalThis.require;
  delete globalThis.__filename;
  delete globalThis.__dirname;
  main._compile(code, file);
  main.loaded = true;
})
