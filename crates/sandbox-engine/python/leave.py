"""Spares a forked program the end of what its server had imported, if nothing can see that.

server.py freezes the objects of numpy and matplotlib before it forks. The collections at the end of the interpreter pass
over frozen objects, which they would otherwise visit four times and then free, page by copied page. But they pass over what
only frozen objects lead to as well. So boot.py calls `leave` after the program, and that thaws them, unless every object that
the program has left is one whose end shows nowhere: no finalizer, no callback, no output in a buffer.

Only programs get here that import known modules and refer to no other means of being called at the end, such as `atexit`.
server.py executes this text in a namespace of its own, in which it puts modules, `standard`, the standard streams, and `main`, the
identity of the program's namespace: a reference would change the order in which the program's objects are taken down. Nothing here may call what the program defines: types are asked past their metaclasses.
"""

BLOCKS = 1_000_000  # Of the allocator. With more of them the search would take as long as it spares.
NAMES = {'__del__', 'nditer'}  # A class of the server's may get a finalizer; iterators of numpy warn, and are not listed.
ancestors, members = type.__dict__['__mro__'].__get__, type.__dict__['__dict__'].__get__
called_back = _weakref.ReferenceType.__dict__['__callback__'].__get__
# At their end they close a file to which nothing is to be written.
QUIET = {id(kind) for kind in (_io.FileIO, _io.BufferedReader, _io.BytesIO, _io.StringIO)}
PROXIES = {id(_weakref.ProxyType), id(_weakref.CallableProxyType)}


def leave(code, has_ended):
    """Called last, with the code of the program, and whether it has come to its end rather than to an exception."""
    is_unseen = False
    try:
        is_unseen = has_ended and not (names(code) & NAMES) and is_left_unseen()
    except Exception:
        pass  # What is not understood is thawed.
    finally:
        if not is_unseen:
            gc.unfreeze()


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
    if is_redirected or _thread._count() or sys.getallocatedblocks() > BLOCKS:
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
