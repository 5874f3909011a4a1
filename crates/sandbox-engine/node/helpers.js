// What programs in TypeScript are translated to calls of. Lines that begin with two slashes are left out, and the others
// are put into one.
{
// A module of CommonJS as `import a from` sees it, `import * as a from`, and `export * from`.
  importDefault: (module) => (module && module.__esModule ? module : { default: module }),
  importStar(module) {
    if (module && module.__esModule) return module;
    const result = {};
    if (module != null) {
      for (const key of Object.getOwnPropertyNames(module)) if (key !== 'default') this.bind(result, module, key);
    }
    return Object.defineProperty(result, 'default', { enumerable: true, value: module });
  },
  exportStar(module, exports) {
    for (const key in module) if (key !== 'default' && !Object.hasOwn(exports, key)) this.bind(exports, module, key);
  },
  bind(object, module, key) {
    let own = Object.getOwnPropertyDescriptor(module, key);
    if (!own || ('get' in own ? !module.__esModule : own.writable || own.configurable)) {
      own = { enumerable: true, get: () => module[key] };
    }
    Object.defineProperty(object, key, own);
  },
// Decorators as `experimentalDecorators` has them.
  decorate(decorators, target, ...rest) {
    const [key, given] = rest;
    const own = given === null ? Object.getOwnPropertyDescriptor(target, key) : given;
    let result = rest.length === 0 ? target : own;
    for (const one of decorators.reverse()) {
      if (one) result = (rest.length === 0 ? one(result) : rest.length > 1 ? one(target, key, result) : one(target, key)) || result;
    }
    if (rest.length > 1 && result) Object.defineProperty(target, key, result);
    return result;
  },
  decorateParam: (index, decorator) => (target, key) => decorator(target, key, index),
  decorateMetadata: (key, value) => {
    if (typeof Reflect.metadata === 'function') return Reflect.metadata(key, value);
  },
// Decorators as ECMAScript has them.
  esDecorate(target, descriptor, decorators, context, initializers, extraInitializers) {
    const { access, kind, name } = context;
    const check = (value) => {
      if (value !== undefined && typeof value !== 'function') throw new TypeError('Function expected');
      return value;
    };
    const word = { getter: 'get', setter: 'set' }[kind] || 'value';
    const holder = !descriptor && target ? (context.static ? target : target.prototype) : null;
    const own = descriptor || (holder ? Object.getOwnPropertyDescriptor(holder, name) : {});
    let isDone = false;
    for (const decorator of decorators.reverse()) {
      const given = { ...context };
      if (access) given.access = { ...access };
      given.addInitializer = (initializer) => {
        if (isDone) throw new TypeError('Cannot add initializers after decoration has completed');
        extraInitializers.push(check(initializer || null));
      };
      const value = kind === 'accessor' ? { get: own.get, set: own.set } : own[word];
      const result = decorator(value, given);
      if (kind === 'accessor') {
        if (result === undefined) continue;
        if (result === null || typeof result !== 'object') throw new TypeError('Object expected');
        if (check(result.get)) own.get = result.get;
        if (check(result.set)) own.set = result.set;
        if (check(result.init)) initializers.unshift(result.init);
      } else if (check(result)) {
        if (kind === 'field') initializers.unshift(result);
        else own[word] = result;
      }
    }
    if (holder) Object.defineProperty(holder, name, own);
    isDone = true;
  },
  runInitializers(self, initializers, ...given) {
    let [value] = given;
    for (const initializer of initializers) {
      const result = given.length > 0 ? initializer.call(self, value) : initializer.call(self);
      if (given.length > 0) value = result;
    }
    return value;
  },
  propKey: (key) => (typeof key === 'symbol' ? key : `${key}`),
  setName(value, name) {
    const shown = typeof name === 'symbol' ? (name.description ? `[${name.description}]` : '') : name;
    return Object.defineProperty(value, 'name', { configurable: true, value: shown });
  },
// Resources of `using`: `u` and `a` add one, `e` is what was thrown, and `d` disposes of them all.
  usingCtx() {
    const none = {};
    const stack = [];
    const add = (isAsync, value) => {
      if (value === null || value === undefined) {
        if (isAsync) stack.push({ isAsync });
        return value;
      }
      if (typeof value !== 'object' && typeof value !== 'function') throw new TypeError('Object expected.');
      let dispose = isAsync ? value[Symbol.asyncDispose] : undefined;
      if (dispose === undefined) {
        const inner = value[Symbol.dispose];
        dispose = inner;
        if (isAsync && typeof inner === 'function') {
          dispose = function () {
            try {
              inner.call(this);
            } catch (error) {
              return Promise.reject(error);
            }
          };
        }
      }
      if (typeof dispose !== 'function') throw new TypeError('Object not disposable.');
      stack.push({ value, dispose, isAsync });
      return value;
    };
    const suppressed = (error, before) => {
      if (typeof SuppressedError === 'function') {
        return new SuppressedError(error, before, 'An error was suppressed during disposal.');
      }
      const both = new Error('An error was suppressed during disposal.');
      return Object.assign(both, { name: 'SuppressedError', error, suppressed: before });
    };
    return {
      e: none,
      u: add.bind(null, false),
      a: add.bind(null, true),
      d() {
        let error = this.e;
        let mustWait = false;
        const fail = (other) => {
          error = error === none ? other : suppressed(other, error);
        };
        const next = () => {
          for (let one; (one = stack.pop()); ) {
            try {
              if (!one.isAsync && mustWait) {
                mustWait = false;
                stack.push(one);
                return Promise.resolve().then(next);
              }
              const result = one.dispose && one.dispose.call(one.value);
              if (one.isAsync && one.dispose) {
                mustWait = false;
                return Promise.resolve(result).then(next, (other) => {
                  fail(other);
                  return next();
                });
              }
              if (one.isAsync) mustWait = true;
            } catch (other) {
              fail(other);
            }
          }
          if (mustWait) return error === none ? Promise.resolve() : Promise.reject(error);
          if (error !== none) throw error;
        };
        return next();
      },
    };
  },
}
