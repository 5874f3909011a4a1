# The kinds of chart: what each of them is made of.


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
