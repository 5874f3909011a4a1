"""Finds out which files an interpreter has read since its start, for processes that are started before they are needed."""
import os
import sys


def mapped_files():
    """The executable and the shared libraries."""
    with open('/proc/self/maps', 'rb') as maps:
        lines = [line.split(None, 5) for line in maps]
    return {os.fsdecode(line[5].rstrip(b'\n')) for line in lines if line[5:] and line[5].startswith(b'/')}


def site_directories():
    """Where packages are installed, whether the directories exist or not."""
    site = sys.modules.get('site')
    try:
        return [*site.getsitepackages(), site.getusersitepackages()]
    except Exception:  # Started without it, or with one of its own.
        return []


def files_of_interest():
    """Returns the paths of all that a new interpreter reads when it starts and imports what this one has imported."""
    paths = {getattr(module, '__file__', None) for module in list(sys.modules.values())} | mapped_files()
    directories = {*sys.path, *site_directories()}
    paths |= directories
    for directory in directories:
        try:
            paths.update(os.path.join(directory, name) for name in os.listdir(directory) if name.endswith('.pth'))
        except OSError:
            pass
    near = os.path.dirname(sys.executable)
    paths.update([sys.executable, os.path.join(near, 'pyvenv.cfg'), os.path.join(os.path.dirname(near), 'pyvenv.cfg')])
    if 'matplotlib' in sys.modules:
        import matplotlib
        config, cache = matplotlib.get_configdir(), matplotlib.get_cachedir()
        styles = os.path.join(config, 'stylelib')
        paths.update([matplotlib.matplotlib_fname(), os.path.join(config, 'matplotlibrc'), styles])
        for directory in styles, cache:
            if directory and os.path.isdir(directory):
                paths.update(os.path.join(directory, name) for name in os.listdir(directory))
    return sorted(path for path in paths if isinstance(path, str) and path)
