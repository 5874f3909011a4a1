# Numbers, as JSON has them.


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
