// A value in all its forms.

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
