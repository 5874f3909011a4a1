// Decorators of TypeScript are compiled to calls of these.
Object.defineProperty(globalThis, 'babelHelpers', {
  configurable: true,
  value: {
    decorate(decorators, target, ...rest) {
      const [key, given] = rest;
      const own = given === null ? Object.getOwnPropertyDescriptor(target, key) : given;
      let result = rest.length === 0 ? target : own;
      for (const one of decorators.reverse()) {
        if (one) result = (rest.length === 0 ? one(result) : one(target, key, own)) || result;
      }
      if (rest.length > 0 && result) Object.defineProperty(target, key, result);
      return result;
    },
    decorateParam: (index, decorator) => (target, key) => decorator(target, key, index),
    decorateMetadata: (key, value) => Reflect.metadata?.(key, value),
  },
});
