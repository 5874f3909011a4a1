"""Runs pieces of Python one after another in one namespace, as the engine gives them.

The engine starts `python -c STUB` with requests on descriptor 3, reports on 4, the artifact channel on 5, and on 6 a
memory file: this text and, from `charts_offset`, that of charts/. The stub executes this text in a namespace of its
own: `__main__` belongs to the program. What a program prints goes to descriptors 1 and 2 as it is, whoever writes it;
what is told of it goes by the descriptors of ours, which no child inherits, so that nothing printed is taken for it.

A message is a little-endian u32 length and so many bytes: a kind, one byte, and fields, each a length and bytes.

    to us   R  code, what of its value to show ('' or '1'), then names and values of variables in turn
            S  the engine has read all that was written
            F  name the files that were read since the start, by the text of files.py; none without a text
    by us   B  begun: the first message
            S  read all that was written, and say so
            V  the value of the last expression: media types and contents in turn; contents left out are too large
            E  an exception that nothing caught: its type, its text, the traceback
            D  done: all that was written is in the pipes
            F  the paths of files

When it can read no more requests, the interpreter ends as at the end of a program: open files are flushed, exit handlers run.

Works with Python 3.7 and newer. Imports only what the interpreter has loaded or built in, and what `from_library` finds:
a file of the program's own may have the name of anything else.
"""
import _ast
import _signal as signal
import _thread
import builtins
import codecs
import io
import os
import sys

FILE = '<string>'  # What the program's text is called in syntax errors.
SHOWN_BYTES = 16 * 1024 * 1024  # Of the value of one expression, in all its forms.
TEXT_BYTES = 1024 * 1024  # Of what one exception says, and of its traceback.
CELLS, CELLS_BYTES = 1024, 16 * 1024 * 1024  # Of the latest pieces, whose lines tracebacks and `inspect` can quote.
AWAIT = getattr(_ast, 'PyCF_ALLOW_TOP_LEVEL_AWAIT', 0)  # Of Python 3.8 and newer.
CO_COROUTINE = 0x80  # As `inspect` has it.


def message(kind, *fields):
    body = kind + b''.join(len(field).to_bytes(4, 'little') + field for field in fields)
    return len(body).to_bytes(4, 'little') + body


class Channel:
    """The two descriptors on which the engine and we talk."""

    def __init__(self, requests, reports):
        self.requests, self.reports, self.arrived = requests, reports, b''

    def tell(self, kind, *fields):
        rest = memoryview(message(kind, *fields))
        while rest:
            rest = rest[os.write(self.reports, rest):]

    def take(self, count):
        while len(self.arrived) < count:
            more = os.read(self.requests, max(65536, count - len(self.arrived)))
            if not more:
                raise EOFError
            self.arrived += more
        taken, self.arrived = self.arrived[:count], self.arrived[count:]
        return taken

    def receive(self):
        body = self.take(int.from_bytes(self.take(4), 'little'))
        fields, at = [], 1
        while at < len(body):
            length = int.from_bytes(body[at:at + 4], 'little')
            fields.append(body[at + 4:at + 4 + length])
            at += 4 + length
        return body[:1], fields

    def close(self):
        os.close(self.requests)
        os.close(self.reports)


class Output(io.TextIOWrapper):
    """`sys.stdout` or `sys.stderr`. The two are pipes of their own, so what is written to one of them waits until the
    engine has read the other one, and knows what came first. Children have both, and wait for nothing."""

    latest = None  # The stream that was written to last.
    is_shared = False  # Whether children may have written since.

    def __init__(self, number):
        raw = io.FileIO(number, 'w', closefd=False)
        super().__init__(io.BufferedWriter(raw), 'utf-8', 'sandbox.replace', None, True)
        self.mode = 'w'
        self._other = 3 - number

    def write(self, text):
        if interrupts.open and (Output.latest is not self or Output.is_shared):
            latest, Output.latest = Output.latest, self
            if latest is not None or Output.is_shared:
                in_order(latest, self._other)
        return super().write(text)


class Interrupts:
    """Lets SIGINT reach the program while it runs, and nothing of ours."""

    def __init__(self):
        self.open, self.arrived = False, False
        self.handler = signal.default_int_handler  # Also when the engine was told to ignore it.

    def note(self, *_):
        self.arrived = True

    def let_in(self):
        self.arrived = False
        self.open = True
        signal.signal(signal.SIGINT, self.handler)

    def keep_out(self):
        """The handler stays as the program left it. One may still be called here, for the last time."""
        while True:
            try:
                handler = signal.getsignal(signal.SIGINT)
                signal.signal(signal.SIGINT, self.note)
                if handler != self.note:
                    self.handler = handler
                self.open = False
                return
            except KeyboardInterrupt:
                pass


def in_order(latest, *outputs):
    """Has the engine read `outputs` after `latest` was flushed. Only the main thread may ask for that: the reply is read
    from the pipe that it reads requests from."""
    if os.getpid() != own_process:
        return
    try:
        if latest is not None:
            latest.flush()
    except (OSError, ValueError):
        return
    if _thread.get_ident() == main_thread and any(map(holds_bytes, outputs)):
        with_interrupts_later(synchronize)


def holds_bytes(output):
    """Whether the engine has not read all of a pipe."""
    try:
        return from_library('fcntl').ioctl(output, 0x541B, bytes(4)) != bytes(4)  # FIONREAD
    except ImportError:
        return True
    except OSError:
        return False  # The program has put something else in its place.


def child_follows():
    """Has the engine read all that was written: a child may write to either output."""
    if interrupts.open:
        Output.is_shared = True
        latest, Output.latest = Output.latest, None
        in_order(latest, 1, 2)


def watch_children():
    """An audit hook would see every child, and would make `id` eight times as slow."""
    os.register_at_fork(before=child_follows)
    for module, name in (
        (os, 'system'),
        (os, 'posix_spawn'),
        (os, 'posix_spawnp'),
        (from_library('_posixsubprocess'), 'fork_exec'),  # Of `subprocess` and `multiprocessing`.
        (sys.modules.get('subprocess'), '_fork_exec'),  # Where site-packages have imported it.
    ):
        start = getattr(module, name, None)
        if start is not None:
            setattr(module, name, after(child_follows, start))


def after(first, work):
    def both(*arguments, **options):
        first()
        return work(*arguments, **options)

    return from_library('functools').update_wrapper(both, work)


def synchronize():
    try:
        channel.tell(b'S')
        channel.receive()
    except (EOFError, OSError):
        pass  # The context is being deleted.


def with_interrupts_later(work):
    interrupts.keep_out()
    try:
        work()
    finally:
        arrived = interrupts.arrived
        interrupts.let_in()
    if arrived:
        os.kill(own_process, signal.SIGINT)


def replace(error):
    """Half a character becomes U+FFFD, as wherever text is not UTF-8."""
    return b'\xef\xbf\xbd' * (error.end - error.start), error.end


class Main(type(sys)):
    """`__main__` as `multiprocessing` looks at it, with no more names in it than a program expects there."""

    __spec__ = __loader__ = None

    @property
    def __file__(self):
        """There is none, except for `inspect.getfile`, which asks the module of a class for the text of that."""
        caller = sys._getframe(1)
        if caller.f_code.co_name == 'getfile' and caller.f_globals.get('__name__') == 'inspect':
            file = cells.file_of_class(caller.f_locals.get('object'))
            if file:
                return file
        raise AttributeError("module '__main__' has no attribute '__file__'")


class Cells:
    """The texts of the latest pieces. The code of each has a file name of its own, by which `linecache` finds its lines."""

    def __init__(self):
        self.number, self.sizes = 0, {}

    def add(self, source):
        self.number += 1
        name = '<cell %d>' % self.number
        lines = [line + '\n' for line in source.replace('\r\n', '\n').split('\n')]
        linecache.cache[name] = len(source), None, lines, name
        self.sizes[name] = len(source)
        while len(self.sizes) > CELLS or sum(self.sizes.values()) > CELLS_BYTES:
            oldest = next(iter(self.sizes))
            del self.sizes[oldest]
            linecache.cache.pop(oldest, None)
        return name

    def file_of_class(self, cls):
        for name, member in vars(cls).items():
            member = getattr(member, '__func__', getattr(member, 'fget', member))
            code = getattr(member, '__code__', None)
            is_own = getattr(member, '__qualname__', '') == '%s.%s' % (cls.__qualname__, name)
            if is_own and getattr(code, 'co_filename', None) in self.sizes:
                return code.co_filename
        begins = tuple('class ' + cls.__name__ + mark for mark in '(:[ ')
        for name in reversed(list(self.sizes)):
            if any(line.lstrip().startswith(begins) for line in linecache.getlines(name)):
                return name


class Loop:
    """Runs pieces that await at their top level, on one event loop for all of them."""

    def __init__(self):
        self.loop = None

    def run(self, coroutine):
        asyncio = from_library('asyncio')
        if self.loop is None or self.loop.is_closed():
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        # A task has a copy of the context, so what it sets there is put back for the next piece.
        context = from_library('contextvars').copy_context()
        options = {'context': context} if sys.version_info >= (3, 11) else {}
        task = self.loop.create_task(coroutine, **options)
        try:
            return self.loop.run_until_complete(task)
        except BaseException:
            if task.done():
                task.cancelled() or task.exception()  # Somebody has looked at it.
            else:
                self.cancel([task])  # An interrupt ends the loop, not the task.
            raise
        finally:
            for variable, value in context.items() if options else ():
                variable.set(value)

    def idle(self, descriptor):
        """Runs what pieces have left on the loop, until something can be read."""
        if self.loop is None or self.loop.is_closed():
            return
        arrived = self.loop.create_future()
        try:
            self.loop.add_reader(descriptor, lambda: arrived.done() or arrived.set_result(None))
            signal.signal(signal.SIGINT, interrupts.handler)
            self.loop.run_until_complete(arrived)
        except BaseException:
            pass  # Of a task, which runs for no piece.
        finally:
            interrupts.keep_out()
            if not self.loop.is_closed():
                self.loop.remove_reader(descriptor)

    def cancel(self, tasks):
        for task in tasks:
            task.cancel()
        for task in tasks:
            try:
                self.loop.run_until_complete(task)
            except from_library('asyncio').CancelledError:
                pass

    def close(self):
        if self.loop is None or self.loop.is_closed():
            return
        try:
            self.cancel(list(from_library('asyncio').all_tasks(self.loop)))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()
        except BaseException as error:
            sys.stderr.write(describe(error)[2].decode('utf-8', 'replace'))


class PyplotFinder:
    """Leaves the search for `matplotlib.pyplot` to charts/, and every other one to the finders after this."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == 'matplotlib.pyplot':
            try:
                if 'find_spec' not in charts:
                    exec(compile(charts_source, '<sandbox>', 'exec'), charts)
                return charts['find_spec'](name, path, target)
            except Exception:
                return None  # The finders after this have something to say on it.


def from_library(name):
    """Imports a module, but none of the program's own by this name."""
    path, sys.path = sys.path, [folder for folder in sys.path if folder]
    try:
        return __import__(name)
    finally:
        sys.path = path


def flushed_by_c():
    """What flushes the output of C code, which has buffers of its own. Not its input, which another thread may wait for."""
    try:
        ctypes = from_library('ctypes')
        library = ctypes.CDLL(None)
        files = [ctypes.c_void_p.in_dll(library, name) for name in ('stdout', 'stderr')]
        return lambda: [library.fflush(file) for file in files]
    except Exception:
        return lambda: None


def open_streams():
    """What the program closed is open again; what it put in its place stays."""
    for number, spare in enumerate(spares):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(spare, number)
    for number, name in ((1, 'stdout'), (2, 'stderr')):
        stream = getattr(sys, name, None)
        if stream is None or getattr(stream, 'closed', False):
            stream = Output(number)
            setattr(sys, name, stream)
            setattr(sys, '__%s__' % name, stream)
    stdin = getattr(sys, 'stdin', None)
    if stdin is None or getattr(stdin, 'closed', False):
        sys.stdin = open(0, closefd=False)


def flush_streams():
    """Everything that was written gets into the pipes. Streams of the program's own may fail at that."""
    for name in 'stdout', 'stderr', '__stdout__', '__stderr__':
        try:
            getattr(sys, name).flush()
        except Exception:
            pass
    flush_c()


def run(source, shows):
    """Runs a text; the value of its last expression is told if that is asked for."""
    namespace.pop('__warningregistry__', None)  # A warning that an earlier piece has given is given again.
    name = cells.add(source)
    if not shows:
        return evaluate(compile(source, name, 'exec', AWAIT, True))
    tree = compile(source, name, 'exec', AWAIT | _ast.PyCF_ONLY_AST, True)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], _ast.Expr) else None
    evaluate(compile(tree, name, 'exec', AWAIT, True))
    if last is not None:
        value = evaluate(compile(_ast.Expression(last.value), name, 'eval', AWAIT, True))
        if value is not None:
            builtins._ = value
            tell_whole(b'V', *forms(value))


def evaluate(code):
    value = eval(code, namespace)
    return loop.run(value) if code.co_flags & CO_COROUTINE else value


def tell_whole(kind, *fields):
    """An interrupt in the middle of a message would take all that follows it along; it comes afterwards."""
    with_interrupts_later(lambda: channel.tell(kind, *fields))


METHODS = [
    ('_repr_html_', 'text/html'), ('_repr_markdown_', 'text/markdown'), ('_repr_svg_', 'image/svg+xml'),
    ('_repr_png_', 'image/png'), ('_repr_jpeg_', 'image/jpeg'), ('_repr_latex_', 'text/latex'),
    ('_repr_json_', 'application/json'), ('_repr_javascript_', 'application/javascript'),
]


def forms(value):
    """A value's media types and contents in turn, by the methods that notebooks ask. What fails is left out."""
    found = {}

    def add(kind, content):
        if isinstance(content, tuple):  # With metadata, which nobody asked for.
            content = content[0]
        if content is None:
            return
        if not isinstance(content, (str, bytes)):
            import json
            content = json.dumps(content, allow_nan=False)
        found[kind] = content if isinstance(content, bytes) else content.encode('utf-8', 'replace')

    def attempt(work):
        try:
            work()
        except Exception:
            pass

    def bundle():
        content = value._repr_mimebundle_(include=None, exclude=None)
        content = content[0] if isinstance(content, tuple) else content
        for kind, part in content.items():
            attempt(lambda: add(str(kind), part))

    # A class has the methods of its instances, and an object that makes up attributes has all of them.
    own = not isinstance(value, type) and not hasattr(value, '_sandbox_has_no_such_name_')
    if own and hasattr(value, '_repr_mimebundle_'):
        attempt(bundle)
    for name, kind in METHODS if own else []:
        if kind not in found and hasattr(value, name):
            attempt(lambda: add(kind, getattr(value, name)()))
    if 'text/plain' not in found:
        add('text/plain', repr(value))
    fields, room = [], SHOWN_BYTES
    for kind in sorted(found, key=lambda kind: len(found[kind])):
        content = found[kind]
        fits = len(content) <= room
        room -= len(content) if fits else 0
        fields += [kind.encode('utf-8', 'replace'), b'1' + content if fits else b'0' + str(len(content)).encode()]
    return fields


def told(text):
    """A text that is bounded: what is too much is left out of the middle, and counted."""
    text = text.encode('utf-8', 'replace')
    if len(text) > TEXT_BYTES:
        half = TEXT_BYTES // 2
        text = text[:half] + b'\n[%d bytes left out]\n' % (len(text) - 2 * half) + text[-half:]
    return text


def describe(error):
    """Its type, its text, and the traceback with the lines of the program's own text."""
    name = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename in cells.sizes:
        error.filename = FILE
    try:
        value = str(error)
    except Exception:
        value = ''
    lines, step = [], error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if file in cells.sizes:
            text = linecache.getline(file, step.tb_lineno).strip()
            lines.append('  File "<stdin>", line %d\n' % step.tb_lineno + ('    %s\n' % text if text else ''))
        step = step.tb_next
    if lines:
        lines.insert(0, 'Traceback (most recent call last):\n')
    return [told(name), told(value), told('%s%s: %s\n' % (''.join(lines), name, value))]


def guarded(source, shows):
    """Runs a text, and returns what is to be told of an exception, if there was one."""
    try:
        try:
            interrupts.let_in()
            run(source, shows)
        finally:
            interrupts.keep_out()
    except SystemExit as error:
        interrupts.keep_out()
        if os.getpid() != own_process:  # A forked child that did not mean to come back.
            flush_streams()
            os._exit(error.code if isinstance(error.code, int) else 0 if error.code is None else 1)
    except BaseException as error:
        interrupts.keep_out()
        return describe(error)


def execute(source, shows, variables):
    names, values = variables[::2], variables[1::2]
    before = [(name, os.environb.get(name)) for name in names]
    open_streams()
    Output.latest, Output.is_shared = None, False
    os.environb.update(zip(names, values))
    error = guarded(source, shows)
    if os.getpid() != own_process:
        if error:
            os.write(2, error[2])
        flush_streams()
        os._exit(1 if error else 0)
    for name, value in before:
        if value is None:
            os.environb.pop(name, None)
        else:
            os.environb[name] = value
    flush_streams()
    if error:
        channel.tell(b'E', *error)
    channel.tell(b'D')


def files(source=None):
    """Where the worker is a spare: the files that made it what it is."""
    if source is None:
        return []
    names = {}
    exec(compile(source, '<sandbox>', 'exec'), names)
    paths = [os.fsencode(path) for path in names['files_of_interest']()]
    names.clear()
    return paths


def serve():
    channel.tell(b'B')
    while True:
        if not channel.arrived:
            loop.idle(channel.requests)
        try:
            kind, fields = channel.receive()
        except EOFError:
            return loop.close()
        if kind == b'F':
            channel.tell(b'F', *files(*fields))
        if kind == b'R':
            execute(fields[0].decode('utf-8'), bool(fields[1]), fields[2:])


own_process = os.getpid()
# Out of the way of the program's own descriptors. Like all that Python opens, no child inherits them.
top = min(os.sysconf('SC_OPEN_MAX'), 1024) - 1
artifacts = os.dup2(5, top, False)
channel = Channel(os.dup2(3, top - 1, False), os.dup2(4, top - 2, False))
spares = [os.dup2(number, top - 3 - number, False) for number in range(3)]
charts = dict(__name__='_sandbox_charts', FINDER=PyplotFinder, CHANNEL=artifacts, CHANNEL_IDENTITY=os.fstat(artifacts))
charts_source = os.pread(6, os.fstat(6).st_size, charts_offset)
os.closerange(3, 7)
os.register_at_fork(after_in_child=channel.close)

main_thread = _thread.get_ident()
codecs.register_error('sandbox.replace', replace)
sys.stdout = sys.__stdout__ = Output(1)
sys.stderr = sys.__stderr__ = Output(2)
sys.argv[:] = ['']
getattr(sys, 'orig_argv', [])[1:] = []
sys.meta_path.insert(0, PyplotFinder)
flush_c = flushed_by_c()
linecache = from_library('linecache')
cells, loop = Cells(), Loop()
interrupts = Interrupts()
interrupts.keep_out()
watch_children()

sys.modules['__main__'].__class__ = Main
namespace = sys.modules['__main__'].__dict__
namespace.clear()
namespace.update(__name__='__main__', __doc__=None, __package__=None, __builtins__=builtins)
serve()
