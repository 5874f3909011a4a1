// Errors as the program's author is to see them.

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
