# An axes: which kind of chart it is.


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
