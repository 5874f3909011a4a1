"""Placeholder."""
import sys
import os
os.set_inheritable(3, False); os.set_inheritable(4, False)
path = sys.argv[1]
sys.argv = ['-'] + sys.argv[2:]
main = sys.modules['__main__']
main.__file__ = path
exec(compile(open(path, 'rb').read(), path, 'exec'), main.__dict__)
