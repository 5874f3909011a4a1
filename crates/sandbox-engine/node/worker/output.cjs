// What the program writes and reads: its standard streams.

// The two outputs are pipes of their own, so whoever writes to one after the other waits until the engine has read that,
// and knows what came first.
// Nothing of it waits: what an interrupt ends in the middle would leave it waiting for ever.
class Output extends Writable {
  constructor(descriptor) {
    super();
    this.fd = descriptor;
    this._type = 'pipe';
    this._isStdio = true;
  }

  write(chunk, encoding, done) {
    const isText = typeof chunk === 'string';
    if (!isText && !ArrayBuffer.isView(chunk)) return super.write(chunk, encoding, done); // Which refuses it.
    if (run.phase === 'user' && latest !== this.fd) {
      if (latest !== 0) inOrder();
      latest = this.fd;
    }
    const bytes = isText
      ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8')
      : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    writeAll(this.fd, bytes);
    const then = typeof encoding === 'function' ? encoding : done;
    if (then) process.nextTick(then);
    return true;
  }

  // Whoever comes later writes, too.
  end(chunk, encoding, done) {
    if (typeof chunk !== 'function' && chunk !== undefined && chunk !== null) this.write(chunk, encoding);
    const then = [chunk, encoding, done].find((one) => typeof one === 'function');
    process.nextTick(() => {
      this.emit('finish');
      if (then) then();
    });
    return this;
  }

  destroy() {
    return this;
  }
}

const inOrder = () => {
  const before = Atomics.load(cells, 0);
  tell('S');
  while (Atomics.load(cells, 0) === before) Atomics.wait(cells, 0, before);
};

// A child has both outputs, and waits for nothing: what was written before it is read before it starts, and what it wrote
// is read before what is written next. The bindings are replaced and not the functions over them, which would be in the
// stacks of errors.
const childFollows = () => {
  if (run.phase === 'user' && latest !== 0) inOrder();
  latest = ANY;
};
const childEnded = () => { latest = ANY; };
const watchChildren = () => {
  const { spawn_sync: sync, process_wrap: { Process } } = bindings('spawn_sync', 'process_wrap');
  const { spawn: spawnSync } = sync;
  sync.spawn = function spawn(...parameters) {
    childFollows();
    try {
      return spawnSync.apply(this, parameters);
    } finally {
      childEnded();
    }
  };
  const { spawn } = Process.prototype;
  Process.prototype.spawn = function (...parameters) {
    childFollows();
    const { close } = this;
    this.close = function (...rest) {
      childEnded();
      return close.apply(this, rest);
    };
    return spawn.apply(this, parameters);
  };
};

// Those of Node.js's own modules, without the warning that each use of `process.binding` is.
const bindings = (...names) => {
  const { noDeprecation } = process;
  process.noDeprecation = true;
  const found = Object.fromEntries(names.map((name) => [name, process.binding(name)]));
  if (noDeprecation === undefined) delete process.noDeprecation;
  else process.noDeprecation = noDeprecation;
  return found;
};

// At its end for every execution anew.
let input = null;
const openInput = () => {
  input = input || new fs.ReadStream(null, { fd: 0, autoClose: false });
  return input;
};

// What the program closed is open again.
const openDescriptors = () => {
  for (const [number, spare] of spares.entries()) {
    try {
      fstatSync(number);
    } catch {
      again(spare, number === 0 ? 'r' : 'w'); // The lowest that is free, and so this one.
    }
  }
};
