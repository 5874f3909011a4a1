"""Runs the user's program in `__main__` as `python3 -u main.py` runs it.

The engine starts `python -u -c STUB MAIN_FILE ARGV...` with the artifact channel as descriptor 3 and a memory file as
descriptor 4: this text and, from `charts_offset`, that of charts/. The stub executes this text in a namespace of its
own: `__main__` belongs to the program. What stays different from a plain run: `sys.argv[0]` is `-` and `sys.path[0]` is
the empty string, both as in `python3 -`; `__file__` is still there in `atexit` functions; two frames of ours lie below
the program's first, which tracebacks of uncaught exceptions do not show but `sys._getframe` does.

This text is compiled before every program, at some 5 microseconds a line: it is short, and imports only what the
interpreter has loaded already.
"""
import os
import sys

from _frozen_importlib_external import SourceFileLoader

leave, unfreeze = map(globals().get, ('leave', 'unfreeze'))  # A fork server that has frozen its objects passes leave.py's.
charts = {'__name__': '_sandbox_charts'}  # The namespace of charts/, which is executed when it is first needed.


class PyplotFinder:
    """Leaves the search for `matplotlib.pyplot` to charts/, and every other one to the finders after this."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == 'gc' and unfreeze:
            unfreeze()  # Who looks for them finds all objects.
        if name == 'matplotlib.pyplot':
            try:
                if 'find_spec' not in charts:
                    exec(compile(charts_source, '<sandbox>', 'exec'), charts)
                return charts['find_spec'](name, path, target)
            except Exception:
                return None  # The finders after this have something to say on it.


def report_without_ours(error):
    """Leaves it to the interpreter to report an error and to choose the exit status, but without frames of ours."""
    hook, traceback = getattr(sys, 'excepthook', sys.__excepthook__), error.__traceback__.tb_next
    if 'without_ours' in charts:
        traceback = charts['without_ours'](traceback)

    def excepthook(kind, value, _):
        sys.excepthook = hook
        sys.last_traceback = value.__traceback__ = traceback
        return hook(kind, value, traceback)

    sys.excepthook = excepthook


# The channel goes out of the way of the program's own descriptors. Like all that Python opens, no child inherits it.
channel = os.dup2(3, min(os.sysconf('SC_OPEN_MAX'), 1024) - 1, False)
charts.update(FINDER=PyplotFinder, CHANNEL=channel, CHANNEL_IDENTITY=os.fstat(channel))
charts_source = os.pread(4, os.fstat(4).st_size, charts_offset)
os.closerange(3, 5)

path = sys.argv[1]
sys.argv[:2] = ['-']
getattr(sys, 'orig_argv', [])[2:4] = []

# What does not compile is told in its very words by a plain run, which gets no further either. Warnings are held back
# until it is known who gives them.
loader, stderr, warned = SourceFileLoader('__main__', path), sys.stderr, []
sys.stderr = type(sys.implementation)(write=warned.append)
try:
    code = loader.source_to_code(loader.get_data(path), path)
except Exception:
    os.execv(sys.executable, [sys.executable, '-u', path] + sys.argv[1:])
finally:
    sys.stderr = stderr
stderr.writelines(warned)

main = sys.modules['__main__']
main.__file__ = path
main.__cached__ = None
main.__loader__ = loader
del main  # A reference would change the order in which the interpreter takes the program's objects down.
sys.meta_path.insert(0, PyplotFinder)
has_ended = False
try:
    exec(code, sys.modules['__main__'].__dict__)
    has_ended = True
except SystemExit:
    raise
except BaseException as error:
    report_without_ours(error)
    raise
finally:
    # The interpreter flushes them after a file, in case that the program has put something else in their place.
    for name in 'stderr', 'stdout':
        try:
            getattr(sys, name).flush()
        except BaseException:
            pass
    if leave:
        leave(code, has_ended)
