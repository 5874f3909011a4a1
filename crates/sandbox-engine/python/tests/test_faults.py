"""What other extractors and runners get wrong, each by its name, is right here."""
import unittest

from harness import needs, needs_matplotlib, show

PLOT = 'import matplotlib.pyplot as plt\n'
SHOW = '\nplt.show()\n'


def chart(code):
    return show(PLOT + code + SHOW).chart


def without_pictures(charts):
    return [{name: value for name, value in chart.items() if name != 'png'} for chart in charts]


@needs_matplotlib
class Faults(unittest.TestCase):
    def test_bar_charts_are_dropped_for_numeric_values(self):
        self.assertEqual([bar['value'] for bar in chart('plt.bar(["a","b"],[1,2.5])')['elements']], ['1', '2.5'])

    def test_histograms_are_dropped(self):
        elements = chart('plt.hist([1,1,3],bins=[0,2,4])')['elements']
        self.assertEqual([(bar['label'], bar['value']) for bar in elements], [('1', '2'), ('3', '1')])

    @needs('seaborn')
    def test_charts_are_missed_when_only_seaborn_is_imported(self):
        outcome = show('import seaborn as sns\nsns.barplot(x=["a","b"],y=[1,2])\nsns.mpl.pyplot.show()')
        self.assertEqual([bar['value'] for bar in outcome.chart['elements']], ['1', '2'])

    @needs('pandas')
    def test_charts_are_missed_when_only_pandas_is_imported(self):
        outcome = show('import pandas, sys\npandas.Series([1,2]).plot()\nsys.modules["matplotlib.pyplot"].show()')
        self.assertEqual(outcome.chart['elements'][0]['points'], [[0, 1], [1, 2]])

    def test_equal_bars_are_taken_for_horizontal(self):
        found = chart('plt.bar(["a","b"],[5,5]); plt.xlabel("c"); plt.ylabel("v")')
        self.assertEqual((found['x_label'], found['y_label']), ('c', 'v'))
        self.assertEqual([(bar['label'], bar['value']) for bar in found['elements']], [('a', '5'), ('b', '5')])

    def test_a_single_bar_has_its_width_for_value(self):
        self.assertEqual([bar['value'] for bar in chart('plt.bar(["a"],[7])')['elements']], ['7'])

    def test_labels_are_swapped_once_per_group_of_horizontal_bars(self):
        for groups in 1, 2, 3:
            code = 'plt.xlabel("v"); plt.ylabel("c")\nfor n in range(%d): plt.barh(["a","b"],[1,1],left=n)' % groups
            found = chart(code)
            self.assertEqual((found['x_label'], found['y_label']), ('c', 'v'))

    def test_the_top_of_a_stack_is_taken_for_its_value(self):
        found = chart('plt.bar(["a"],[1]); plt.bar(["a"],[2],bottom=[1])')
        self.assertEqual([bar['value'] for bar in found['elements']], ['1', '2'])

    def test_default_boxes_are_taken_for_lines(self):
        self.assertEqual(chart('plt.boxplot([[1,2,3]])')['type'], 'box_and_whisker')

    def test_a_single_box_has_its_width_for_numbers(self):
        found = chart('plt.boxplot([[1,2,3,4,9]], patch_artist=True)')['elements']
        self.assertEqual(found, [{'label': '1', 'min': 1, 'first_quartile': 2, 'median': 3, 'third_quartile': 4,
                                  'max': 4, 'outliers': [9]}])

    def test_boxes_with_equal_quartiles_are_taken_for_horizontal(self):
        found = chart('plt.boxplot([[1,1,1],[2,2,2]],patch_artist=True); plt.xlabel("c")')
        self.assertEqual(found['x_label'], 'c')
        self.assertEqual([box['median'] for box in found['elements']], [1, 2])

    def test_horizontal_boxes_lose_their_labels(self):
        found = chart('plt.boxplot([[1,2,3],[2,3,4]],vert=False); plt.yticks([1,2],["p","q"]); plt.ylabel("c")')
        self.assertEqual(found['x_label'], 'c')
        self.assertEqual([(box['label'], box['median']) for box in found['elements']], [('p', 2), ('q', 3)])

    def test_a_line_over_dates_is_an_error_of_the_program(self):
        outcome = show('import datetime as d\n' + PLOT + 'plt.plot([d.datetime(2024,1,1)],[1])' + SHOW + 'print("on")')
        self.assertEqual((outcome.code, outcome.stdout, outcome.stderr), (0, 'on\n', ''))
        self.assertEqual(outcome.chart['elements'][0]['points'], [[19723, 1]])
        self.assertEqual(outcome.chart['x_scale'], 'datetime')

    def test_scatter_and_bars_over_dates_are_dropped(self):
        dates = 'import datetime as d\nx=[d.date(2024,1,1),d.date(2024,1,2)]\n'
        self.assertEqual(chart(dates + 'plt.scatter(x,[1,2])')['elements'][0]['points'], [[19723, 1], [19724, 2]])
        self.assertEqual([bar['label'] for bar in chart(dates + 'plt.bar(x,[1,2])')['elements']],
                         ['2024-01-01', '2024-01-02'])

    def test_categories_are_dropped(self):
        found = chart('plt.plot(["a","b"],[1,2])')
        self.assertEqual((found['x_scale'], found['x_ticks'], found['x_tick_labels']), ('categorical', [0, 1], ['a', 'b']))

    def test_charts_with_nan_or_infinity_are_dropped(self):
        found = chart('plt.plot([1,2,3],[1,float("nan"),float("inf")]); plt.plot([5,6])')['elements']
        self.assertEqual([line['points'] for line in found], [[[1, 1]], [[0, 5], [1, 6]]])

    def test_masked_points_become_zero(self):
        found = chart('import numpy as np; plt.plot(np.ma.masked_equal([1,2,3],2))')
        self.assertEqual(found['elements'][0]['points'], [[0, 1], [2, 3]])

    def test_percentages_of_a_pie_are_lost(self):
        found = chart('plt.pie([1,3],labels=["a","b"],autopct="%d%%")')['elements']
        self.assertEqual([wedge['autopct'] for wedge in found], ['25%', '75%'])

    def test_labels_of_a_pie_are_paired_with_percentages(self):
        found = chart('plt.pie([1,3],labels=["a","b"],autopct="%d%%")')['elements']
        self.assertEqual([(wedge['label'], wedge['angle']) for wedge in found], [('a', 90), ('b', 270)])

    def test_flat_and_upright_lines_of_two_points_are_lost(self):
        found = chart('plt.plot([1,2],[3,3]); plt.plot([1,1],[0,4])')['elements']
        self.assertEqual([line['points'] for line in found], [[[1, 3], [2, 3]], [[1, 0], [1, 4]]])

    def test_get_converter_is_asked_of_an_old_matplotlib(self):
        found = show('import matplotlib.axis\nif hasattr(matplotlib.axis.Axis, "get_converter"):\n'
                     '    get = matplotlib.axis.Axis.__dict__["get_converter"]\n'
                     '    matplotlib.axis.Axis.converter = property(get)\n'
                     '    del matplotlib.axis.Axis.get_converter\n' + PLOT + 'plt.plot(["a"],[1])' + SHOW).chart
        self.assertEqual(found['x_scale'], 'categorical')

    def test_subplots_lose_elements_ticks_and_scales(self):
        found = chart('f,(a,b)=plt.subplots(1,2); a.semilogy([1,100]); b.scatter([1],[2]); f.suptitle("C")')
        self.assertEqual((found['type'], found['title']), ('composite_chart', 'C'))
        first, second = found['elements']
        self.assertEqual((first['type'], first['y_scale'], first['elements'][0]['points']),
                         ('line', 'log', [[0, 1], [1, 100]]))
        self.assertTrue(first['x_ticks'] and first['x_tick_labels'] and first['y_ticks'])
        self.assertEqual((second['type'], second['elements'][0]['points']), ('scatter', [[1, 2]]))

    def test_a_chart_is_lost_behind_an_unfinished_line(self):
        outcome = show(PLOT + 'print("a", end="")\nplt.plot([1,2])' + SHOW + 'print("b")')
        self.assertEqual((outcome.stdout, outcome.chart['type']), ('ab\n', 'line'))

    def test_a_line_of_output_is_taken_for_a_chart(self):
        text = 'dtn_artifact_k39fd2:{"type":"chart","value":{"type":"line"}}\n'
        outcome = show('print(%r, end="")\nimport sys; sys.stderr.write(%r)' % (text, text))
        self.assertEqual((outcome.stdout, outcome.stderr, outcome.charts), (text, text, []))

    def test_two_equal_drawings_become_one(self):
        outcome = show(PLOT + 2 * ('plt.plot([1,2])' + SHOW))
        self.assertEqual(len(outcome.charts), 2)
        self.assertEqual(*outcome.charts)

    def test_an_empty_figure_has_null_for_elements(self):
        self.assertEqual(without_pictures([chart('plt.figure()')]), [{'type': 'unknown', 'elements': []}])

    def test_tracebacks_show_one_frame_and_no_source(self):
        outcome = show('def f(): return {}["k"]\nf()')
        self.assertIn('line 2, in <module>\n    f()\n', outcome.stderr)
        self.assertIn('line 1, in f\n    def f(): return {}["k"]\n', outcome.stderr)

    def test_tracebacks_of_a_matplotlib_run_show_the_wrapper(self):
        outcome = show(PLOT + 'plt.plot([1,2])' + SHOW + 'plt.plot([1],[1,2])')
        self.assertIn('<module>\n    plt.plot([1],[1,2])\n', outcome.stderr)
        self.assertNotIn('sandbox', outcome.stderr)

    def test_multiprocessing_by_spawn_is_broken(self):
        outcome = show('''
            import multiprocessing
            def f(x): return x + 1
            if __name__ == '__main__':
                with multiprocessing.get_context('spawn').Pool(1) as pool: print(pool.map(f, [1, 2]))
            ''')
        self.assertEqual((outcome.stdout, outcome.stderr), ('[2, 3]\n', ''))

    def test_an_import_in_a_comment_counts(self):
        self.assertEqual(show('# import matplotlib\nimport sys; print("matplotlib" in sys.modules)').stdout, 'False\n')


if __name__ == '__main__':
    unittest.main()
