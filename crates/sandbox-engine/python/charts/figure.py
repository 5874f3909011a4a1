# A figure: its picture and what is known of all its axes.


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
