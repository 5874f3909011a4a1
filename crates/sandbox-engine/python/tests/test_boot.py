"""Every program here behaves under boot.py as in a plain run: same output on either stream, same exit status."""
import os
import re
import sys
import unittest

from harness import Workplace, show

PROGRAMS = {
    'nothing': '',
    'output on both streams': 'import sys; print("out"); print("err", file=sys.stderr); sys.stdout.write("no newline")',
    'the namespace': '''
        import sys
        print(sorted(globals()))
        print({name: repr(value).split(" at 0x")[0] for name, value in globals().items() if name != "sys"})
        main = sys.modules["__main__"]
        print(__import__("__main__") is main, vars(main) is globals(), main.__file__ == __file__, locals() is globals())
        ''',
    'a doc string and annotations': '"""Doc."""\nx: int = 1\nprint(__doc__, __annotations__)',
    'no stray modules': 'import sys; print([m for m in sys.modules if "sandbox" in m or m in ("fcntl", "threading")])',
    'stdin': 'import sys; print(repr(sys.stdin.read()))\ninput()',
    'future statement': 'from __future__ import annotations\ndef f(x: nothing): pass\nprint(f.__annotations__)',
    'no future statement of ours': 'print(hex(compile("", "", "exec").co_flags))',

    # Errors.
    'an exception': 'print("before")\nraise ValueError("boom")',
    'an exception some frames down': '''
        def f(n):
            if n == 0:
                return g()
            return f(n - 1)
        def g():
            return {}["k"]
        f(5)
        ''',
    'a chain of exceptions': '''
        def f():
            1 / 0
        def g():
            try:
                f()
            except ZeroDivisionError as error:
                raise KeyError("k") from error
        try:
            g()
        except KeyError:
            [][1]
        ''',
    'an exception without a message': 'raise Exception',
    'a BaseException': 'class Stop(BaseException): pass\nraise Stop("now")',
    'an exception that cannot be shown': 'class E(Exception):\n  def __str__(self): raise RuntimeError\nraise E',
    'an exception from a library': 'import json\njson.loads("{")',
    'an exception while importing': 'open("bad.py", "w").write("def f():\\n  1/0\\nf()")\nimport sys; sys.path.insert(0, "")\nimport bad',
    'a syntax error while importing': 'open("bad.py", "w").write("x = = 1")\nimport sys; sys.path.insert(0, "")\nimport bad',
    'a module that is not there': 'import surely_not_there',
    'an exception group': 'raise ExceptionGroup("g", [ValueError(1), ExceptionGroup("h", [TypeError("t")])])',
    'notes': 'e = ValueError("v")\ne.add_note("first")\ne.add_note("second\\nline")\nraise e',
    'notes by hand': 'e = ValueError("v")\ne.__notes__ = ["note"]\nraise e',
    'out of memory': 'x = "x" * (1 << 62)',
    'code from a string': 'exec(compile("def f():\\n  1/0\\nf()", "<made>", "exec"))',
    'assertion': 'assert 1 == 2, "no"',
    'a suggestion': 'value = 1\nprint(valeu)',
    'a traceback by hand': '''
        import traceback
        def f():
            1 / 0
        try:
            f()
        except ZeroDivisionError:
            traceback.print_exc()
        ''',
    'what is left of the last error': '''
        import atexit, sys, traceback
        @atexit.register
        def _():
            print(sys.last_type, sys.last_value, getattr(sys, "last_exc", None))
            traceback.print_tb(sys.last_traceback, file=sys.stdout)
            traceback.print_exception(sys.last_type, sys.last_value, sys.last_value.__traceback__, file=sys.stdout)
        def f(): raise LookupError("l")
        f()
        ''',
    'an excepthook': '''
        import sys, traceback
        def hook(kind, value, trace):
            print("hook", kind, value, sys.excepthook is hook, value.__traceback__ is trace)
            traceback.print_tb(trace)
        sys.excepthook = hook
        def f(): raise LookupError("l")
        f()
        ''',
    'an excepthook that exits': 'import sys\nsys.excepthook = lambda *a: sys.exit(7)\n1/0',
    'the default excepthook': '''
        import atexit, sys
        def is_default(): print(sys.excepthook is sys.__excepthook__)
        is_default()
        atexit.register(is_default)
        1/0
        ''',
    'traceback limit': 'import sys\nsys.tracebacklimit = 1\ndef f(n): return f(n-1) if n else 1/0\nf(5)',

    # Ways out.
    'exit': 'import sys; sys.exit()',
    'exit None': 'import sys; sys.exit(None)',
    'exit 0': 'exit(0)',
    'exit 3': 'import sys; sys.exit(3)',
    'exit 256 + 7': 'import sys; sys.exit(263)',
    'exit -1': 'import sys; sys.exit(-1)',
    'exit with a huge number': 'import sys; sys.exit(1 << 70)',
    'exit True': 'import sys; sys.exit(True)',
    'exit with a text': 'import sys; sys.exit("some text")',
    'exit with an object': 'import sys; sys.exit({"a": [1]})',
    'exit with a float': 'import sys; sys.exit(2.5)',
    'exit with a tuple': 'raise SystemExit(1, 2)',
    'exit with a subclass': 'class Quit(SystemExit): code = 9\nraise Quit',
    'exit with what cannot be printed': 'import sys\nclass C:\n  def __str__(self): raise ValueError\nsys.exit(C())',
    'exit from a function in a try': 'import sys\ntry:\n  sys.exit(4)\nfinally:\n  print("finally")',
    'quit': 'quit()',
    'os._exit': 'import os; print("x", end=""); os._exit(5)',
    'abort': 'import os; os.abort()',
    'killed': 'import os, signal; print("x"); os.kill(os.getpid(), signal.SIGKILL)',
    'terminated': 'import os, signal; os.kill(os.getpid(), signal.SIGTERM)',
    'interrupted': '''
        import atexit, os, signal
        atexit.register(print, "at exit")
        def f(): os.kill(os.getpid(), signal.SIGINT); print("not reached")
        f()
        ''',
    'KeyboardInterrupt raised': 'import atexit\natexit.register(print, "at exit")\nprint("x", end="")\nraise KeyboardInterrupt("t")',
    'a subclass of KeyboardInterrupt': 'class K(KeyboardInterrupt): pass\nraise K',
    'KeyboardInterrupt with an excepthook': 'import sys\nsys.excepthook = lambda *a: print(a[0])\nraise KeyboardInterrupt',
    'GeneratorExit': 'raise GeneratorExit',
    'replaced by another program': 'import os, sys; os.execv(sys.executable, [sys.executable, "-c", "print(6 * 7)"])',

    # The end.
    'atexit': 'import atexit\natexit.register(print, 1)\natexit.register(print, 2)\nprint(0)',
    'exit at exit': 'import atexit, sys\natexit.register(sys.exit, 6)',
    'an exception at exit': 'import atexit\natexit.register(lambda: 1/0)',
    'atexit after an exception': 'import atexit\natexit.register(print, "last")\n1/0',
    'an exception in a thread': '''
        import threading
        def f(): 1/0
        t = threading.Thread(target=f, name="T")
        t.start(); t.join(); print("on")
        ''',
    'a thread that goes on': '''
        import threading, time
        def f(): time.sleep(0.1); print("thread", __name__)
        threading.Thread(target=f).start()
        print("main is done")
        ''',
    'a thread that goes on after an exception': '''
        import threading, time
        def f(): time.sleep(0.2); print("thread")
        threading.Thread(target=f).start()
        1/0
        ''',
    'a daemon thread': 'import threading, time\nthreading.Thread(target=time.sleep, args=(30,), daemon=True).start()\nprint("x")',
    'objects and their end': '''
        import atexit, sys
        class C:
            def __init__(self, n): self.n = n
            def __del__(self): print("del", self.n, C is None, sys is None)
        a = C("a"); b = C("b")
        def f(c=C("default")): return a
        atexit.register(print, "at exit")
        def g():
            local = C("local")
            raise SystemExit(3)
        g()
        ''',
    'objects and their end after an error': '''
        import atexit
        class C:
            def __init__(self, n): self.n = n
            def __del__(self): print("del", self.n)
        a = C("a")
        atexit.register(print, "at exit")
        def g():
            local = C("local")
            raise LookupError
        g()
        ''',
    'objects in cycles': '''
        class C:
            def __del__(self): print("del")
        c = C(); c.me = c
        def f(): return c
        ''',
    'an exception in __del__': 'class C:\n  def __del__(self): 1/0\nC()\nprint("on")',
    'another stdout, not flushed': '''
        import io, os, sys, atexit
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "wb", closefd=False)), encoding="latin-1")
        atexit.register(os.write, 1, b"at exit\\n")
        print("\\xe9t\\xe9")
        ''',
    'another stdout, not flushed, and an error': 'import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.detach())\nprint("x")\n1/0',
    'a stdout that cannot be flushed': 'import sys\nclass S:\n  def write(self, t): pass\n  def flush(self): raise ValueError("no")\nsys.stdout = S()\nprint(1)',
    'stdout closed': 'import sys\nsys.stdout.close()',
    'stdout None': 'import sys\nsys.stdout = None\nprint(1)',
    'stderr None': 'import sys\nsys.stderr = None\n1/0',
    'descriptors closed': 'import os\nprint("x")\nos.closerange(1, 65536)',
    'a broken print': 'import builtins\nbuiltins.print = None\nprint(1)',

    # Sources.
    'a syntax error': 'def',
    'a syntax error after a warning': 'x = "\\\\d"\ny = = 1',
    'a warning from the compiler': 'x = "\\\\d"\nprint(x is 1)',
    'an indentation error': 'if 1:\nx = 1',
    'a tab error': 'if 1:\n\tx = 1\n        y = 2',
    'an open parenthesis': 'x = 1\nprint(1',
    'an open string': 'x = """abc\nfoo',
    'return outside a function': 'return 1',
    'an unknown future': 'from __future__ import nope',
    'nested too deeply': '(' * 300 + ')' * 300 if sys.version_info >= (3, 9) else '(',
    'a backslash at the end': 'x = 1\\',
    'latin-1': b'# -*- coding: latin-1 -*-\nx = "\xe9"\nprint(ascii(x))\nraise ValueError(x)',
    'latin-1 that does not say so': b'x = 1\nprint("\xe9")',
    'an unknown coding': b'# coding: nope\nprint(1)',
    'a coding that does not fit': b'# coding: ascii\nx = "\xc3\xa9"',
    'utf-8': 'x = "\u00e9\u4e2d\U0001f600"\nprint(x)\nraise ValueError(x)'.encode(),
    'a byte order mark': b'\xef\xbb\xbfprint(1)\n1/0',
    'a byte order mark and a coding': b'\xef\xbb\xbf# coding: latin-1\nprint(1)',
    'carriage returns': b'x = """a\r\nb"""\r\nprint(repr(x))\r\nif x:\r\n\tprint(1)\r\n1/0\r\n',
    'only carriage returns': b'x = 1\rprint(x)\r1/0\r',
    'form feeds': b'x = 1\n\x0c\nprint(x)\n\x0c1/0',
    'a zero byte': b'print(1)\n\x00print(2)\n',
    'a zero byte in a string': b'print("a\x00b")\n',
    'no newline at the end': 'if 1:\n  print(1)',
    'a comment only': '# import matplotlib',
    'a large source': '\n'.join('x%d = %d' % (n, n) for n in range(20000)) + '\nprint(x19999)\n1/0',

    # Libraries that look at __main__.
    'getsource': '''
        import inspect
        class C:
            def method(self): return 1  # the source
        def f(): pass
        print(inspect.getsource(C), inspect.getsource(f), inspect.getfile(C) == __file__, inspect.getmodule(f).__name__)
        ''',
    'pickle': '''
        import copy, pickle
        class C:
            def __init__(self, x): self.x = x
        print(pickle.loads(pickle.dumps(C(3))).x, C.__module__, copy.deepcopy(C(4)).x)
        ''',
    'dataclasses and types': '''
        import collections, dataclasses, enum, typing
        @dataclasses.dataclass
        class D:
            x: int
            y: "typing.List[int]" = dataclasses.field(default_factory=list)
        T = collections.namedtuple("T", "a b")
        class E(enum.Enum): A = 1
        print(D(1), T(1, 2).__module__, E.A, typing.get_type_hints(D))
        ''',
    'multiprocessing, spawn': '''
        import multiprocessing
        class C:
            def __init__(self, x): self.x = x
        def f(c): return C(c.x * 2)
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print([c.x for c in pool.map(f, [C(1), C(2)])])
        ''',
    'multiprocessing, forkserver': '''
        import multiprocessing
        def f(x): return x + 1
        if __name__ == "__main__":
            with multiprocessing.get_context("forkserver").Pool(1) as pool:
                print(pool.map(f, [1, 2]))
        ''',
    'multiprocessing, fork': '''
        import multiprocessing, os
        def f(x): return x * x
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:
                print(pool.map(f, range(5)))
        ''',
    'a process pool that fails': '''
        import concurrent.futures, multiprocessing
        def f(x): return 1 / x
        if __name__ == "__main__":
            with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                try:
                    pool.submit(f, 0).result()
                except ZeroDivisionError as error:
                    print(error)
        ''',
    'fork': 'import os\nif os.fork() == 0:\n  print("child"); os._exit(0)\nos.wait(); print("parent")',
    'fork and an error in the child': 'import os\npid = os.fork()\nif pid == 0: 1/0\nprint(os.waitpid(pid, 0)[1])',
    'subprocess': 'import subprocess, sys\nprint(subprocess.check_output([sys.executable, "-c", "print(1)"]))',
    'unittest': '''
        import os, unittest
        class T(unittest.TestCase):
            def test(self): self.assertEqual(1, 1)
        quiet = lambda **_: unittest.TextTestRunner(open(os.devnull, "w"))
        print(unittest.main(argv=["x"], exit=False, testRunner=quiet).result)
        ''',
    'doctest': 'import doctest\ndef f():\n  """\n  >>> f()\n  1\n  """\n  return 1\nprint(doctest.testmod())',
    'asyncio': 'import asyncio\nasync def f():\n  await asyncio.sleep(0)\n  print(1)\n  1/0\nasyncio.run(f())',
    'asyncio and an interrupt': 'import asyncio\nasync def f(): raise KeyboardInterrupt\nasyncio.run(f())',
    'logging': 'import logging\nlogging.basicConfig(format="%(filename)s:%(lineno)d %(funcName)s %(message)s")\nlogging.warning("w")',
    'warnings': 'import warnings\nfor i in range(3): warnings.warn("w")\nwarnings.warn("d", DeprecationWarning)',
    'importlib': '''
        import importlib, importlib.util
        importlib.invalidate_caches()
        print(importlib.util.find_spec("json.nothing"), importlib.import_module("json").__name__)
        ''',
    'reload of __main__': '''
        import importlib, sys
        try:
            importlib.reload(sys.modules["__main__"])
        except Exception as error:
            print(type(error), error)
        ''',
    'runpy': 'import runpy\nprint(sorted(runpy.run_path(__file__, run_name="again")) if __name__ == "__main__" else 0)',
    'a trace function': '''
        import sys
        def trace(frame, event, arg): print(event, frame.f_code.co_name)
        def f(): pass
        sys.settrace(trace)
        f()
        sys.settrace(None)
        ''',
    'a signal handler': '''
        import os, signal
        signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
        os.kill(os.getpid(), signal.SIGUSR1)
        ''',
    'the default signals': 'import signal\nprint([str(signal.getsignal(n)).split(" at ")[0] for n in (1, 2, 13, 15, 25)])',
}


class AsAPlainRun(unittest.TestCase):
    maxDiff = None


def case(program):
    def test(self):
        with Workplace(program) as workplace:
            plain, boot = workplace.plain(), workplace.boot()
        self.assertEqual(without_addresses(boot.stdout), without_addresses(plain.stdout))
        self.assertEqual(without_addresses(boot.stderr), without_addresses(plain.stderr))
        self.assertEqual(boot.status, plain.status)
        self.assertEqual(boot.charts, [])
    return test


def without_addresses(text):
    return re.sub('0x[0-9a-f]{9,}', '0x...', text)


for name, program in PROGRAMS.items():
    test = case(program)
    test.__name__ = 'test ' + name
    setattr(AsAPlainRun, test.__name__, test)


class Differences(unittest.TestCase):
    """What is not as in a plain run, and what a plain run cannot show."""

    def test_arguments(self):
        outcome = show('import sys; print(sys.argv, repr(sys.path[0]))', ['a b', '$HOME', '*', "it's", ''])
        self.assertEqual(outcome.stdout, '''['-', 'a b', '$HOME', '*', "it's", ''] ''\n''')

    def test_original_arguments_start_the_program_again(self):
        outcome = show('''
            import os, sys
            if sys.argv[1] == 'a' and hasattr(sys, 'orig_argv'):
                sys.orig_argv[-1] = 'b'
                os.execv(sys.executable, sys.orig_argv)
            print(sys.argv[1:])
            ''', ['a'])
        self.assertEqual(outcome.stdout, "['b']\n" if sys.version_info >= (3, 10) else "['a']\n", outcome.stderr)

    def test_the_work_directory_comes_first_on_the_path(self):
        with Workplace('import mine; print(mine.x)') as workplace:
            with open(os.path.join(workplace.cwd, 'mine.py'), 'w') as file:
                file.write('x = 5')
            self.assertEqual(workplace.boot().stdout, '5\n')

    def test_the_depth_of_recursion(self):
        program = 'def f(n): return f(n + 1)\nf(0)'
        with Workplace(program) as workplace:
            plain, boot = workplace.plain(), workplace.boot()
        self.assertEqual(boot.status, plain.status)
        repeated = '[Previous line repeated %d more times]'
        at_most = [line for line in plain.stderr.splitlines() if 'Previous line' in line]
        if at_most:  # Two frames of ours leave room for so many fewer.
            times = int(''.join(filter(str.isdigit, at_most[0])))
            self.assertIn(boot.stderr, [plain.stderr.replace(repeated % times, repeated % (times - less))
                                        for less in range(5)])

    def test_an_excepthook_that_fails(self):
        program = 'import sys\ndef hook(*a): [][1]\nsys.excepthook = hook\n1/0'
        with Workplace(program) as workplace:
            plain, boot = workplace.plain(), workplace.boot()
        lines = [line for line in boot.stderr.splitlines() if '<sandbox>' not in line]
        self.assertEqual(lines, plain.stderr.splitlines())
        self.assertEqual(boot.status, plain.status)

    def test_no_excepthook(self):
        program = 'import sys\ndel sys.excepthook\n1/0'
        with Workplace(program) as workplace:
            plain, boot = workplace.plain(), workplace.boot()
        self.assertEqual(boot.stderr, plain.stderr.replace('sys.excepthook is missing\n', ''))
        self.assertEqual(boot.status, plain.status)

    def test_an_interrupt_from_outside(self):
        program = 'import time\nprint("ready")\ntime.sleep(30)'
        with Workplace(program) as workplace:
            plain, boot = (run(interrupt=b'ready') for run in (workplace.plain, workplace.boot))
        self.assertEqual((boot.stdout, boot.stderr, boot.status), (plain.stdout, plain.stderr, plain.status))
        self.assertIn('KeyboardInterrupt', boot.stderr)

    def test_no_descriptor_is_inherited(self):
        outcome = show('''
            import os, subprocess
            print(subprocess.check_output(['ls', '/proc/self/fd'], close_fds=False).split())
            print(os.open('/dev/null', 0))
            ''')
        self.assertEqual(outcome.stdout, "[b'0', b'1', b'2', b'3']\n3\n")

    def test_few_descriptors(self):
        with Workplace('print(1)') as workplace:
            import resource
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
            try:
                self.assertEqual(workplace.boot().stdout, '1\n')
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_buffering_is_off(self):
        outcome = show('import os\nprint("x", end="")\nos._exit(0)')
        self.assertEqual(outcome.stdout, 'x')

    def test_pythons_own_warnings_come_once(self):
        outcome = show('import sys\nx = 1\nprint(x is 1)', env={'PYTHONWARNINGS': 'always'})
        self.assertEqual(outcome.stderr.count('SyntaxWarning'), 1 if sys.version_info >= (3, 8) else 0)

    def test_warnings_as_errors(self):
        with Workplace('x = 1\nprint(x is 1)') as workplace:
            plain, boot = (run(env={'PYTHONWARNINGS': 'error'}) for run in (workplace.plain, workplace.boot))
        self.assertEqual((boot.stdout, boot.stderr, boot.status), (plain.stdout, plain.stderr, plain.status))

    def test_other_modes_of_the_interpreter(self):
        program = '"""Doc."""\nassert 0\nimport sys\nprint(__doc__, sys.flags)\nopen("/dev/null")\n1/0'
        for env in ({'PYTHONOPTIMIZE': '2'}, {'PYTHONDEVMODE': '1', 'PYTHONOPTIMIZE': '1'}):
            with Workplace(program) as workplace:
                plain, boot = workplace.plain(env=env), workplace.boot(env=env)
            self.assertEqual((boot.stdout, boot.stderr, boot.status), (plain.stdout, plain.stderr, plain.status))


if __name__ == '__main__':
    unittest.main()
