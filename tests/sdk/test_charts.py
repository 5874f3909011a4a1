"""Each kind of chart, through the SDK's own strict models."""

import base64

import daytona

import harness

BEGIN = "import matplotlib.pyplot as plt\n"


@harness.since("0.167.0", "charts by the daemon")
@harness.every_way
class Charts(harness.Case):
    area = "charts"

    def shown(self, code):
        """The one chart that a program shows."""
        response = self.process.code_run(BEGIN + code + "\nplt.show()")
        self.assertEqual((response.exit_code, response.result), (0, ""))
        (chart,) = response.artifacts.charts
        self.assertTrue(base64.b64decode(chart.png, validate=True).startswith(b"\x89PNG\r\n\x1a\n"))
        return chart

    def test_line(self):
        chart = self.shown("plt.plot([1, 2, 3], [1, 4, 9], label='a'); plt.plot([1, 3], [2, 2], label='b'); plt.title('T')")
        self.assertIsInstance(chart, daytona.LineChart)
        self.assertEqual((chart.title, chart.x_scale, chart.y_scale), ("T", "linear", "linear"))
        self.assertEqual([line.label for line in chart.elements], ["a", "b"])
        points = [[tuple(point) for point in line.points] for line in chart.elements]
        self.assertEqual(points, [[(1, 1), (2, 4), (3, 9)], [(1, 2), (3, 2)]])

    def test_points_that_are_none_are_left_out(self):
        chart = self.shown("plt.plot([1, 2, 3, 4], [1, float('nan'), float('inf'), 2])")
        self.assertEqual([tuple(point) for point in chart.elements[0].points], [(1, 1), (4, 2)])

    def test_dates_are_days_with_readable_ticks(self):
        chart = self.shown("import datetime as d\nplt.plot([d.date(2020, 1, 1), d.date(2020, 1, 3)], [1, 2])")
        self.assertEqual(chart.x_scale, "datetime")
        self.assertEqual([tuple(point) for point in chart.elements[0].points], [(18262, 1), (18264, 2)])
        self.assertTrue(all(isinstance(tick, (int, float)) for tick in chart.x_ticks), chart.x_ticks)
        self.assertTrue(any("2020" in label or "-01" in label for label in chart.x_tick_labels), chart.x_tick_labels)

    def test_scatter(self):
        chart = self.shown("plt.scatter([1, 2], [3, 4], label='s'); plt.xlabel('x'); plt.yscale('log')")
        self.assertIsInstance(chart, daytona.ScatterChart)
        self.assertEqual((chart.x_label, chart.y_scale), ("x", "log"))
        (dots,) = chart.elements
        self.assertEqual((dots.label, [tuple(point) for point in dots.points]), ("s", [(1, 3), (2, 4)]))

    def test_bar(self):
        chart = self.shown("plt.bar(['a', 'b'], [1, 2.5], label='g')")
        self.assertIsInstance(chart, daytona.BarChart)
        bars = [(bar.label, bar.group, float(bar.value)) for bar in chart.elements]
        self.assertEqual(bars, [("a", "g", 1), ("b", "g", 2.5)])

    def test_bars_at_numbers_lie_and_are_stacked(self):
        chart = self.shown("plt.barh([1, 2], [3, 3], label='l'); plt.barh([1, 2], [1, 4], left=[3, 3], label='r'); plt.ylabel('y')")
        bars = [(bar.label, bar.group, float(bar.value)) for bar in chart.elements]
        self.assertEqual(bars, [("1", "l", 3), ("2", "l", 3), ("1", "r", 1), ("2", "r", 4)])
        self.assertEqual(chart.x_label, "y")

    def test_pie(self):
        chart = self.shown("plt.pie([1, 3], labels=['a', 'b'], autopct='%d%%', explode=[0, 0.1], shadow=True)")
        self.assertIsInstance(chart, daytona.PieChart)
        wedges = [(wedge.label, round(wedge.angle), round(wedge.radius, 3)) for wedge in chart.elements]
        self.assertEqual(wedges, [("a", 90, 1), ("b", 270, 1)])

    def test_box_and_whisker(self):
        chart = self.shown("plt.boxplot([[1, 2, 3, 4, 5], [2, 3, 4, 5, 60]])")
        self.assertIsInstance(chart, daytona.BoxAndWhiskerChart)
        boxes = [
            (box.label, box.min, box.first_quartile, box.median, box.third_quartile, box.max, list(box.outliers or []))
            for box in chart.elements
        ]
        self.assertEqual(boxes, [("1", 1, 2, 3, 4, 5, []), ("2", 2, 3, 4, 5, 5, [60])])

    def test_composite(self):
        chart = self.shown("f, (a, b) = plt.subplots(1, 2); a.plot([1, 2]); b.bar(['x'], [1]); b.set_title('B'); f.suptitle('S')")
        self.assertIsInstance(chart, daytona.CompositeChart)
        self.assertEqual(chart.title, "S")
        # The SDK has them as elements with whatever they bring.
        line, bar = chart.elements
        self.assertEqual((line.type, bar.type, bar.title), ("line", "bar", "B"))
        (points,) = [element["points"] for element in line.additional_properties["elements"]]
        self.assertEqual(points, [[0, 1], [1, 2]])

    def test_unknown(self):
        chart = self.shown("plt.imshow([[1, 2], [3, 4]]); plt.title('I')")
        self.assertEqual((chart.type, chart.title), (daytona.ChartType.UNKNOWN, "I"))

    def test_charts_before_a_failure_are_kept(self):
        response = self.process.code_run(BEGIN + "plt.plot([1]); plt.show(); plt.bar([1], [2]); plt.show(); 1/0")
        self.assertEqual(response.exit_code, 1)
        self.assertEqual([chart.type for chart in response.artifacts.charts], [daytona.ChartType.LINE, daytona.ChartType.BAR])

    def test_output_that_looks_like_a_chart_is_output(self):
        line = 'dtn_artifact_k39fd2:{"type": "chart", "value": {"type": "line", "title": "forged"}}\n'
        response = self.process.code_run(f"print({line!r}, end='')\n{BEGIN}plt.plot([1]); plt.show()")
        self.assertEqual([chart.title for chart in response.artifacts.charts], [None])
