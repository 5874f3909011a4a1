"""Starts a program as the engine does, and as a plain run does, and tells what came of it.

The interpreter under test is the one that runs the tests. With nothing but the standard library the tests of charts are
skipped; with matplotlib all but those of pandas and seaborn run.
"""
import atexit
import fcntl
import importlib.util
import json
import os
import shutil
import signal
import struct
import sys
import tempfile
import textwrap
import threading
import unittest

PYTHON = sys.executable
SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The parts of the chart extractor, in the order in which the engine puts them together.
CHARTS = ('hook', 'channel', 'figure', 'axes', 'kinds', 'axis', 'numbers')
SECONDS = 600  # On a busy machine; one program makes all charts of a suite.



def needs(name):
    return unittest.skipIf(importlib.util.find_spec(name) is None, name + ' is not installed: charts are not tested')


needs_matplotlib = needs('matplotlib')


class Outcome:
    """What a program wrote, how it ended (as os.waitpid tells it), and the charts that it showed."""

    def __init__(self, status, stdout, stderr, channel):
        self.status = status
        self.code = status >> 8 if os.WIFEXITED(status) else -os.WTERMSIG(status)
        self.stdout = stdout.decode('utf-8', 'replace')
        self.stderr = stderr.decode('utf-8', 'replace')
        self.charts = []
        while channel:
            length, = struct.unpack_from('<I', channel)
            record, channel = channel[4:4 + length], channel[4 + length:]
            assert len(record) == length, 'a record is cut'
            self.charts.append(json.loads(record.decode('utf-8'), parse_constant=not_json))

    @property
    def chart(self):
        """The only chart."""
        assert len(self.charts) == 1, '%d charts; stderr: %s' % (len(self.charts), self.stderr)
        return self.charts[0]


def not_json(constant):
    raise AssertionError(constant + ' is not JSON')


class Workplace:
    """A directory with a program as the engine lays it out, and one to run it in. To be used with `with`."""

    def __init__(self, program):
        self.program = program if isinstance(program, bytes) else textwrap.dedent(program).encode()

    def __enter__(self):
        self.root = tempfile.mkdtemp()
        self.main = os.path.join(self.root, 'private', 'main.py')
        self.cwd = os.path.join(self.root, 'work')
        os.mkdir(os.path.dirname(self.main))
        os.mkdir(self.cwd)
        with open(self.main, 'wb') as file:
            file.write(self.program)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)

    def boot(self, argv=(), **options):
        """Runs the program as the engine does."""
        boot = read(os.path.join(SOURCES, 'boot.py'))
        charts = b''.join(read(os.path.join(SOURCES, 'charts', name + '.py')) for name in CHARTS)
        stub = (
            "exec(compile(__import__('os').pread(4,%d,0),'<sandbox>','exec'),"
            "{'__name__':'_sandbox_boot','charts_offset':%d})" % (len(boot), len(boot)))
        support = sealed(boot + charts)
        try:
            return run([PYTHON, '-u', '-c', stub, self.main] + list(argv), self.cwd, support=support, **options)
        finally:
            os.close(support)

    def plain(self, argv=(), **options):
        return run([PYTHON, '-u', self.main] + list(argv), self.cwd, **options)


def show(program, argv=(), **options):
    """The outcome of a program as the engine runs it."""
    with Workplace(program) as workplace:
        return workplace.boot(argv, **options)


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def sealed(content):
    """A descriptor of a memory file that nobody can change."""
    if not hasattr(os, 'memfd_create'):  # Before Python 3.8: a file without a name.
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            return os.open('/proc/self/fd/%d' % file.fileno(), os.O_RDONLY)
    descriptor = os.memfd_create('test', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(descriptor, content)
    fcntl.fcntl(descriptor, 1033, 0xf)  # F_ADD_SEALS: SEAL, SHRINK, GROW, WRITE; Python names them from 3.9 on.
    return descriptor


def run(argv, cwd, support=None, env=None, interrupt=None):
    """Runs a command. With `support` its descriptors 3 and 4 are as boot.py wants them. Sends SIGINT soon after
    the bytes `interrupt` came from stdout."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ('MPLBACKEND', 'DISPLAY', 'WAYLAND_DISPLAY')}
    environment.update({'PYTHONDONTWRITEBYTECODE': '1', 'MPLCONFIGDIR': CONFIG}, **(env or {}))
    pipes = [os.pipe() for _ in range(3)]
    source = os.open(os.devnull, os.O_RDONLY)
    pid = os.fork()
    if pid == 0:
        try:
            # As the engine starts it: a shell that runs this suite in the background has it ignore interrupts.
            for number in (signal.SIGINT, signal.SIGQUIT):
                signal.signal(number, signal.SIG_DFL)
            inherited = [source, pipes[0][1], pipes[1][1]] + ([pipes[2][1], support] if support is not None else [])
            far = [os.dup2(descriptor, 100 + number) for number, descriptor in enumerate(inherited)]
            for number, descriptor in enumerate(far):
                os.dup2(descriptor, number)
            os.closerange(len(far), 1024)
            os.chdir(cwd)
            os.execve(argv[0], argv, environment)
        finally:
            os._exit(127)
    os.close(source)
    for _, write_end in pipes:
        os.close(write_end)
    outputs = [[], [], []]

    def collect(descriptor, chunks):
        waited_for = interrupt if chunks is outputs[0] else None
        with open(descriptor, 'rb', buffering=0) as file:
            for chunk in iter(lambda: file.read(65536), b''):
                chunks.append(chunk)
                if waited_for and waited_for in b''.join(chunks):
                    waited_for = None
                    threading.Timer(0.3, os.kill, (pid, signal.SIGINT)).start()

    readers = [threading.Thread(target=collect, args=(pipe[0], chunks)) for pipe, chunks in zip(pipes, outputs)]
    for reader in readers:
        reader.start()
    limit = threading.Timer(SECONDS, os.kill, (pid, signal.SIGKILL))
    limit.start()
    status = os.waitpid(pid, 0)[1]
    limit.cancel()
    for reader in readers:
        reader.join()
    return Outcome(status, *(b''.join(chunks) for chunks in outputs))


CONFIG = tempfile.mkdtemp()  # The settings and the font cache of matplotlib, for all programs.
atexit.register(shutil.rmtree, CONFIG, ignore_errors=True)
if importlib.util.find_spec('matplotlib'):
    with Workplace('import matplotlib.pyplot') as workplace:
        workplace.plain()  # Makes the font cache, of which it may tell on stderr.
