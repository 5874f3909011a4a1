// What the program finds in its global scope.

for (const [number, name] of [[1, 'stdout'], [2, 'stderr']]) {
  Object.defineProperty(process, name, {
    value: new Output(number), configurable: true, enumerable: true, writable: true,
  });
}
Object.defineProperty(process, 'stdin', { get: openInput, configurable: true, enumerable: true });
Object.defineProperty(Error, 'prepareStackTrace', { value: formatStack, configurable: true, writable: true });
process.execArgv = [];
delete process._eval;
attempt(watchChildren); // A future Node.js may have no bindings; then the outputs of children come when they come.

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
