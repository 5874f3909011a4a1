# An axis: its label, its scale and its ticks.


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
