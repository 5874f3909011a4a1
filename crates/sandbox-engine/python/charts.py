"""Tells the charts that a program shows with `matplotlib.pyplot.show`, and changes nothing else of what it does.

boot.py executes this text when `matplotlib.pyplot` is first looked for, in a namespace that also holds FINDER (its
import hook), CHANNEL (the descriptor of the artifact channel) and CHANNEL_IDENTITY (what `os.fstat` said of it). For
each figure shown one record goes to the channel: a little-endian u32 and so many bytes of UTF-8 JSON, one chart.

What a program can notice all the same: figures that were shown are closed; formatters of its own are called; `show` of
matplotlib's own backends opens no window and waits for nobody; a backend with windows becomes Agg where it cannot work;
`pyplot.show` and `pyplot.switch_backend` have a `__wrapped__`.

Works with matplotlib 3.5 to 3.11. Reads top-down: hook, channel, figure, axes, kinds of chart, axis, numbers.
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


# The channel

turn = threading.Lock()


def new_turn():
    """In a forked child: a thread that held the lock is not there to give it back."""
    global turn
    turn = threading.Lock()


os.register_at_fork(after_in_child=new_turn)


def send(record):
    """Writes a record whole. Threads take turns by a lock, processes forked from one another by a lock on the pipe.

    Gives up when the program has closed the descriptor, and perhaps given its number to a file of its own. A process
    that is killed in the middle of a record takes what is written after it along.
    """
    rest = memoryview(len(record).to_bytes(4, 'little') + record)
    with turn, contextlib.suppress(OSError):  # Closed at this end or at the other.
        lock_channel(fcntl.LOCK_EX)
        try:
            while rest and is_channel():
                rest = rest[os.write(CHANNEL, rest):]
        finally:
            lock_channel(fcntl.LOCK_UN)


def lock_channel(operation):
    if is_channel():
        with contextlib.suppress(OSError):  # A kernel without locks on pipes: records of several processes may mix.
            fcntl.lockf(CHANNEL, operation)


def is_channel():
    return os.path.samestat(os.fstat(CHANNEL), CHANNEL_IDENTITY)


# A figure


def record(figure):
    """A figure as JSON in the strict form that clients accept. What fails is left out: the picture, or the data."""
    png = ''
    with contextlib.suppress(Exception):
        png = picture(figure)
    with contextlib.suppress(Exception):
        return encoded(dict(described(figure), png=png))
    return encoded({'type': 'unknown', 'png': png, 'elements': []})


def encoded(chart):
    text = json.dumps(filled(chart), allow_nan=False, ensure_ascii=False, separators=(',', ':'))
    return text.encode('utf-8', 'replace')


def filled(chart):
    """A chart without its empty fields."""
    return {name: value for name, value in chart.items() if value or name == 'elements'}


def picture(figure):
    """The figure as PNG in base64, tightly framed, and without its texts if one of them cannot be set.

    A plain run draws nothing, so this must not cost an enormous picture: a text that lies miles outside gets no frame
    around it, and a figure of enormous size fewer than 100 dots per inch.
    """
    width, height = figure.get_size_inches()
    dpi = min(100, 2 ** 15 / max(width, height), math.sqrt(2 ** 26 / (width * height)))
    options = {'bbox_inches': 'tight', 'dpi': dpi}
    with contextlib.suppress(Exception):
        if has_far_texts(figure):
            options['bbox_inches'] = None
    with contextlib.suppress(Exception):
        return drawing(figure, options)
    texts = [text for text in figure.findobj(Text) if text.get_visible()]
    try:
        for text in texts:
            text.set_visible(False)
        return drawing(figure, options)
    finally:
        for text in texts:
            text.set_visible(True)


def has_far_texts(figure):
    """Whether a text lies several figures away. A note at a point outside the axes is not drawn at all."""
    for axes in figure.axes:
        axes.viewLim  # Now autoscaling takes place, if it has to.
        for text in axes.texts:
            if not isinstance(text, Annotation):
                position = text.get_transform().transform(text.get_unitless_position())
                if (abs(position - figure.bbox.size / 2) > 4 * figure.bbox.size).any():
                    return True
    return False


def drawing(figure, options):
    png = io.BytesIO()
    with figure.canvas.callbacks.blocked():
        figure.savefig(png, format='png', **options)
    return base64.b64encode(png.getvalue()).decode()


def described(figure):
    """The chart of the only axes with data, or those of all of them together."""
    suptitle = figure._suptitle.get_text() if figure._suptitle else ''
    charted = [axes for axes in all_axes(figure) if drawn(axes)]
    if len(charted) > 1:
        return {'type': 'composite_chart', 'title': suptitle, 'elements': [chart(axes) for axes in charted]}
    for axes in charted or figure.axes[:1]:
        return dict({'title': suptitle}, **chart(axes))
    return {'type': 'unknown', 'title': suptitle, 'elements': []}


def all_axes(figure):
    """The visible axes of a figure and their insets, without color bars."""
    for axes in figure.axes:
        if axes.get_visible() and axes.get_label() != '<colorbar>' and not hasattr(axes, '_colorbar'):
            yield axes
            yield from axes.child_axes


# An axes


def chart(axes):
    """The chart of one axes. The label of the category axis comes first, that of horizontal bars and boxes too."""
    title = axes.get_title() or axes.get_title('left') or axes.get_title('right')
    try:
        x, y = AxisReader(axes.xaxis), AxisReader(axes.yaxis)
        kind, elements, horizontal = classified(axes, x, y)
    except Exception:
        return filled({'type': 'unknown', 'title': title, 'elements': []})
    if kind in ('bar', 'box_and_whisker', 'pie'):
        (y if horizontal else x).holds_categories()
    if kind == 'pie':
        y.holds_categories()
    labels = axes.get_xlabel(), axes.get_ylabel()
    return filled({
        'type': kind,
        'title': title,
        'x_label': labels[horizontal],
        'y_label': labels[not horizontal],
        'x_ticks': x.numbers(x.ticks),
        'y_ticks': y.numbers(y.ticks),
        'x_tick_labels': x.labels,
        'y_tick_labels': y.labels,
        'x_scale': x.scale,
        'y_scale': y.scale,
        'elements': elements,
    })


def classified(axes, x, y):
    """What was drawn: the type, its elements, and whether it is horizontal."""
    artists = drawn(axes)
    if not artists or hasattr(axes, 'zaxis'):
        return 'unknown', [], False
    if any(isinstance(artist, Wedge) for artist in artists) and only(artists, Wedge, Circle):
        return 'pie', wedges(artists, axes.texts), False
    found = boxes(artists, x, y)
    if found:
        return found
    artists = [artist for artist in artists if not is_proxy(artist)] or artists
    if only(artists, Line2D):
        return 'line', series(artists, x, y), False
    artists = [artist for artist in artists if not is_rule(artist)]
    if all(is_cloud(artist, axes.transData) for artist in artists):
        return 'scatter', series(artists, x, y), False
    found = only(artists, Rectangle) and bars(artists, axes.containers, x, y)
    if found:
        return ('bar',) + found
    return 'unknown', [], False


def only(artists, *kinds):
    return all(isinstance(artist, kinds) for artist in artists)


def drawn(axes):
    """What was drawn from data: no texts, arrows and shadows, and nothing tied to the frame, such as `axhline`."""
    return [
        artist for artist in axes.get_children()
        if isinstance(artist, (Line2D, Patch, Collection, AxesImage))
        and not isinstance(artist, (Spine, Shadow, FancyArrow, FancyArrowPatch))
        and artist is not axes.patch and artist.get_visible() and lies_on_data(artist, axes.transData)
    ]


def is_cloud(artist, data):
    """A mark at each of some points, as `scatter` draws. Contours of matplotlib 3.5 to 3.7 are of that class too."""
    return isinstance(artist, PathCollection) and artist.get_offset_transform().contains_branch(data)


def lies_on_data(artist, data):
    if is_cloud(artist, data):
        return True
    tied = artist.get_transform().contains_branch_seperately(data)
    return all(tied) or not any(tied) and not isinstance(artist, (Line2D, Patch))


def is_proxy(artist):
    """An artist without data, as libraries put in for the legend or for intervals of no width."""
    if isinstance(artist, Line2D):
        return len(artist.get_xydata()) == 0
    if isinstance(artist, PathCollection):
        return len(artist.get_offsets()) == 0
    if isinstance(artist, (LineCollection, PolyCollection)):
        return len(artist.get_paths()) == 0
    return isinstance(artist, Rectangle) and artist.get_width() == 0 and artist.get_height() == 0


def is_rule(artist):
    """A flat or upright stroke between two points: a mark, when it is among points or bars."""
    points = artist.get_xydata() if isinstance(artist, Line2D) else ()
    return len(points) == 2 and (points[0] == points[1]).any()


# The kinds of chart


def series(artists, x, y):
    """Lines or clouds of points, without NaN and infinity, which JSON cannot carry. A masked value is NaN here."""
    elements = []
    for artist in artists:
        points = artist.get_xydata() if isinstance(artist, Line2D) else artist.get_offsets()
        points = numpy.ma.filled(points, numpy.nan)
        points = points[numpy.isfinite(points).all(axis=1)]
        points = [list(point) for point in zip(x.numbers(points[:, 0]), y.numbers(points[:, 1]))]
        elements.append({'label': label(artist), 'points': points})
    return elements


def label(artist):
    """The label as matplotlib has it. One that begins with `_` is not the user's, but tells series apart."""
    return str(artist.get_label() or '')


def bars(rectangles, containers, x, y):
    """The bars and whether they are horizontal. None when a rectangle is in no container, so is no bar."""
    containers = [container for container in containers if isinstance(container, BarContainer)]
    rectangles = set(rectangles)
    if not rectangles <= set(itertools.chain(*containers)):
        return None
    elements = []
    for container in containers:
        flat = container.orientation == 'horizontal'
        sides = numpy.array([
            (bar.get_y() + bar.get_height() / 2, bar.get_width()) if flat else
            (bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in container if bar in rectangles
        ], float).reshape(-1, 2)
        sides = sides[numpy.isfinite(sides).all(axis=1)]
        reach = smallest_gap(sides[:, 0]) / 2
        for position, length in sides:
            name = (y if flat else x).name(position, reach)
            elements.append({'label': name, 'group': group(container), 'value': str(number(length))})
    return elements, all(container.orientation == 'horizontal' for container in containers)


def group(container):
    """The label of a series of bars. A histogram has it on its first bar."""
    labels = [label(bar) for bar in container if not label(bar).startswith('_')]
    return labels[0] if len(labels) == 1 and label(container).startswith('_') else label(container)


def wedges(artists, texts):
    """The wedges by themselves: shadows and holes are none. Texts are found by the ray on which they lie."""
    artists = [artist for artist in artists if isinstance(artist, Wedge)]
    texts = [text for text in texts if text.get_text()]
    for wedge in artists:
        own = next((text for text in texts if text.get_text() == label(wedge) and lies_on_ray(text, wedge)), None)
        texts = [text for text in texts if text is not own]
    elements = []
    for wedge in artists:
        angle = round(float(wedge.theta2 - wedge.theta1), 4)  # The rest is the noise of 32 bits.
        elements.append({'label': label(wedge), 'angle': number(angle), 'radius': number(wedge.r)})
        percent = next((text for text in texts if lies_on_ray(text, wedge)), None)
        if percent:
            texts.remove(percent)
            elements[-1]['autopct'] = percent.get_text()
    return elements


def lies_on_ray(text, wedge):
    """Whether a text lies on the line from the center of a wedge through its middle."""
    right, up = numpy.subtract(text.get_position(), wedge.center)
    middle = math.radians((wedge.theta1 + wedge.theta2) / 2)
    along, aside = right * math.cos(middle) + up * math.sin(middle), up * math.cos(middle) - right * math.sin(middle)
    return along > 0 and abs(aside) < 1e-4 * wedge.r


def boxes(artists, x, y):
    """What `classified` says of boxes, which may lie among other lines. None when there is no box."""
    artists = [artist for artist in artists if isinstance(artist, Line2D) or not is_proxy(artist)]
    if not only(artists, Line2D, PathPatch):
        return None
    for horizontal in False, True:
        strokes = [stroke(artist, horizontal) for artist in artists]
        found, strays, start = [], 0, 0
        while start < len(strokes):
            *read, length = box(strokes[start:start + 9])
            if length:
                found.append(read)
            else:
                strays += 1
            start += length or 1
        if found and strays:
            return 'unknown', [], False
        if found:
            categories, scale = (y, x) if horizontal else (x, y)
            return 'box_and_whisker', box_elements(found, categories, scale), horizontal
    return None


def box_elements(found, categories, scale):
    # One mark a box: these are means if one is within its whiskers, where no outlier is.
    are_means = all(len(marks) == 1 and len(marks[0]) == 1 for _, _, marks in found) and any(
        values[0] <= marks[0][0] <= values[-1] for _, values, marks in found)
    names = 'min', 'first_quartile', 'median', 'third_quartile', 'max'
    elements = []
    for position, values, marks in found:
        outliers = [] if are_means or not marks else [value for value in marks[-1] if math.isfinite(value)]
        if numpy.isfinite(values).all():
            elements.append(dict(
                zip(names, scale.numbers(values)), label=categories.name(position), outliers=scale.numbers(outliers)))
    return elements


def stroke(artist, horizontal):
    """The points of an artist as positions and values. NaN, which a box without data has, as a number like itself."""
    table = artist.get_xydata() if isinstance(artist, Line2D) else artist.get_path().vertices
    table = numpy.where(numpy.isnan(table), numpy.inf, table)
    return table[:, ::-1] if horizontal else table


def box(strokes):
    """Reads a box off the first strokes: its position, its five numbers, its marks (the mean, the outliers) and of how
    many strokes it is: of none, if it is no box.

    `Axes.bxp` draws in this order: the box, the lower and the upper whisker from the box outward, two caps or none, the
    median, the mean as a line or a mark or not at all, the outliers or not at all.
    """
    none = None, None, None, 0
    if len(strokes) < 4 or len(strokes[0]) < 5 or len(strokes[1]) != 2 or len(strokes[2]) != 2:
        return none
    outline, lower, upper = strokes[:3]
    position = lower[0, 0]
    first, third = lower[0, 1], upper[0, 1]
    if not is_at(position, lower) or not is_at(position, upper) or not {first, third} <= set(outline[:, 1]):
        return none
    across = list(itertools.takewhile(lambda stroke: is_across(position, stroke), strokes[3:7]))
    if not across:
        return none
    median = across[2 if len(across) > 2 else 0][0, 1]
    marks = itertools.takewhile(lambda stroke: is_at(position, stroke), strokes[3 + len(across):][:2])
    marks = [stroke[:, 1] for stroke in marks]
    return position, (lower[1, 1], first, median, third, upper[1, 1]), marks, 3 + len(across) + len(marks)


def is_at(position, stroke):
    return (stroke[:, 0] == position).all()


def is_across(position, stroke):
    """A line from one side of a position to the other, at one value."""
    return (len(stroke) == 2 and stroke[0, 1] == stroke[1, 1] and stroke[0, 0] != stroke[1, 0]
            and math.isclose(stroke[:, 0].mean(), position, rel_tol=1e-6, abs_tol=1e-6))


# An axis


class AxisReader:
    """What an axis says of positions: ticks, their labels, the kind of scale, the names of categories."""

    def __init__(self, axis):
        locator, formatter = axis.get_major_locator(), axis.get_major_formatter()
        converter = axis.get_converter() if hasattr(axis, 'get_converter') else axis.converter
        self.frequency = getattr(axis, 'freq', None)  # Of pandas: positions count periods.
        self.scale = axis.get_scale()
        # Subplots that share an axis share locator and formatter, but only those drawn on have the converter.
        if isinstance(converter, StrCategoryConverter) or isinstance(formatter, StrCategoryFormatter):
            self.scale = 'categorical'
        elif self.frequency is not None or type(converter).__module__ == 'matplotlib.dates' or isinstance(
                converter, dates.DateConverter) or isinstance(locator, dates.DateLocator):
            self.scale = 'datetime'
        self.is_named = self.scale == 'categorical' or isinstance(formatter, ticker.FixedFormatter) or (
            isinstance(locator, ticker.FixedLocator) and not isinstance(formatter, ticker.ScalarFormatter))
        self.ticks = numpy.asarray(axis.get_majorticklocs(), float)
        self.ticks = self.ticks[numpy.isfinite(self.ticks)]
        self.labels = [str(text) for text in formatter.format_ticks(self.ticks)]

    def holds_categories(self):
        """Called for an axis on which bars or boxes stand: with texts for tick labels, or none, it has no numbers."""
        if self.scale == 'linear' and (self.is_named or not self.labels) and not any(map(is_number, self.labels)):
            self.scale = 'categorical'

    def numbers(self, positions):
        """Positions as numbers for JSON, instants as days since 1970-01-01."""
        if self.scale == 'datetime' and len(positions):
            positions = self.days(numpy.asarray(positions, float))
        return [number(position) for position in positions]

    def days(self, positions):
        if self.frequency is None:
            return positions - dates.date2num(numpy.datetime64('1970-01-01'))
        pandas = sys.modules['pandas']
        periods = pandas.arrays.PeriodArray(positions.astype('int64'), dtype=pandas.PeriodDtype(self.frequency))
        return numpy.asarray(periods.to_timestamp(), 'datetime64[us]').astype('int64') / 86400e6

    def name(self, position, reach=math.inf):
        """What stands at a position: the category, if one is within reach, or the number or instant itself."""
        if self.is_named and len(self.ticks):
            nearest = abs(self.ticks - position).argmin()
            reach = min(reach, smallest_gap(self.ticks) / 2) * (1 + 1e-9)
            if self.labels[nearest] and abs(self.ticks[nearest] - position) <= reach:
                return self.labels[nearest]
        if self.scale == 'datetime':
            instant = str(numpy.datetime64(round(self.days(numpy.array([position]))[0] * 86400), 's'))
            return instant.replace('T00:00:00', '').replace('T', ' ')
        return str(number('%.12g' % position))


# Numbers


def number(value):
    """A number as a person writes it: 3, not 3.0."""
    value = float(value)
    return int(value) if value.is_integer() and abs(value) < 2 ** 53 else value


def is_number(text):
    try:
        float(text.replace('\N{MINUS SIGN}', '-'))
    except ValueError:
        return False
    return True


def smallest_gap(positions):
    gaps = numpy.diff(numpy.unique(positions))
    return gaps.min() if len(gaps) else math.inf
