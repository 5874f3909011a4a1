// Has `require` find TypeScript files beside a program, whose translations are in `texts` by path. `found` has what requests
// lead to, each with the directory that it comes from.
//
// It stands in the program's own text, so that a thread and a process of the same file have it, too. All that loads these
// files is Node.js's own: no frame of this is in any stack.
((require, texts, found) => {
  const Module = require('module');
  const fs = require('fs');
  for (const [request, directory, file] of found) Module._pathCache[`${request}\0${directory}`] = file;
  // What Node.js reads next is such a file. What is replaced stands again when it is read.
  let supply;
  const replace = () => {
    const { readFileSync } = fs;
    if (readFileSync === supply) return;
    supply = (file, ...rest) => {
      fs.readFileSync = readFileSync;
      return Object.hasOwn(texts, file) ? texts[file] : readFileSync(file, ...rest);
    };
    fs.readFileSync = supply;
  };
  for (const extension of ['.ts', '.cts']) {
    Object.defineProperty(Module._extensions, extension, {
      configurable: true,
      get() {
        replace();
        return Module._extensions['.js'];
      },
      set(value) {
        Object.defineProperty(Module._extensions, extension, { value, configurable: true, enumerable: true, writable: true });
      },
    });
  }
})
