"""Which programs may end without the objects that their server had imported."""
import gc
import os
import unittest

from harness import PYTHON, SOURCES, Workplace, read, run

# A server's part of it: `json` stands for what was imported, and its decoder for a class of that.
SERVER = '''
import gc, json, posix, sys
names = {name: sys.modules[name] for name in ('_io', '_thread', '_weakref', 'gc', 'posix', 'sys')}
names.update(__name__='_sandbox_leave', main=id(globals()), standard=(sys.stdout, sys.stderr), earlier=frozenset(sys.modules))
exec(compile(open(sys.argv[1]).read(), '<sandbox>', 'exec'), names)
code = compile(open(sys.argv[2]).read(), 'main.py', 'exec')
gc.collect()
gc.freeze()
has_ended = False
try:
    exec(code)
    has_ended = True
except Exception:
    pass
names['leave'](code, has_ended)
print('ends by itself', gc.get_freeze_count(), file=sys.__stdout__)
'''


def run_in_server(program):
    with Workplace(program) as workplace:
        leave = os.path.join(SOURCES, 'leave.py')
        return run([PYTHON, '-c', SERVER, leave, workplace.main], workplace.cwd)


def is_spared(program):
    outcome = run_in_server(program)
    return {'': True, 'ends by itself 0\n': False}[outcome.stdout]


@unittest.skipUnless(hasattr(gc, 'freeze'), 'nothing is frozen before Python 3.7')
class Leave(unittest.TestCase):
    def test_what_ends_unseen_is_spared(self):
        for program in [
            '',
            'def f(): return [f]\nf.me = f',
            'class A: pass\na = A(); a.me = a; json.JSONDecoder.left = a',
            'import io\nleft = io.BytesIO(b"a"), io.StringIO("a")',
            'left = open("/dev/null", "rb")',
            'open("/dev/null").read()',
            'import re, random, collections, datetime, decimal, statistics, csv, dataclasses, typing, pathlib',
            'from abc import ABC\nclass A(ABC): pass\nisinstance(1, A)',
            'import weakref\nclass A: pass\na = A(); left = weakref.ref(a), weakref.WeakKeyDictionary({a: 1})',
        ]:
            self.assertTrue(is_spared(program), program)

    def test_what_may_be_seen_is_not(self):
        for program in [
            '1 / 0',
            'left = open("/dev/null")',
            'left = open("/dev/null", "w")',
            'left = open("/dev/null", "wb")',
            'class A:\n    def __del__(self): pass',
            'setattr(json.JSONDecoder, "__del__", id)',
            'A = type("A", (), {"__" + "del__": id}); a = A()',
            'class M(type): pass\nsetattr(M, "__" + "del__", id)\nclass A(metaclass=M): pass',
            'def g(): yield\nleft = g(); next(left)',
            'async def g(): pass\nleft = g()',
            'import weakref\nclass A: pass\na = A(); left = weakref.ref(a, id)',
            'import weakref\nclass A: pass\na = A(); left = weakref.ref(a, lambda _: 1)',
            'import weakref\nclass A:\n    def m(self, _): pass\na = A(); left = weakref.ref(a, a.m)',
            'import weakref\nclass A: pass\na = A(); left = weakref.proxy(a)',
            'import sys, io\nsys.stdout = io.StringIO()',
            'import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()',
            'left = [[] for _ in range(2 * 10 ** 6)]',
            'import sqlite3',
            'import atexit',
            'import sys\nsys.settrace(None)',
            'exec("1")',
            'import warnings',
            'import os\nos.environ["PYTHONINSPECT"] = "1"',
        ]:
            self.assertFalse(is_spared(program), program)

    def test_what_libraries_want_called_is_called(self):
        outcome = run_in_server('''
            import logging
            class Late(logging.Handler):
                def flush(self): print("flushed")
            left = Late()
        ''')
        self.assertEqual(outcome.stdout.count('flushed\n'), 1)

    def test_what_that_leaves_is_looked_at(self):
        outcome = run_in_server('''
            import logging
            class Late(logging.Handler):
                def flush(self): self.left = open("/dev/null", "w")
            left = Late()
        ''')
        self.assertEqual(outcome.stdout, 'ends by itself 0\n')

    def test_an_output_that_cannot_be_written_is_the_interpreters(self):
        self.assertFalse(is_spared('import sys\nsys.stderr.close()'))

    def test_the_program_is_not_asked(self):
        self.assertTrue(is_spared('''
            class M(type):
                def __getattribute__(self, name): raise SystemExit
                def __eq__(self, other): raise SystemExit
            class A(metaclass=M):
                __class__ = property(lambda self: exit())
            a = object.__new__(A)
        '''))


if __name__ == '__main__':
    unittest.main()
