"""Forks one process per program, each as `python -u -c STUB MAIN_FILE ARGV...` would have begun it.

The engine starts `python -u -c STUB MODULE...` with a socket as descriptor 3 and a memory file as descriptor 4: the text
of boot.py up to `boot_length`, that of leave.py up to `leave_end`, then files.py and this one. The stub executes this text in a namespace of its own. It serves until the
socket is closed. In a forked process it comes to its end instead, and leaves in `program` what the stub executes next:
boot.py, at the same depth of the stack and with the same descriptors as in a process that was just started.

A message is fields with NULs between them, the first a number that the answer repeats: `W PID` reaps, `R CWD FILE ARG...`
forks, with the descriptors 0 to 4 of the program and, after them, the gate that it waits at.
"""
import os
import sys


def stop(word):
    control.send(b'0\0' + word)
    os._exit(0)


def signature(path):
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_ctime_ns, found.st_ino, found.st_dev


def signatures():
    return [signature(path) for path in watched]


def is_foreign(name):
    """Whether start-up ran code of somebody who may do something else every time."""
    module = sys.modules.get(name)
    file = getattr(module, '__file__', None)
    return module is not None and (not file or os.path.dirname(file) != os.path.dirname(os.__file__))


def shadows():
    """Whether the working directory has something that a program would import in place of what is loaded already."""
    return bool(loaded) and any(name == 'matplotlibrc' or name.partition('.')[0] in loaded for name in os.listdir('.'))


def reap(pid):
    """Returns how a process ended, its microseconds in programs and in the kernel, and the KiB of its largest memory."""
    if resource:
        _, status, usage = os.wait4(pid, 0)
        used = b' %d %d %d' % (round(usage.ru_utime * 1e6), round(usage.ru_stime * 1e6), usage.ru_maxrss)
    else:
        status, used = os.waitpid(pid, 0)[1], b''
    if os.WIFSIGNALED(status):
        return b'signal %d %d' % (os.WTERMSIG(status), os.WCOREDUMP(status)) + used
    return b'exit %d 0' % os.WEXITSTATUS(status) + used


# The working directory is not where modules of ours come from.
has_first = sys.path[:1] == ['']
del sys.path[:has_first]
before, missing = set(sys.modules), None
try:
    for name in sys.argv[1:]:
        __import__(name)
except ImportError:
    missing = True
loaded = {name.partition('.')[0] for name in set(sys.modules) - before}
own, finders = {'_socket', 'gc', 'resource'} - set(sys.modules), set(sys.path_importer_cache)
import _socket
import gc
try:
    import resource  # Which `wait4` would import when the first program is reaped.
except ImportError:
    own.discard('resource')
    resource = None
control = _socket.socket(fileno=3)
if missing:
    stop(b'missing')
if is_foreign('sitecustomize') or is_foreign('usercustomize'):
    stop(b'customized')
# Of libraries that keep threads, OpenBLAS for one ends them before a fork and starts them when they are next needed.
pid = os.fork()
if not pid:
    os._exit(0)
os.waitpid(pid, 0)
if len(os.listdir('/proc/self/task')) != 1:
    stop(b'threads')
watched = files_of_interest()
seen = signatures()
boot = compile(os.pread(4, boot_length, 0), '<sandbox>', 'exec')
leaving = {name: sys.modules[name] for name in ('_io', '_thread', '_weakref', 'gc', 'posix', 'sys')}
leaving.update(__name__='_sandbox_leave', main=id(sys.modules['__main__'].__dict__), standard=(sys.stdout, sys.stderr))
leaving['earlier'] = frozenset(sys.modules) - own
exec(compile(os.pread(4, leave_end - boot_length, boot_length), '<sandbox>', 'exec'), leaving)
if has_first:
    sys.path.insert(0, '')
gc.collect()  # What is frozen is no garbage then.
# A library that is preloaded may do something at the end of the process.
is_frozen = hasattr(gc, 'freeze') and not (os.environ.get('LD_PRELOAD') or os.path.exists('/etc/ld.so.preload'))
if is_frozen:
    gc.freeze()
control.send(b'0\0ready')

while True:
    data, ancillary, _, _ = control.recvmsg(1 << 17, _socket.CMSG_SPACE(6 * 4))
    if not data:
        os._exit(0)
    number, kind, *fields = data.split(b'\0')
    if kind == b'W':
        control.send(number + b'\0' + reap(int(fields[0])))
        continue
    fds = [int.from_bytes(part[at:at + 4], sys.byteorder) for _, _, part in ancillary for at in range(0, len(part), 4)]
    try:
        os.chdir(fields[0])
        answer = b'stale' if signatures() != seen else b'cold' if len(fds) != 6 or shadows() else b''
        pid = -1 if answer else os.fork()
    except OSError:
        answer = b'cold'
    if not answer and pid == 0:
        break
    for fd in fds:
        os.close(fd)
    control.send(number + b'\0' + (answer or b'%d' % pid))
    os.chdir('/')  # To keep no directory from being unmounted.

os.setpgid(0, 0)
control.detach()
for number in range(5):  # All of `fds` are above: descriptors 3 and 4 were taken.
    os.dup2(fds[number], number)
if not os.read(fds[5], 1):
    os._exit(0)
for fd in fds:
    os.close(fd)
for name in own:
    del sys.modules[name]
for path in set(sys.path_importer_cache) - finders:
    del sys.path_importer_cache[path]
for finder in sys.path_importer_cache.values():
    # Two changes of a directory within a tick of the clock have the same time.
    getattr(finder, 'invalidate_caches', int)()
threading = sys.modules.get('threading')
if threading:  # It sees to the rest by itself.
    getattr(threading.main_thread(), '_set_native_id', int)()
random = sys.modules.get('numpy.random')  # The standard library's has seen to itself.
if hasattr(random, 'set_bit_generator'):
    random.set_bit_generator(random.MT19937())
elif random:
    random.seed()
sys.argv[:] = ['-c', *map(os.fsdecode, fields[1:])]
getattr(sys, 'orig_argv', [])[2:] = ['-c', ''] + sys.argv[1:]
program = boot, {'__name__': '_sandbox_boot', 'charts_offset': boot_length}
if is_frozen:
    program[1].update(leave=leaving['leave'], unfreeze=gc.unfreeze)
