"""Which programs may end without the objects that their server had imported."""
import gc
import os
import unittest

from harness import PYTHON, SOURCES, Workplace, read, run

# A server's part of it: `json` stands for what was imported, and its decoder for a class of that.
SERVER = '''
import gc, json, sys
names = {name: sys.modules[name] for name in ('_io', '_thread', '_weakref', 'gc', 'sys')}
names.update(__name__='_sandbox_leave', main=id(globals()), standard=(sys.stdout, sys.stderr))
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
print(gc.get_freeze_count() > 0, file=sys.__stdout__)
'''


def is_spared(program):
    with Workplace(program) as workplace:
        leave = os.path.join(SOURCES, 'leave.py')
        outcome = run([PYTHON, '-c', SERVER, leave, workplace.main], workplace.cwd)
    return {'True\n': True, 'False\n': False}[outcome.stdout]


@unittest.skipUnless(hasattr(gc, 'freeze'), 'nothing is frozen before Python 3.7')
class Leave(unittest.TestCase):
    def test_what_ends_unseen_is_spared(self):
        for program in [
            '',
            'def f(): return [f]\nf.me = f',
            'class A: pass\na = A(); a.me = a; json.JSONDecoder.left = a',
            'left = open("/dev/null", "rb")',
            'import io\nleft = io.BytesIO(b"a"), io.StringIO("a")',
            'from abc import ABC\nclass A(ABC): pass\nisinstance(1, A)',
            'import weakref\nclass A: pass\na = A(); left = weakref.ref(a), weakref.WeakKeyDictionary({a: 1})',
        ]:
            self.assertTrue(is_spared(program), program)

    def test_what_may_be_seen_is_not(self):
        for program in [
            '1 / 0',
            'left = open("/dev/null", "w")',
            'left = open("/dev/null", "wb")',
            'left = open("/dev/null")',
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
        ]:
            self.assertFalse(is_spared(program), program)

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
