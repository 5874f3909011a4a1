"""What the extractor makes of each kind of drawing: the fields that matter of every chart, in full."""
import base64
import functools
import unittest

import harness
from harness import needs, needs_matplotlib

IMPORTS = 'import datetime as dt\nimport matplotlib.pyplot as plt\nimport numpy as np\n'
AUTO = 'the label that matplotlib gives, which begins with an underscore'


def line(points, label=AUTO):
    return {'label': label, 'points': points}


def bar(label, value, group=AUTO):
    return {'label': label, 'group': group, 'value': value}


def wedge(label, angle, radius=1, **more):
    return dict(more, label=label, angle=angle, radius=radius)


def box(label, numbers, outliers=()):
    names = 'min', 'first_quartile', 'median', 'third_quartile', 'max'
    return dict(zip(names, numbers), label=label, outliers=list(outliers))


FIRST, SECOND = 'plt.boxplot([[1,2,3,4,20],[2,3,4,5,6]]', [(1, 2, 3, 4, 4), (2, 3, 4, 5, 6)]
NOTHING = {'type': 'unknown', 'elements': []}

DRAWINGS = {
    # Lines.
    'a line': (
        'plt.plot([1,2,3],[1,4,9],label="sq"); plt.title("T"); plt.xlabel("x"); plt.ylabel("y")',
        {'type': 'line', 'title': 'T', 'x_label': 'x', 'y_label': 'y', 'x_scale': 'linear', 'y_scale': 'linear',
         'x_ticks': [0.75, 1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.25],
         'x_tick_labels': ['0.75', '1.00', '1.25', '1.50', '1.75', '2.00', '2.25', '2.50', '2.75', '3.00', '3.25'],
         'y_ticks': list(range(11)), 'y_tick_labels': [str(n) for n in range(11)],
         'elements': [line([[1, 1], [2, 4], [3, 9]], 'sq')]}),
    'lines in drawing order': (
        'plt.plot([1,2],[2,1],zorder=9,label="b"); plt.plot([5,6],label="a")',
        {'type': 'line', 'elements': [line([[1, 2], [2, 1]], 'b'), line([[0, 5], [1, 6]], 'a')]}),
    'two points flat and upright': (
        'plt.plot([1,2],[3,3],label="f"); plt.plot([1,1],[0,4],label="u")',
        {'type': 'line', 'elements': [line([[1, 3], [2, 3]], 'f'), line([[1, 0], [1, 4]], 'u')]}),
    'rules and spans are no series': (
        'plt.plot([1,2,3],[3,1,2]); plt.axhline(2); plt.axvline(1); plt.axline((0,0),slope=1); plt.axvspan(1,2);'
        'plt.axhspan(0,1); plt.grid(True)',
        {'type': 'line', 'elements': [line([[1, 3], [2, 1], [3, 2]])]}),
    'a region across the frame': (
        'plt.plot([1,2]); plt.fill_between([0,1],0,1,transform=plt.gca().get_xaxis_transform())',
        {'type': 'line', 'elements': [line([[0, 1], [1, 2]])]}),
    'points that JSON cannot carry': (
        'plt.plot([1,2,np.nan,4,5],[1,np.inf,3,4,-np.inf]); plt.plot([1,2,3],[None,1,2])',
        {'type': 'line', 'elements': [line([[1, 1], [4, 4]]), line([[2, 1], [3, 2]])]}),
    'masked points': (
        'plt.plot(np.ma.masked_equal([1,2,3],2),[5,6,7]); plt.plot([1,2],np.ma.masked_all(2))',
        {'type': 'line', 'elements': [line([[1, 5], [3, 7]]), line([])]}),
    'instants': (
        'plt.plot([dt.datetime(2024,1,1),dt.datetime(2024,1,2,12)],[1,2])',
        {'type': 'line', 'x_scale': 'datetime', 'elements': [line([[19723, 1], [19724.5, 2]])]}),
    'datetime64': (
        'plt.plot(np.array(["2024-01-01","2024-02-01"],"datetime64[D]"),[1,2])',
        {'type': 'line', 'x_scale': 'datetime', 'y_scale': 'linear', 'x_tick_labels': [
            '2024-01-01', '2024-01-05', '2024-01-09', '2024-01-13', '2024-01-17', '2024-01-21', '2024-01-25',
            '2024-01-29', '2024-02-01'],
         'x_ticks': [19723, 19727, 19731, 19735, 19739, 19743, 19747, 19751, 19754],
         'elements': [line([[19723, 1], [19754, 2]])]}),
    'instants upward': (
        'plt.plot([1,2],[dt.date(2024,1,1),dt.date(2024,1,2)])',
        {'type': 'line', 'y_scale': 'datetime', 'elements': [line([[1, 19723], [2, 19724]])]}),
    'numbers on an axis of instants': (
        'plt.plot([19723,19724],[1,2]); plt.gca().xaxis_date()',
        {'type': 'line', 'x_scale': 'datetime', 'elements': [line([[19723, 1], [19724, 2]])]}),
    'categories': (
        'plt.plot(["a","b","c"],[1,2,3])',
        {'type': 'line', 'x_scale': 'categorical', 'x_ticks': [0, 1, 2], 'x_tick_labels': ['a', 'b', 'c'],
         'elements': [line([[0, 1], [1, 2], [2, 3]])]}),
    'categories upward': (
        'plt.plot([1,2,3],["lo","hi","lo"])',
        {'type': 'line', 'y_scale': 'categorical', 'y_tick_labels': ['lo', 'hi'],
         'elements': [line([[1, 0], [2, 1], [3, 0]])]}),
    'complex numbers': (
        'import warnings; warnings.simplefilter("ignore"); plt.plot([1+2j,3+4j])',
        {'type': 'line', 'elements': [line([[0, 1], [1, 3]])]}),
    'marks only': ('plt.plot([1,2],[3,4],"o")', {'type': 'line', 'elements': [line([[1, 3], [2, 4]])]}),
    'steps': ('plt.step([1,2],[3,4])', {'type': 'line', 'elements': [line([[1, 3], [2, 4]])]}),
    'semilogy': (
        'plt.semilogy([1,10],[3,1000])',
        {'type': 'line', 'x_scale': 'linear', 'y_scale': 'log', 'elements': [line([[1, 3], [10, 1000]])]}),
    'loglog': ('plt.loglog([1,10],[3,1000])', {'type': 'line', 'x_scale': 'log', 'y_scale': 'log'}),
    'symlog': ('plt.plot([-10,0,1000]); plt.yscale("symlog")', {'type': 'line', 'y_scale': 'symlog'}),
    'logit': ('plt.plot([.1,.5,.9]); plt.yscale("logit")', {'type': 'line', 'y_scale': 'logit'}),
    'polar': (
        'plt.polar([0,1,2],[1,2,3])',
        {'type': 'line', 'x_tick_labels': ['0°', '45°', '90°', '135°', '180°', '225°', '270°', '315°'],
         'elements': [line([[0, 1], [1, 2], [2, 3]])]}),
    'a line without points': ('plt.plot([],[])', {'type': 'line', 'elements': [line([])]}),
    'a line for the legend only': (
        'plt.plot([1,2],label="real"); plt.plot([],[],label="proxy"); plt.legend()',
        {'type': 'line', 'elements': [line([[0, 1], [1, 2]], 'real')]}),
    'notes and arrows': (
        'plt.plot([1,2]); plt.text(0,1,"t"); plt.arrow(0,1,.5,.5); plt.table(cellText=[["1"]]);'
        'plt.annotate("peak",(1,2),xytext=(.5,1.5),arrowprops=dict(arrowstyle="->"))',
        {'type': 'line', 'elements': [line([[0, 1], [1, 2]])]}),
    'labels that are not texts': (
        'plt.plot([1,2],label=5); plt.plot([1,2],label=None)',
        {'elements': [line([[0, 1], [1, 2]], '5'), line([[0, 1], [1, 2]])]}),
    'ticks with texts of their own': (
        'plt.plot([1000,2000]); plt.yticks([1000,2000],["1 k","2 k"]); plt.xticks([])',
        {'y_ticks': [1000, 2000], 'y_tick_labels': ['1 k', '2 k'], 'y_scale': 'linear', 'x_ticks': None,
         'x_tick_labels': None}),
    'a formatter that fails': (
        'def fail(v, p): raise ValueError\nplt.plot([1,2]); plt.title("T"); plt.gca().yaxis.set_major_formatter(fail)',
        dict(NOTHING, title='T', png=None)),
    'huge and tiny numbers': (
        'plt.plot([1e20,2e20],[1e-9,2.5])', {'elements': [line([[1e20, 1e-9], [2e20, 2.5]])]}),
    'unicode and mathematics': (
        r'''plt.plot([1,2],label='température ☃ \U0001f600'); plt.title(r'$\alpha^2$ 中文 "q" \\'); plt.xlabel('a\nb')''',
        {'title': '$\\alpha^2$ 中文 "q" \\\\', 'x_label': 'a\nb',
         'elements': [line([[0, 1], [1, 2]], 'température ☃ \U0001f600')]}),
    'half a surrogate pair': (
        r'plt.plot([1,2],label="bad \udc80 x")', {'elements': [line([[0, 1], [1, 2]], 'bad ? x')]}),
    'a title at the left': ('plt.plot([1,2]); plt.title("left",loc="left")', {'title': 'left'}),
    'the title of the figure': ('plt.plot([1,2]); plt.suptitle("S")', {'title': 'S'}),
    'mathematics that cannot be set': (
        r'plt.plot([1,2]); plt.title(r"$\frac{1}$")', {'type': 'line', 'title': r'$\frac{1}$'}),
    'a text miles outside': ('plt.plot([1,2]); plt.text(1e6,1,"far")', {'type': 'line'}),
    'an enormous figure': ('plt.figure(figsize=(2000,1000)); plt.plot([1,2])', {'type': 'line'}),
    'a pixel size of its own': ('plt.figure(dpi=2000); plt.plot([1,2])', {'type': 'line'}),

    # Scatter.
    'scatter': (
        'plt.scatter([1,2],[3,4],label="s")',
        {'type': 'scatter', 'x_scale': 'linear', 'elements': [line([[1, 3], [2, 4]], 's')]}),
    'scatter with colors, sizes and a color bar': (
        's=plt.scatter([1,2],[3,4],c=[1,2],s=[9,20]); plt.colorbar(s,label="bar"); plt.xlabel("x")',
        {'type': 'scatter', 'x_label': 'x', 'elements': [line([[1, 3], [2, 4]])]}),
    'scatter of NaN and masked': (
        'plt.scatter([1,2,np.nan],np.ma.masked_equal([3,4,5],4))', {'type': 'scatter', 'elements': [line([[1, 3]])]}),
    'scatter of instants': (
        'plt.scatter([dt.datetime(2024,1,1)],[1])',
        {'type': 'scatter', 'x_scale': 'datetime', 'elements': [line([[19723, 1]])]}),
    'scatter of categories': (
        'plt.scatter(["x","y"],[1,2])',
        {'type': 'scatter', 'x_scale': 'categorical', 'x_tick_labels': ['x', 'y'],
         'elements': [line([[0, 1], [1, 2]])]}),
    'scatter with rules': (
        'plt.scatter([1,2],[3,4]); plt.axhline(3); plt.plot([1,2],[3.5,3.5])',
        {'type': 'scatter', 'elements': [line([[1, 3], [2, 4]])]}),

    # Bars.
    'bars': (
        'plt.bar(["a","b"],[1,2]); plt.xlabel("c"); plt.ylabel("v")',
        {'type': 'bar', 'x_scale': 'categorical', 'x_label': 'c', 'y_label': 'v',
         'elements': [bar('a', '1'), bar('b', '2')]}),
    'horizontal bars': (
        'plt.barh(["a","b"],[1,2.5]); plt.xlabel("v"); plt.ylabel("c")',
        {'type': 'bar', 'y_scale': 'categorical', 'x_label': 'c', 'y_label': 'v',
         'elements': [bar('a', '1'), bar('b', '2.5')]}),
    'groups': (
        'x=np.arange(2); plt.bar(x-.2,[1,2],.4,label="g"); plt.bar(x+.2,[4,5],.4,label="h"); plt.xticks(x,["A","B"])',
        {'type': 'bar', 'x_scale': 'categorical', 'elements': [
            bar('A', '1', 'g'), bar('B', '2', 'g'), bar('A', '4', 'h'), bar('B', '5', 'h')]}),
    'horizontal groups': (
        'y=np.arange(2); plt.barh(y-.2,[1,2],.4,label="g"); plt.barh(y+.2,[4,5],.4,label="h");'
        'plt.yticks(y,["A","B"]); plt.xlabel("v"); plt.ylabel("c")',
        {'type': 'bar', 'x_label': 'c', 'y_label': 'v', 'y_scale': 'categorical', 'x_scale': 'linear', 'elements': [
            bar('A', '1', 'g'), bar('B', '2', 'g'), bar('A', '4', 'h'), bar('B', '5', 'h')]}),
    'stacked bars': (
        'plt.bar(["a","b"],[1,2],label="l"); plt.bar(["a","b"],[3,4.5],bottom=[1,2],label="h")',
        {'type': 'bar', 'elements': [
            bar('a', '1', 'l'), bar('b', '2', 'l'), bar('a', '3', 'h'), bar('b', '4.5', 'h')]}),
    'equal bars': ('plt.bar(["a","b"],[5,5])', {'type': 'bar', 'elements': [bar('a', '5'), bar('b', '5')]}),
    'equal horizontal bars': (
        'plt.barh(["a","b"],[5,5]); plt.ylabel("c")',
        {'type': 'bar', 'x_label': 'c', 'elements': [bar('a', '5'), bar('b', '5')]}),
    'a single bar': ('plt.bar(["a"],[7])', {'type': 'bar', 'elements': [bar('a', '7')]}),
    'negative, zero and fractions': (
        'plt.bar(["a","b","c"],[-1,0,0.1])', {'type': 'bar', 'elements': [bar('a', '-1'), bar('b', '0'), bar('c', '0.1')]}),
    'bars at numbers': (
        'plt.bar([1,2.5],[1,2])', {'type': 'bar', 'x_scale': 'linear', 'elements': [bar('1', '1'), bar('2.5', '2')]}),
    'bars at instants': (
        'plt.bar([dt.datetime(2024,1,1),dt.datetime(2024,1,1,12)],[1,2],.3)',
        {'type': 'bar', 'x_scale': 'datetime', 'elements': [bar('2024-01-01', '1'), bar('2024-01-01 12:00:00', '2')]}),
    'bars with NaN': ('plt.bar(["a","b"],[1,np.nan])', {'type': 'bar', 'elements': [bar('a', '1')]}),
    'bars with a rule and texts': (
        'plt.bar_label(plt.bar(["a","b"],[1,2])); plt.axhline(1.5)',
        {'type': 'bar', 'elements': [bar('a', '1'), bar('b', '2')]}),
    'bars on a log scale': (
        'plt.bar(["a"],[1000]); plt.yscale("log")', {'type': 'bar', 'y_scale': 'log', 'elements': [bar('a', '1000')]}),
    'bars with few ticks': (
        'plt.bar(range(4),[1,2,3,4]); plt.xticks([0,3],["first","last"])',
        {'elements': [bar('first', '1'), bar('1', '2'), bar('2', '3'), bar('last', '4')]}),
    'an axis upside down': (
        'plt.barh(["a","b"],[1,2]); plt.gca().invert_yaxis()',
        {'type': 'bar', 'elements': [bar('a', '1'), bar('b', '2')]}),
    'a histogram': (
        'plt.hist([1,1.5,2,3,3,3],bins=[0,2,4])', {'type': 'bar', 'elements': [bar('1', '2'), bar('3', '4')]}),
    'a horizontal histogram': (
        'plt.hist([1,1.5,2,3,3,3],bins=[0,2,4],orientation="horizontal"); plt.ylabel("c")',
        {'type': 'bar', 'x_label': 'c', 'elements': [bar('1', '2'), bar('3', '4')]}),
    'a stacked histogram': (
        'plt.hist([[1,3],[3,3]],bins=[0,2,4],stacked=True,label=["p","q"])',
        {'type': 'bar', 'elements': [bar('1', '1', 'p'), bar('3', '1', 'p'), bar('1', '0', 'q'), bar('3', '2', 'q')]}),
    'polar bars': (
        'plt.subplot(projection="polar").bar([0,1],[1,2])',
        {'type': 'bar', 'elements': [bar('0', '1'), bar('1', '2')]}),

    # Pies.
    'a pie': (
        'plt.pie([30,70],labels=["a","b"])',
        {'type': 'pie', 'x_scale': 'categorical', 'y_scale': 'categorical', 'x_ticks': None,
         'elements': [wedge('a', 108), wedge('b', 252)]}),
    'a pie with percentages': (
        'plt.pie([30,70],labels=["a","b"],autopct="%1.0f%%",startangle=90)',
        {'type': 'pie', 'elements': [wedge('a', 108, autopct='30%'), wedge('b', 252, autopct='70%')]}),
    'a pie with percentages only': (
        'plt.pie([30,70],autopct="%1.0f%%")',
        {'type': 'pie', 'elements': [wedge('', 108, autopct='30%'), wedge('', 252, autopct='70%')]}),
    'labels like percentages': (
        'plt.pie([30,70],labels=["30%","70%"],autopct="%1.0f%%")',
        {'type': 'pie', 'elements': [wedge('30%', 108, autopct='30%'), wedge('70%', 252, autopct='70%')]}),
    'equal labels': (
        'plt.pie([1,1,2],labels=["a","a","a"],autopct="%d")',
        {'elements': [wedge('a', 90, autopct='25'), wedge('a', 90, autopct='25'), wedge('a', 180, autopct='50')]}),
    'a pie with everything': (
        'plt.pie([1,2,0,3],labels=list("abcd"),explode=[0,.1,0,.2],shadow=True,autopct=lambda p:"%.1f"%p,radius=2,'
        'counterclock=False,rotatelabels=True,labeldistance=1.3,pctdistance=.8)',
        {'type': 'pie', 'elements': [wedge('a', 60, 2, autopct='16.7'), wedge('b', 120, 2, autopct='33.3'),
                                     wedge('c', 0, 2, autopct='0.0'), wedge('d', 180, 2, autopct='50.0')]}),
    'a donut': (
        'plt.pie([1,2],labels=["a","b"],wedgeprops=dict(width=.4)); plt.gca().add_artist(plt.Circle((0,0),.7,fc="w"))',
        {'type': 'pie', 'elements': [wedge('a', 120), wedge('b', 240)]}),
    'rings': (
        'plt.pie([1,2],labels=["o","p"]); plt.pie([1,3],radius=.5,labels=["i","j"],autopct="%d")',
        {'elements': [wedge('o', 120), wedge('p', 240), wedge('i', 90, .5, autopct='25'),
                      wedge('j', 270, .5, autopct='75')]}),
    'labels in the legend only': (
        'plt.pie([1,3],labels=["a","b"],labeldistance=None,autopct="%d"); plt.legend()',
        {'elements': [wedge('a', 90, autopct='25'), wedge('b', 270, autopct='75')]}),

    # Boxes.
    'boxes': (
        FIRST + ')',
        {'type': 'box_and_whisker', 'x_scale': 'linear', 'elements': [box('1', SECOND[0], [20]), box('2', SECOND[1])]}),
    'patch boxes': (
        FIRST + ',patch_artist=True); plt.xticks([1,2],["p","q"])',
        {'type': 'box_and_whisker', 'x_scale': 'categorical',
         'elements': [box('p', SECOND[0], [20]), box('q', SECOND[1])]}),
    'a single box': (
        'plt.boxplot([1,2,3,4,20])', {'type': 'box_and_whisker', 'elements': [box('1', SECOND[0], [20])]}),
    'horizontal boxes': (
        'import warnings; warnings.simplefilter("ignore");' + FIRST + ',vert=False); plt.yticks([1,2],["p","q"]);'
        'plt.ylabel("c"); plt.xlabel("v")',
        {'type': 'box_and_whisker', 'x_label': 'c', 'y_label': 'v', 'y_scale': 'categorical', 'x_scale': 'linear',
         'elements': [box('p', SECOND[0], [20]), box('q', SECOND[1])]}),
    'horizontal patch boxes': (
        FIRST + ',vert=False,patch_artist=True); plt.ylabel("c")',
        {'type': 'box_and_whisker', 'x_label': 'c', 'elements': [box('1', SECOND[0], [20]), box('2', SECOND[1])]}),
    'boxes of equal numbers': (
        'plt.boxplot([[2,2,2],[3,3,3]],patch_artist=True)',
        {'type': 'box_and_whisker', 'elements': [box('1', [2] * 5), box('2', [3] * 5)]}),
    'a horizontal box of equal numbers': (
        'plt.boxplot([[2,2,2]],vert=False); plt.ylabel("c")',
        {'type': 'box_and_whisker', 'x_label': 'c', 'elements': [box('1', [2] * 5)]}),
    'notches and means': (
        FIRST + ',notch=True,showmeans=True)',
        {'type': 'box_and_whisker', 'elements': [box('1', SECOND[0], [20]), box('2', SECOND[1])]}),
    'lines of means, no caps': (
        FIRST + ',showmeans=True,meanline=True,showcaps=False)',
        {'type': 'box_and_whisker', 'elements': [box('1', SECOND[0], [20]), box('2', SECOND[1])]}),
    'no outliers': (
        FIRST + ',showfliers=False)',
        {'type': 'box_and_whisker', 'elements': [box('1', SECOND[0]), box('2', SECOND[1])]}),
    'means but no outliers': (
        FIRST + ',showfliers=False,showmeans=True)',
        {'type': 'box_and_whisker', 'elements': [box('1', SECOND[0]), box('2', SECOND[1])]}),
    'all outliers': (
        'plt.boxplot([[1,2,2,2,2,3,3,20,21]])', {'elements': [box('1', (1, 2, 2, 3, 3), [20, 21])]}),
    'a box without data': (
        'plt.boxplot([[1,2,3],[]])', {'type': 'box_and_whisker', 'elements': [box('1', (1, 1.5, 2, 2.5, 3))]}),
    'boxes here and there': (
        'plt.boxplot([[1,2,3],[4,5,6]],positions=[1,4.5],widths=.3,manage_ticks=False)',
        {'elements': [box('1', (1, 1.5, 2, 2.5, 3)), box('4.5', (4, 4.5, 5, 5.5, 6))]}),

    # Several axes.
    'subplots': (
        'f,(a,b)=plt.subplots(1,2); a.plot([1,2],[3,5],label="L"); a.set_title("A"); b.bar(["q"],[2]);'
        'b.set_xlabel("bx"); f.suptitle("C")',
        {'type': 'composite_chart', 'title': 'C', 'x_ticks': None, 'elements': [
            {'type': 'line', 'title': 'A', 'x_scale': 'linear', 'elements': [line([[1, 3], [2, 5]], 'L')]},
            {'type': 'bar', 'x_label': 'bx', 'x_scale': 'categorical', 'x_ticks': [0], 'x_tick_labels': ['q'],
             'elements': [bar('q', '2')]}]}),
    'shared axes': (
        'f,x=plt.subplots(2,1,sharex=True); x[0].bar(["a","b"],[1,2]); x[1].bar(["a","b"],[3,4])',
        {'type': 'composite_chart', 'elements': [
            {'type': 'bar', 'x_scale': 'categorical', 'x_tick_labels': ['a', 'b'],
             'elements': [bar('a', '1'), bar('b', '2')]},
            {'type': 'bar', 'x_scale': 'categorical', 'x_tick_labels': ['a', 'b'],
             'elements': [bar('a', '3'), bar('b', '4')]}]}),
    'empty axes do not count': (
        'f,x=plt.subplots(2,2); x[1,0].plot([1,2]); x[1,0].set_title("only")',
        {'type': 'line', 'title': 'only', 'elements': [line([[0, 1], [1, 2]])]}),
    'hidden axes do not count': (
        'f,x=plt.subplots(1,2); x[0].plot([1,2]); x[1].plot([3,4]); x[1].set_visible(False)',
        {'type': 'line', 'elements': [line([[0, 1], [1, 2]])]}),
    'twin axes': (
        'a=plt.gca(); a.plot([1,2]); b=a.twinx(); b.scatter([0],[3]); b.set_ylabel("right")',
        {'type': 'composite_chart', 'elements': [
            {'type': 'line', 'elements': [line([[0, 1], [1, 2]])]},
            {'type': 'scatter', 'y_label': 'right', 'elements': [line([[0, 3]])]}]}),
    'an inset': (
        'a=plt.gca(); a.plot([1,2]); a.inset_axes([.5,.5,.4,.4]).plot([3,4]); a.secondary_xaxis("top")',
        {'type': 'composite_chart', 'elements': [{'elements': [line([[0, 1], [1, 2]])]},
                                                 {'elements': [line([[0, 3], [1, 4]])]}]}),
    'figures in a figure': (
        'a,b=plt.figure().subfigures(1,2); a.subplots().plot([1,2]); b.subplots().bar(["q"],[1])',
        {'type': 'composite_chart', 'elements': [{'type': 'line'}, {'type': 'bar'}]}),
    'one axes that is not understood': (
        'f,(a,b)=plt.subplots(1,2); a.imshow([[1]]); b.plot([1,2])',
        {'type': 'composite_chart', 'elements': [NOTHING, {'type': 'line'}]}),

    # All the rest.
    'an empty figure': ('plt.figure()', dict(NOTHING, title=None, x_ticks=None)),
    'empty axes': ('plt.subplots(); plt.title("E"); plt.xlabel("x")', dict(NOTHING, title='E', x_label='x')),
    'a rule alone': ('plt.axhline(1)', NOTHING),
    'a text alone': ('plt.text(.5,.5,"hi"); plt.title("t")', dict(NOTHING, title='t')),
    'scatter and line': ('plt.scatter([1,2],[3,4]); plt.plot([1,2,3],[3,4,7])', NOTHING),
    'bars and line': ('plt.bar([1,2],[3,4]); plt.plot([1,2,3],[3,4,7])', NOTHING),
    'boxes and line': ('plt.boxplot([[1,2,3]]); plt.plot([1,2,3])', NOTHING),
    'a line and boxes': ('plt.plot([1,2,3]); plt.boxplot([[1,2,3]])', NOTHING),
    'bars with errors': ('plt.bar(["a"],[1],yerr=[.1])', NOTHING),
    'error bars': ('plt.errorbar([1,2],[1,2],yerr=.2)', NOTHING),
    'an image': ('plt.imshow([[1,2],[3,4]]); plt.colorbar(); plt.title("i")', dict(NOTHING, title='i')),
    'contours': ('plt.contour([[1,2],[3,4]])', NOTHING),
    'filled contours': ('plt.contourf([[1,2],[3,4]]); plt.colorbar(cax=plt.axes([.9,.1,.02,.8]))', NOTHING),
    'a filled band': ('plt.plot([1,2]); plt.fill_between([0,1],[1,2])', NOTHING),
    'a stack': ('plt.stackplot([1,2],[1,2],[4,5])', NOTHING),
    'violins': ('plt.violinplot([[1,2,3,4]])', NOTHING),
    'hexagons': ('plt.hexbin(range(9),range(9))', NOTHING),
    'stems': ('plt.stem([1,2],[1,2])', NOTHING),
    'hlines and vlines': ('plt.hlines([1,2],0,1); plt.vlines([1],0,1)', NOTHING),
    'arrows in a field': ('plt.quiver([1,2],[1,2],[1,1],[0,1])', NOTHING),
    'a mesh': ('plt.pcolormesh([[1,2],[3,4]])', NOTHING),
    'a step histogram': ('plt.hist([1,2,2],histtype="step")', NOTHING),
    'stairs': ('plt.stairs([1,2])', NOTHING),
    'broken bars': ('plt.broken_barh([(1,2)],(0,1))', NOTHING),
    'events': ('plt.eventplot([1,2])', NOTHING),
    'a rectangle': ('plt.gca().add_patch(plt.Rectangle((0,0),1,2))', NOTHING),
    'a polygon': ('plt.fill([0,1,1],[0,0,1])', NOTHING),
    'lines in space': ('plt.figure().add_subplot(projection="3d").plot([1,2],[3,4],[5,6])', NOTHING),
    'a text in space': (
        'plt.figure().add_subplot(projection="3d").text(1,2,3,"t")', NOTHING),
    'bars in space': ('plt.figure().add_subplot(projection="3d").bar([1,2],[3,4])', NOTHING),
    'a surface': (
        'X,Y=np.meshgrid([1,2],[1,2]); plt.figure().add_subplot(projection="3d").plot_surface(X,Y,X*Y)', NOTHING),
}

PANDAS = {
    'a series of days': (
        'pd.Series([1,2],index=pd.date_range("2024-01-01",periods=2)).plot()',
        {'type': 'line', 'x_scale': 'datetime', 'elements': [line([[19723, 1], [19724, 2]])]}),
    'a series of months': (
        'pd.Series([1,2],index=pd.date_range("2024-01-01",periods=2,freq="MS")).plot()',
        {'type': 'line', 'x_scale': 'datetime', 'x_tick_labels': ['Jan\n2024'], 'x_ticks': [19723],
         'elements': [line([[19723, 1], [19754, 2]])]}),
    'an irregular series': (
        'pd.Series([1,2,3],index=pd.to_datetime(["2024-01-01","2024-01-05","2024-02-01"])).plot()',
        {'type': 'line', 'x_scale': 'datetime', 'elements': [line([[19723, 1], [19727, 2], [19754, 3]])]}),
    'a frame': (
        'pd.DataFrame({"x":[1,2],"y":[3,None]}).plot()',
        {'type': 'line', 'elements': [line([[0, 1], [1, 2]], 'x'), line([[0, 3]], 'y')]}),
    'bars of a frame': (
        'pd.DataFrame({"x":[1,2],"y":[3,4]},index=["r","s"]).plot.bar()',
        {'type': 'bar', 'x_scale': 'categorical',
         'elements': [bar('r', '1', 'x'), bar('s', '2', 'x'), bar('r', '3', 'y'), bar('s', '4', 'y')]}),
    'stacked horizontal bars of a frame': (
        'pd.DataFrame({"x":[1,2],"y":[3,4]},index=["r","s"]).plot.barh(stacked=True)',
        {'type': 'bar', 'y_scale': 'categorical',
         'elements': [bar('r', '1', 'x'), bar('s', '2', 'x'), bar('r', '3', 'y'), bar('s', '4', 'y')]}),
    'boxes of a frame': (
        'pd.DataFrame({"x":[1,2,3,9],"y":[3,4,5,6]}).plot.box()',
        {'type': 'box_and_whisker', 'x_scale': 'categorical', 'elements': [
            box('x', (1, 1.75, 2.5, 4.5, 4.5), [9]), box('y', (3, 3.75, 4.5, 5.25, 6))]}),
    'a pie of a series': (
        'pd.Series([1,3],index=["a","b"]).plot.pie(autopct="%d%%")',
        {'type': 'pie', 'elements': [wedge('a', 90, autopct='25%'), wedge('b', 270, autopct='75%')]}),
    'subplots of a frame': (
        'pd.DataFrame({"x":[1,2],"y":[3,4]}).plot(subplots=True)',
        {'type': 'composite_chart', 'elements': [{'elements': [line([[0, 1], [1, 2]], 'x')]},
                                                 {'elements': [line([[0, 3], [1, 4]], 'y')]}]}),
    'an area': ('pd.DataFrame({"x":[1,2]}).plot.area()', NOTHING),
}

SEABORN = {
    'barplot': (
        'sns.barplot(data=F,x="c",y="v")', {'type': 'bar', 'elements': [bar('a', '1.5'), bar('b', '4')]}),
    'barplot with hue': (
        'sns.barplot(data=F,x="c",y="v",hue="h")',
        {'type': 'bar', 'elements': [bar('a', '1', None), bar('b', '4', None), bar('a', '2', None), bar('b', '4', None)]}),
    'horizontal barplot': (
        'sns.barplot(data=F,x="v",y="c")',
        {'type': 'bar', 'x_label': 'c', 'y_label': 'v', 'elements': [bar('a', '1.5'), bar('b', '4')]}),
    'countplot': ('sns.countplot(data=F,x="c")', {'type': 'bar', 'elements': [bar('a', '2'), bar('b', '3')]}),
    'histplot': ('sns.histplot([1,1,3],bins=2)', {'type': 'bar', 'elements': [bar('1.5', '2'), bar('2.5', '1')]}),
    'boxplot': (
        'sns.boxplot(data=F,x="c",y="v")',
        {'type': 'box_and_whisker', 'elements': [box('a', (1, 1.25, 1.5, 1.75, 2)), box('b', (3, 3.5, 4, 4.5, 5))]}),
    'boxplot with hue': (
        'sns.boxplot(data=F,x="c",y="v",hue="h")', {'type': 'box_and_whisker', 'x_scale': 'categorical'}),
    'horizontal boxplot': (
        'sns.boxplot(data=F,x="v",y="c")',
        {'x_label': 'c', 'elements': [box('a', (1, 1.25, 1.5, 1.75, 2)), box('b', (3, 3.5, 4, 4.5, 5))]}),
    'lineplot': (
        'sns.lineplot(x=[1,2],y=[3,4])', {'type': 'line', 'elements': [line([[1, 3], [2, 4]])]}),
    'scatterplot with hue': (
        'sns.scatterplot(data=F,x="v",y="v",hue="h")',
        {'type': 'scatter', 'elements': [line([[1, 1], [2, 2], [3, 3], [4, 4], [5, 5]])]}),
    'heatmap': ('sns.heatmap([[1,2],[3,4]],annot=True)', NOTHING),
    'violinplot': ('sns.violinplot(data=F,x="c",y="v")', NOTHING),
    'regplot': ('sns.regplot(x=[1,2,3],y=[1,2,3])', NOTHING),
    'catplot': (
        'sns.catplot(data=F,x="c",y="v",kind="bar",col="h")',
        {'type': 'composite_chart', 'elements': [
            {'type': 'bar', 'title': 'h = m', 'elements': [bar('a', '1'), bar('b', '4')]},
            {'type': 'bar', 'title': 'h = w', 'elements': [bar('a', '2'), bar('b', '4')]}]}),
}


@functools.lru_cache(maxsize=None)
def shown(imports, *codes):
    """The charts of drawings that one program makes, each with a show of its own."""
    program = IMPORTS + imports + ''.join(code + '\nplt.show()\n' for code in codes)
    outcome = harness.show(program.encode())
    assert outcome.status == 0, outcome.stderr
    assert len(outcome.charts) == len(codes), (len(outcome.charts), len(codes))
    return dict(zip(codes, outcome.charts))


class Kinds(unittest.TestCase):
    maxDiff = None

    def check(self, chart, expected):
        for name, value in expected.items():
            if name == 'elements':
                self.assertEqual(len(chart['elements']), len(value), chart['elements'])
                for element, part in zip(chart['elements'], value):
                    self.check(element, part)
                    if 'type' not in element:
                        self.assertEqual(set(element), set(part))
            elif value is AUTO:
                self.assertTrue(chart[name].startswith('_') or chart[name] == 'None', chart[name])
            elif value is None and name == 'group':
                self.assertIsInstance(chart[name], str)
            else:
                self.assertEqual(chart.get(name), value, name)

    def check_form(self, chart, nested=False):
        """What holds for every chart: JSON of the strict kind, and a picture."""
        self.assertIn(chart['type'], ('line', 'scatter', 'bar', 'pie', 'box_and_whisker', 'composite_chart', 'unknown'))
        self.assertIsInstance(chart['elements'], list)
        for name in 'title', 'x_label', 'y_label', 'x_scale', 'y_scale':
            self.assertIsInstance(chart.get(name, 'text'), str)
            self.assertNotEqual(chart.get(name), '')
        for axis in 'xy':
            ticks, labels = (chart.get(axis + end, []) for end in ('_ticks', '_tick_labels'))
            self.assertTrue(all(type(tick) in (int, float) for tick in ticks))
            self.assertTrue(all(type(label) is str for label in labels))
            self.assertEqual(len(ticks), len(labels))
        for element in chart['elements']:
            if chart['type'] == 'composite_chart':
                self.check_form(element, nested=True)
                continue
            for name, value in element.items():
                if name in ('label', 'group', 'value', 'autopct'):
                    self.assertIs(type(value), str)
                elif name == 'points':
                    self.assertTrue(all(type(n) in (int, float) for point in value for n in point))
                    self.assertTrue(all(len(point) == 2 for point in value))
                elif name == 'outliers':
                    self.assertTrue(all(type(n) in (int, float) for n in value))
                else:
                    self.assertIn(type(value), (int, float))
        self.assertEqual('png' in chart, not nested)
        if not nested:
            self.assertTrue(base64.b64decode(chart['png'], validate=True).startswith(b'\x89PNG\r\n\x1a\n'))


@needs_matplotlib
class Matplotlib(Kinds):
    imports, drawings = '', DRAWINGS


@needs_matplotlib
@needs('pandas')
class Pandas(Kinds):
    imports, drawings = 'import pandas as pd\n', PANDAS


@needs_matplotlib
@needs('seaborn')
class Seaborn(Kinds):
    imports = ('import pandas as pd, seaborn as sns\n'
               'F = pd.DataFrame({"c": list("aabbb"), "v": [1., 2, 3, 4, 5], "h": list("mwmwm")})\n')
    drawings = SEABORN


def case(code, expected):
    def test(self):
        chart = shown(self.imports, *(code for code, _ in self.drawings.values()))[code]
        self.check(chart, {name: value for name, value in expected.items() if name != 'png'})
        if 'png' not in expected:
            self.check_form(chart)
    return test


for group in Matplotlib, Pandas, Seaborn:
    for name, (code, expected) in group.drawings.items():
        test = case(code, expected)
        test.__name__ = 'test ' + name
        setattr(group, test.__name__, test)


if __name__ == '__main__':
    unittest.main()
