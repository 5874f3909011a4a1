// Runs a program as a file in the working directory would run, though there is none. Travels as the argument of `node -e`;
// the program is in descriptor 3: a letter that tells its kind, and its text.
'use strict';
{
  const fs = require('fs');
  const path = require('path');
  const Module = require('module');
  const { pathToFileURL } = require('url');

  const { size } = fs.fstatSync(3);
  const bytes = Buffer.alloc(size);
  fs.readSync(3, bytes, 0, size, 0);
  fs.closeSync(3);
  const kind = String.fromCharCode(bytes[0]);
  const code = bytes.toString('utf8', 1);
  // What it forks starts without this.
  process.execArgv = [];
  delete process._eval;

  // Decorators are compiled to calls of these.
  if (code.includes('babelHelpers.')) {
    const decorate = (decorators, target, ...rest) => {
      const [key, given] = rest;
      const own = given === null ? Object.getOwnPropertyDescriptor(target, key) : given;
      let result = rest.length === 0 ? target : own;
      for (const one of decorators.reverse()) {
        if (one) result = (rest.length === 0 ? one(result) : one(target, key, own)) || result;
      }
      if (rest.length > 0 && result) Object.defineProperty(target, key, result);
      return result;
    };
    Object.defineProperty(globalThis, 'babelHelpers', {
      value: {
        decorate,
        decorateParam: (index, decorator) => (target, key) => decorator(target, key, index),
        decorateMetadata: (key, value) => Reflect.metadata?.(key, value),
      },
    });
  }

  const file = path.join(process.cwd(), kind === 'm' ? '[program].mjs' : '[program].js');
  const run = {
    // A CommonJS module.
    c() {
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
    },
    // An ECMAScript module: found by hooks that know its text.
    m() {
      const url = pathToFileURL(file).href;
      const hooks = `
        let program;
        export function initialize(data) { program = data; }
        export function resolve(specifier, context, next) {
          return specifier === program.url
            ? { url: specifier, format: 'module', shortCircuit: true }
            : next(specifier, context);
        }
        export function load(url, context, next) {
          return url === program.url
            ? { format: 'module', source: program.code, shortCircuit: true }
            : next(url, context);
        }`;
      const hooksUrl = `data:text/javascript,${encodeURIComponent(hooks)}`;
      Module.register(hooksUrl, { data: { url, code } });
      // TypeScript is often written as if it were CommonJS.
      globalThis.require = Module.createRequire(url);
      import(url);
    },
    // What a compiler said of the program.
    r() {
      process.stderr.write(code);
      process.exitCode = 1;
    },
  };
  run[kind]();
}
