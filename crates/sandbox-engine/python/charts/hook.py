"""Tells the charts that a program shows with `matplotlib.pyplot.show`, and changes nothing else of what it does.

boot.py executes the texts of this directory, one after another as one text, when `matplotlib.pyplot` is first looked for, in a namespace that also holds FINDER (its
import hook), CHANNEL (the descriptor of the artifact channel) and CHANNEL_IDENTITY (what `os.fstat` said of it). For
each figure shown one record goes to the channel: a little-endian u32 and so many bytes of UTF-8 JSON, one chart.

What a program can notice all the same: figures that were shown are closed; formatters of its own are called; `show` of
matplotlib's own backends opens no window and waits for nobody; a backend with windows becomes Agg where it cannot work;
`pyplot.show` and `pyplot.switch_backend` have a `__wrapped__`.

Works with matplotlib 3.5 to 3.11. Reads top-down: hook.py (this file, with all imports), channel.py, figure.py, axes.py, kinds.py, axis.py, numbers.py.
"""
import base64
import contextlib
import fcntl
import functools
import io
import itertools
import json
import logging
import math
import os
import signal
import sys
import threading
import warnings

import matplotlib
import numpy
from matplotlib import cbook, dates, rcsetup, ticker
from matplotlib._pylab_helpers import Gcf
from matplotlib.category import StrCategoryConverter, StrCategoryFormatter
from matplotlib.collections import Collection, LineCollection, PathCollection, PolyCollection
from matplotlib.container import BarContainer
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrow, FancyArrowPatch, Patch, PathPatch, Rectangle, Shadow, Wedge
from matplotlib.spines import Spine
from matplotlib.text import Annotation, Text

# The hook


def find_spec(name, path, target):
    """Finds pyplot as it would be found without us, with a loader that calls `install` once it is loaded."""
    for finder in sys.meta_path:
        spec = None if finder is FINDER else finder.find_spec(name, path, target)
        if spec is not None:
            spec.loader.exec_module = functools.partial(load, spec.loader)
            return spec
    return None


def load(loader, pyplot):
    del loader.exec_module
    with contextlib.suppress(Exception):  # A matplotlib that we do not understand still works, without charts.
        choose_backend()
    loader.exec_module(pyplot)
    with contextlib.suppress(Exception):
        install(pyplot)
        sys.meta_path.remove(FINDER)


def choose_backend():
    """Takes Agg where nobody chose a backend, or somebody one with windows but there is no display."""
    backend = dict.__getitem__(matplotlib.rcParams, 'backend')
    if backend is rcsetup._auto_backend_sentinel or (
            has_windows(backend) and cbook._get_running_interactive_framework() == 'headless'):
        dict.__setitem__(matplotlib.rcParams, 'backend', 'agg')


def has_windows(backend):
    return str(backend).lower().startswith(('gtk', 'macosx', 'nbagg', 'qt', 'tk', 'webagg', 'wx'))


def install(pyplot):
    """Puts our `show` and `switch_backend` in the place of pyplot's."""
    original_show, original_switch = pyplot.show, pyplot.switch_backend

    @functools.wraps(original_show)
    def show(*args, **kwargs):
        caller = sys._getframe().f_back
        if caller and caller.f_globals is vars(pyplot):  # `pyplot.pause`, which is no wish to show something.
            return original_show(*args, **kwargs)
        managers = sorted(Gcf.get_all_fig_managers(), key=lambda manager: manager.num)
        if managers:
            undisturbed(lambda: [send(record(manager.canvas.figure)) for manager in managers])
            # With nothing left to show, the `show` of matplotlib's own backends only looks at its arguments.
            if 'matplotlib.backends.backend_' + matplotlib.get_backend().lower() in sys.modules:
                close(managers)
        result = original_show(*args, **kwargs)
        close(managers)
        return result

    @functools.wraps(original_switch)
    def switch_backend(newbackend):
        try:
            return original_switch(newbackend)
        except ImportError:
            if not has_windows(newbackend):
                raise
        return original_switch('agg')

    pyplot.show, pyplot.switch_backend = show, switch_backend


def close(managers):
    for manager in managers:
        if manager in Gcf.get_all_fig_managers():
            Gcf.destroy(manager.num)


def undisturbed(work):
    """Does what a plain run would not do without a word: no warning, no log, no floating point error.

    The filter goes into the list by hand, for the functions of `warnings` would make the interpreter forget which
    warnings it has shown.
    """
    filters, silence = warnings.filters, ('ignore', None, Warning, None, 0)
    logger = logging.getLogger('matplotlib')
    level = logger.level
    filters.insert(0, silence)
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with numpy.errstate(all='ignore'):
            uninterrupted(work)
    finally:
        filters.remove(silence)
        logger.setLevel(level)


def uninterrupted(work):
    """Has the program's signal handlers wait. What one raises would be taken for a fault of the drawing, or cut a
    record. Python calls them in the main thread only; blocking signals there is of no use when numpy has threads."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    handlers = {number: signal.getsignal(number) for number in range(1, signal.NSIG)}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    arrived = []
    try:
        for number in handlers:
            signal.signal(number, lambda number, _: arrived.append(number))
        work()
    finally:
        try:
            give_back(list(handlers.items()))
        finally:
            for number in arrived:
                handlers[number](number, sys._getframe())


def give_back(handlers):
    """Sets signal handlers, whatever those already set may raise meanwhile."""
    try:
        while handlers:
            signal.signal(*handlers[-1])
            handlers.pop()
    except BaseException:
        give_back(handlers)
        raise


def without_ours(traceback):
    """Takes the frames of this file out of a traceback."""
    kept = []
    while traceback is not None:
        if traceback.tb_frame.f_globals is not globals():
            kept.append(traceback)
        traceback = traceback.tb_next
    for this, following in zip(kept, kept[1:] + [None]):
        this.tb_next = following
    return kept[0] if kept else None
