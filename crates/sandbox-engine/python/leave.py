"""Ends a forked program without the end of its interpreter, if nothing can see that.

An interpreter frees every object at its end, and so copies all pages that a forked process shares with its server: most of
the time that a short program takes. boot.py calls `leave` when the program is through. If every object that the
program has left is one whose end shows nowhere (no finalizer, no callback, no output in a buffer), `leave` ends the process after the
functions of `atexit`. Otherwise, and if the program has imported or named anything that is not understood here, it
returns, and the interpreter ends by itself.

server.py freezes all objects before it forks, so that only those of the program are searched. The collections of an interpreter's end
would pass over what only frozen objects lead to: where `leave` returns, they are not frozen any more.

server.py executes this text in a namespace of its own, in which it puts modules, `earlier`, the names of the modules before the
program, `standard`, the standard streams, and `main`, the identity of the program's namespace: a reference would change the order in
which the program's objects are taken down. Nothing here may call what the program defines: types are asked past their
metaclasses.
"""

BLOCKS = 1_000_000  # Of the allocator. With more of them the search would take as long as it spares.
KNOWN = set('''
    abc argparse array ast atexit base64 binascii bisect blake2 bz2 calendar cmath codecs collections colorize colorsys
    compression contextlib contourpy copy copyreg csv cycler dataclasses datetime dateutil decimal difflib dis encodings enum
    errno fcntl fnmatch fractions functools future gettext glob graphlib grp hashlib heapq hmac html importlib inspect io
    ipaddress itertools json keyword kiwisolver linecache locale logging lzma math matplotlib md5 mpl_toolkits ntpath numbers
    numpy opcode opcode_metadata operator os packaging pathlib PIL platform pprint pwd pydecimal pyparsing queue random re reprlib
    secrets sha1 sha2 sha256 sha3 sha512 shlex shutil signal six sre_compile sre_constants sre_parse stat statistics string
    strptime struct sys textwrap threading time token tokenize traceback types typing unicodedata urllib uuid warnings weakref
    weakrefset zlib
'''.split())  # Modules whose own objects show nothing at their end; without the underscores of those of C.
NAMES = set('''
    PYTHONINSPECT __builtins__ __del__ __dict__ __import__ addaudithook atexit builtins compile eval exec globals import_module importlib
    modules monitoring nditer putenv setprofile settrace vars warnings
'''.split())  # By these a program defines an end, or may do so unseen. Iterators of numpy warn, and are not listed.
ancestors, members = type.__dict__['__mro__'].__get__, type.__dict__['__dict__'].__get__
called_back = _weakref.ReferenceType.__dict__['__callback__'].__get__
# At their end they close a file to which nothing is to be written, and give a warning that is not shown unless it is asked for.
QUIET = {id(kind) for kind in (_io.FileIO, _io.BufferedReader, _io.BytesIO, _io.StringIO)}
PROXIES = {id(_weakref.ProxyType), id(_weakref.CallableProxyType)}


def leave(code, has_ended):
    """Called last, with the code of the program, and whether it has come to its end rather than to an exception."""
    try:
        if has_ended and is_understood(code) and not _thread._count():
            exits = sys.modules.get('atexit')
            if exits:
                exits._run_exitfuncs()  # The interpreter would come to them next.
            if is_left_unseen():
                for stream in standard:
                    stream.flush()
                posix._exit(0)
    except Exception:
        pass  # Where the streams are concerned, the interpreter meets the same error.
    gc.unfreeze()


def is_understood(code):
    modules = sys.modules.keys() - earlier
    return not (names(code) & NAMES) and all(name.partition('.')[0].strip('_') in KNOWN for name in modules)


def names(code):
    """The names that a program refers to, also as texts."""
    found, rest = set(), [code]
    while rest:
        part = rest.pop()
        found.update(part.co_names)
        found.update(value for value in part.co_consts if type(value) is str)
        rest.extend(value for value in part.co_consts if type(value) is type(code))
    return found


def is_left_unseen():
    is_redirected = sys.stdout is not standard[0] or sys.stderr is not standard[1]
    if is_redirected or sys.getallocatedblocks() > BLOCKS:
        return False
    objects = gc.get_objects()
    kinds = {id(kind): kind for kind in map(type, objects)}
    metaclasses = {number for number, kind in kinds.items() if descends(kind, type)}
    references = {number for number, kind in kinds.items() if descends(kind, _weakref.ReferenceType)}
    kinds.update((id(kind), kind) for kind in objects if id(type(kind)) in metaclasses)
    return (
        not any(number in PROXIES or number not in QUIET and has_finalizer(kind) for number, kind in kinds.items())
        and all(is_of_library(called_back(object)) for object in objects if id(type(object)) in references))


def descends(kind, ancestor):
    return any(each is ancestor for each in ancestors(kind))


def has_finalizer(kind):
    return any('__del__' in members(each) for each in ancestors(kind))


def is_of_library(callback):
    """Whether a weak reference calls nothing, or a function of a library. Programs have all of theirs in `__main__`."""
    if type(callback) is type(leave.__get__(0)):
        callback = callback.__func__
    if type(callback) is type(leave):
        return id(callback.__globals__) != main
    return callback is None or type(callback) is type(len) and callback.__name__ == '_destroy'  # Of `abc`.
