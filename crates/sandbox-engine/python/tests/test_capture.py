"""When charts come, that they come whole, and that the program goes its way as if nobody looked."""
import base64
import os
import struct
import sys
import textwrap
import unittest

from harness import Workplace, needs_matplotlib, show

PLOT = 'import matplotlib.pyplot as plt\n'


def types(outcome):
    return [chart['type'] for chart in outcome.charts]


@needs_matplotlib
class Rule(unittest.TestCase):
    """Which figures a show yields."""

    def test_all_open_figures_in_number_order(self):
        outcome = show(PLOT + '''
for number in 3, 1, 2:
    plt.figure(number); plt.plot([number]); plt.title(str(number))
plt.figure(3)
plt.show()
print(plt.get_fignums())
''')
        self.assertEqual([chart['title'] for chart in outcome.charts], ['1', '2', '3'])
        self.assertEqual(outcome.stdout, '[]\n')

    def test_a_second_show_of_nothing(self):
        self.assertEqual(types(show(PLOT + 'plt.plot([1,2]); plt.show(); plt.show()')), ['line'])

    def test_a_show_of_nothing_at_all(self):
        self.assertEqual(types(show(PLOT + 'plt.show()')), [])

    def test_a_figure_that_was_closed(self):
        self.assertEqual(types(show(PLOT + 'plt.plot([1,2]); plt.close(); plt.show()')), [])

    def test_what_is_drawn_after_a_show_is_a_new_figure(self):
        outcome = show(PLOT + 'plt.plot([1,2]); plt.show(); plt.title("late"); plt.show()')
        self.assertEqual(types(outcome), ['line', 'unknown'])
        self.assertEqual(outcome.charts[1]['title'], 'late')

    def test_no_show(self):
        self.assertEqual(types(show(PLOT + 'plt.plot([1,2])')), [])

    def test_savefig_alone(self):
        outcome = show(PLOT + 'plt.plot([1,2]); plt.savefig("x.png"); import os; print(os.path.getsize("x.png") > 1000)')
        self.assertEqual((types(outcome), outcome.stdout), ([], 'True\n'))

    def test_savefig_and_show(self):
        self.assertEqual(types(show(PLOT + 'plt.plot([1,2]); plt.savefig("x.png"); plt.show()')), ['line'])

    def test_figure_show(self):
        self.assertEqual(types(show(PLOT + 'f = plt.figure(); plt.plot([1,2]); f.show()')), [])

    def test_a_figure_without_pyplot(self):
        outcome = show(PLOT + 'from matplotlib.figure import Figure\nFigure().subplots().plot([1,2]); plt.show()')
        self.assertEqual(types(outcome), [])

    def test_an_exception_later(self):
        outcome = show(PLOT + 'plt.plot([1,2])\nplt.show()\nraise ValueError("later")')
        self.assertEqual((types(outcome), outcome.code), (['line'], 1))

    def test_a_death_later(self):
        outcome = show(PLOT + 'import os\nplt.plot([1,2])\nplt.show()\nos.abort()')
        self.assertEqual((types(outcome), outcome.code), (['line'], -6))

    def test_many_figures(self):
        outcome = show('import warnings; warnings.simplefilter("ignore")\n' + PLOT +
                       'for n in range(40): plt.figure(figsize=(1, 1))\nplt.show()')
        self.assertEqual(types(outcome), ['unknown'] * 40)

    def test_a_large_picture(self):
        outcome = show(PLOT + '''
import numpy as np
plt.figure(figsize=(15, 15)); plt.axes([0, 0, 1, 1]); plt.axis('off')
plt.imshow(np.random.default_rng(1).random((1500, 1500, 3)), interpolation='none')
plt.show()
''')
        self.assertGreater(len(outcome.chart['png']), 5e6)

    def test_many_points(self):
        outcome = show(PLOT + 'import numpy as np\nplt.plot(np.arange(200000)); plt.show()')
        self.assertEqual(len(outcome.chart['elements'][0]['points']), 200000)

    def test_interactive_mode(self):
        self.assertEqual(types(show(PLOT + 'plt.ion(); plt.plot([1,2]); plt.show()')), ['line'])

    def test_show_that_does_not_block(self):
        outcome = show(PLOT + 'plt.plot([1,2]); plt.show(block=False); plt.pause(.01); plt.close("all"); print("on")')
        self.assertEqual((types(outcome), outcome.stdout), (['line'], 'on\n'))

    def test_a_pause_is_no_show(self):
        outcome = show(PLOT + 'plt.ion(); plt.plot([1,2]); plt.pause(.01); plt.plot([3,4]); plt.pause(.01); plt.show()')
        self.assertEqual(types(outcome), ['line'])
        self.assertEqual(len(outcome.chart['elements']), 2)

    def test_an_animation(self):
        outcome = show('import warnings; warnings.simplefilter("ignore")\n' + PLOT + '''
from matplotlib.animation import FuncAnimation
line, = plt.plot([], [])
def step(n):
    print("step")
    return line,
animation = FuncAnimation(plt.gcf(), step, frames=3)
plt.show()
''')
        self.assertEqual((types(outcome), outcome.stdout), (['line'], ''))

    def test_a_thread(self):
        outcome = show(PLOT + '''
import threading
def draw():
    plt.figure(); plt.plot([1,2]); plt.show()
thread = threading.Thread(target=draw); thread.start(); thread.join()
''')
        self.assertEqual((types(outcome), outcome.stderr), (['line'], ''))

    def test_at_exit(self):
        outcome = show(PLOT + 'import atexit\natexit.register(plt.show)\nplt.plot([1,2])')
        self.assertEqual((types(outcome), outcome.stderr), (['line'], ''))


@needs_matplotlib
class Import(unittest.TestCase):
    """However pyplot is imported."""

    def check(self, program, expected=('line',)):
        outcome = show(program)
        self.assertEqual(types(outcome), list(expected), outcome.stderr)
        self.assertEqual(outcome.stderr, '')

    def test_in_other_words(self):
        for words in (
                'from matplotlib import pyplot as p',
                'import matplotlib.pyplot; p = matplotlib.pyplot',
                'import importlib; p = importlib.import_module("matplotlib.pyplot")',
                'import importlib; p = importlib.import_module(".pyplot", "matplotlib")',
                'p = __import__("matplotlib.pyplot").pyplot',
                'import importlib.util; importlib.util.find_spec("matplotlib.pyplot")\nimport matplotlib.pyplot as p',
                'exec("import " + "matplot" + "lib.pyplot as p")',
                'import pylab as p',
                'import matplotlib.pyplot as p\nfrom pylab import *\np.show = show'):
            with self.subTest(words):
                self.check(words + '\np.plot([1, 2])\np.show()')

    def test_show_by_name(self):
        self.check('from matplotlib.pyplot import *\nplot([1, 2])\nshow()')

    def test_in_a_function(self):
        self.check('def f():\n  import matplotlib.pyplot as p\n  p.plot([1, 2])\n  p.show()\nf()')

    def test_in_a_module(self):
        self.check('open("m.py", "w").write("import matplotlib.pyplot as p")\nimport m\nm.p.plot([1, 2])\nm.p.show()')

    def test_by_two_threads_at_once(self):
        self.check('''
            import threading
            def load():
                import matplotlib.pyplot
            threads = [threading.Thread(target=load) for _ in range(4)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            import matplotlib.pyplot as p
            p.plot([1, 2])
            p.show()
            ''')

    def test_an_import_that_failed_at_first(self):
        self.check('''
            import sys
            sys.modules["matplotlib.ticker"] = None
            try:
                import matplotlib.pyplot
            except ImportError as error:
                pass
            del sys.modules["matplotlib.ticker"]
            for name in [name for name in sys.modules if name.startswith("matplotlib")]:
                del sys.modules[name]
            import matplotlib.pyplot as p
            p.plot([1, 2])
            p.show()
            ''')

    def test_nothing_is_left_behind(self):
        outcome = show(PLOT + '''
import sys
print([finder for finder in sys.meta_path if 'sandbox' in repr(finder)], [m for m in sys.modules if 'sandbox' in m])
print(type(plt.__loader__).__name__, vars(plt.__loader__).keys() - {'name', 'path'}, plt.__spec__.loader is plt.__loader__)
''')
        self.assertEqual(outcome.stdout, '[] []\nSourceFileLoader set() True\n')


@needs_matplotlib
class Backends(unittest.TestCase):
    def check(self, program, **options):
        outcome = show(program, **options)
        self.assertEqual((types(outcome), outcome.stderr, outcome.code), (['line'], '', 0))
        return outcome

    def test_none_chosen(self):
        self.assertEqual(self.check(PLOT + 'plt.plot([1,2]); plt.show(); print(plt.get_backend())').stdout, 'agg\n')

    def test_none_chosen_where_a_display_is_said_to_be(self):
        self.check(PLOT + 'plt.plot([1,2]); plt.show()', env={'DISPLAY': ':99'})

    def test_agg_where_a_display_is_said_to_be(self):
        self.check('import matplotlib; matplotlib.use("Agg")\n' + PLOT + 'plt.plot([1,2]); plt.show()',
                   env={'DISPLAY': ':99'})

    def test_others_without_windows(self):
        for name in 'pdf', 'svg', 'ps', 'template', 'Agg':
            if name != 'template':  # Its figures cannot be saved by themselves, but as PNG they can.
                self.check(PLOT + 'plt.plot([1,2]); plt.show()', env={'MPLBACKEND': name})

    def test_windows_without_a_display(self):
        for name in 'TkAgg', 'QtAgg', 'GTK3Agg', 'WebAgg':
            with self.subTest(name):
                self.check('import matplotlib; matplotlib.use("%s")\n' % name + PLOT + 'plt.plot([1,2]); plt.show()')
                self.check(PLOT + 'plt.plot([1,2]); plt.show()', env={'MPLBACKEND': name})

    def test_windows_asked_for_late(self):
        self.check(PLOT + 'plt.switch_backend("TkAgg"); plt.plot([1,2]); plt.show()')
        self.check(PLOT + 'import matplotlib; matplotlib.use("TkAgg"); plt.plot([1,2]); plt.show()')

    def test_another_backend_that_is_not_there(self):
        program = PLOT + 'plt.switch_backend("module://surely_not_there"); plt.plot([1,2])'
        with Workplace(program) as workplace:
            plain, boot = workplace.plain(), workplace.boot()
        self.assertEqual(boot.stderr, plain.stderr)
        self.assertIn('surely_not_there', boot.stderr)

    def test_a_backend_of_the_programs_own(self):
        program = 'import matplotlib; matplotlib.use("module://own")\n' + PLOT + (
            'plt.plot([1, 2]); plt.show(block=True); print(plt.get_fignums())')
        with Workplace(program) as workplace:
            with open(os.path.join(workplace.cwd, 'own.py'), 'w') as file:
                file.write('from matplotlib.backends.backend_agg import *\n'
                           'def show(*args, **kwargs):\n'
                           '    import matplotlib.pyplot as plt\n'
                           '    print("showing", plt.get_fignums(), args, kwargs)\n')
            outcome = workplace.boot()
        self.assertEqual((types(outcome), outcome.stderr), (['line'], ''))
        self.assertEqual(outcome.stdout, "showing [1] () {'block': True}\n[]\n")


UNDISTURBED = {
    'what show is': '''
        import inspect
        print(plt.show.__name__, plt.show.__qualname__, plt.show.__module__, plt.show.__doc__, inspect.signature(plt.show))
        print(inspect.getsource(plt.show), inspect.getsource(plt.switch_backend), plt.show is vars(plt)["show"])
        ''',
    'settings': '''
        before = dict(matplotlib.rcParams)
        draw()
        plt.show()
        print({name: value for name, value in matplotlib.rcParams.items() if before[name] != value})
        ''',
    'the random state': '''
        import random
        random.seed(1); np.random.seed(1); draw(); plt.show(); print(random.random(), np.random.random())
        ''',
    'warnings of the program': '''
        import warnings
        for n in range(3):
            warnings.warn("mine"); draw(); plt.show()
        print(len(warnings.filters))
        ''',
    'warnings and logs of the drawing': '''
        plt.title("\\u4e2d"); plt.plot([1,2], label="\\u6587"); plt.legend(); plt.rcParams["font.family"] = "No Such Font"; plt.show()
        ''',
    'warnings as errors': '''
        import warnings
        warnings.simplefilter("error")
        plt.title("\\u4e2d"); plt.plot([1,2]); plt.show()
        ''',
    'errors of numpy': '''
        np.seterr(all="raise"); plt.plot([0,1e-320]); plt.yscale("log"); plt.show(); print(np.geterr())
        ''',
    'logging': '''
        import logging
        logging.basicConfig(level=logging.WARNING, format="%(name)s %(message)s")
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
        draw(); plt.show()
        print(logging.getLogger("matplotlib").level, logging.getLogger("matplotlib.font_manager").getEffectiveLevel())
        ''',
    'events': '''
        draw(); plt.gcf().canvas.mpl_connect("draw_event", lambda event: print("drawn")); plt.show()
        ''',
    'signals': '''
        import signal
        handlers = [signal.getsignal(n) for n in range(1, 32)]
        draw(); plt.show()
        print(signal.pthread_sigmask(signal.SIG_BLOCK, []), handlers == [signal.getsignal(n) for n in range(1, 32)])
        ''',
    'threads': 'import threading; draw(); plt.show(); print(threading.active_count())',
    'arguments that show does not take': 'draw(); plt.show(plt.gcf(), 5)',
    'an exception after': 'draw(); plt.show(); plt.plot([1], [1, 2])',
    'an exception before': 'plt.plot([1], [1, 2]); plt.show()',
    'a figure kept': '''
        f = plt.figure(); draw(); plt.show()
        f.axes[0].plot([3]); f.savefig("x.png"); print(f.dpi, f.get_size_inches())
        ''',
    'positions and limits': '''
        draw(); plt.text(1, 1, "x"); a = plt.gca(); plt.show()
        print(a.get_position(), a.get_xlim(), a.get_autoscale_on(), a.texts[0].get_visible())
        ''',
    'an exception while importing': '''
        import sys
        del sys.modules["matplotlib.pyplot"]
        sys.modules["matplotlib.figure"] = None
        import matplotlib.pyplot
        ''',
}


@needs_matplotlib
class Undisturbed(unittest.TestCase):
    """The same output and the same end as in a plain run without a display."""
    maxDiff = None


def case(code):
    def test(self):
        program = 'import matplotlib, numpy as np\n' + PLOT + 'def draw(): plt.plot([1, 2]); plt.title("t")\n'
        with Workplace(program + textwrap.dedent(code)) as workplace:
            plain, boot = workplace.plain(), workplace.boot()
        self.assertEqual(boot.stdout, plain.stdout)
        self.assertEqual(boot.stderr, plain.stderr)
        self.assertEqual(boot.status, plain.status)
    return test


for name, code in UNDISTURBED.items():
    test = case(code)
    test.__name__ = 'test ' + name
    setattr(Undisturbed, test.__name__, test)


@needs_matplotlib
class Failures(unittest.TestCase):
    """What fails in the drawing or the reading is not the program's concern."""

    def test_a_drawing_that_fails(self):
        outcome = show(PLOT + '''
from matplotlib.lines import Line2D
class Bad(Line2D):
    def draw(self, renderer): raise RuntimeError
plt.gca().add_line(Bad([1, 2], [3, 4])); plt.show(); print("on")
''')
        self.assertEqual((outcome.stdout, outcome.stderr), ('on\n', ''))
        self.assertEqual((outcome.chart['type'], 'png' in outcome.chart), ('line', False))

    def test_a_text_far_outside_costs_no_enormous_picture(self):
        for place in 'plt.text(30, 30, "far")', 'plt.annotate("far", (30, 30))', 'plt.text(.5, 1e9, "far")':
            png = base64.b64decode(show(PLOT + 'plt.plot([1, 2]); %s; plt.show()' % place).chart['png'])
            width, height = struct.unpack('>II', png[16:24])
            self.assertLess(max(width, height), 1000)

    def test_an_enormous_figure_costs_no_enormous_picture(self):
        png = base64.b64decode(show(PLOT + 'plt.figure(figsize=(900, 900)); plt.show()').chart['png'])
        width, height = struct.unpack('>II', png[16:24])
        self.assertLess(width * height, 2 ** 27)

    def test_a_reading_that_fails(self):
        outcome = show(PLOT + '''
from matplotlib.lines import Line2D
class Bad(Line2D):
    pass
plt.gca().add_line(Bad([1, 2], [3, 4])); plt.title("t")
Bad.get_label = None
plt.show(); print("on")
''')
        self.assertEqual((outcome.stdout, outcome.stderr), ('on\n', ''))
        chart = outcome.chart
        self.assertEqual((chart['type'], chart['title'], chart['elements']), ('unknown', 't', []))
        self.assertTrue(base64.b64decode(chart['png']).startswith(b'\x89PNG'))

    def test_a_matplotlib_that_is_not_understood(self):
        outcome = show('''
            import matplotlib.patches
            del matplotlib.patches.Shadow
            try:
                import matplotlib.pyplot as plt
                plt.plot([1, 2]); plt.show()
            finally:
                print("on")
            ''')
        self.assertEqual(outcome.stdout, 'on\n')
        self.assertNotIn('sandbox', outcome.stderr)

    def test_a_signal_handler_that_raises(self):
        outcome = show(PLOT + '''
import signal
def alarm(*_): raise TimeoutError("alarm")
signal.signal(signal.SIGALRM, alarm)
for n in range(40):
    plt.plot(range(1000)); plt.title(str(n))
    signal.setitimer(signal.ITIMER_REAL, 0.003 * (n + 1))
    try:
        plt.show()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except TimeoutError as error:
        print(n)
    plt.close("all")
''')
        self.assertEqual(outcome.code, 0, outcome.stderr)
        self.assertGreater(len(outcome.stdout.split()), 2)  # The handler's error comes through ...
        numbers = [chart['title'] for chart in outcome.charts]  # ... and no record is cut.
        self.assertEqual(numbers, sorted(numbers, key=int))

    def test_the_channel_closed(self):
        outcome = show(PLOT + 'import os\nos.closerange(3, 65536)\nplt.plot([1,2]); plt.show(); print("on")')
        self.assertEqual((outcome.stdout, outcome.stderr, outcome.charts), ('on\n', '', []))

    def test_the_channels_number_used_again(self):
        outcome = show(PLOT + '''
import os
os.closerange(3, 65536)
for number in range(3, 1100):
    try:
        os.dup2(os.open("mine", os.O_CREAT | os.O_RDWR), number)
    except OSError:
        pass
plt.plot([1,2]); plt.show(); print(os.path.getsize("mine"))
''')
        self.assertEqual((outcome.stdout, outcome.stderr, outcome.charts), ('0\n', '', []))

    def test_interrupted_while_showing(self):
        program = PLOT + 'import sys\nfor n in range(10 ** 6): plt.plot([1,2]); print("r"); plt.show()\n'
        with Workplace(program) as workplace:
            outcome = workplace.boot(interrupt=b'r\nr\nr')
        self.assertEqual(outcome.stderr.splitlines()[-1], 'KeyboardInterrupt')
        self.assertNotIn('sandbox', outcome.stderr)
        self.assertEqual(outcome.status, 2 if sys.version_info >= (3, 8) else 256)  # Killed by SIGINT.
        self.assertIn(len(outcome.charts) - outcome.stdout.count('r'), (0, -1))


@needs_matplotlib
class Processes(unittest.TestCase):
    def test_forked_children(self):
        outcome = show(PLOT + '''
import os
import numpy as np
noise = np.random.default_rng(1).random((400, 400))
for child in range(4):
    if os.fork() == 0:
        for n in range(3):
            plt.imshow(noise); plt.title("%d %d" % (child, n)); plt.show()
        os._exit(0)
for child in range(4): os.wait()
''')
        titles = [chart['title'] for chart in outcome.charts]
        self.assertEqual(sorted(titles), ['%d %d' % (child, n) for child in range(4) for n in range(3)])

    def test_a_fork_while_a_thread_shows(self):
        outcome = show('import warnings; warnings.simplefilter("ignore")\n' + PLOT + '''
import os, threading
import numpy as np
from matplotlib.figure import Figure
noise = np.random.default_rng(1).random((700, 700))
def run():
    for n in range(6): plt.figure(figsize=(12, 12)); plt.imshow(noise); plt.show()
thread = threading.Thread(target=run); thread.start()
import time
for n in range(6):
    time.sleep(.15)
    pid = os.fork()
    if pid == 0: os._exit(0)
    os.waitpid(pid, 0)
thread.join()
''')
        self.assertEqual(len(outcome.charts), 6, outcome.stderr)

    def test_multiprocessing(self):
        outcome = show(PLOT + '''
import multiprocessing
def draw(n): plt.plot([n, n]); plt.show()
if __name__ == '__main__':
    with multiprocessing.get_context('fork').Pool(2) as pool: pool.map(draw, range(4))
''')
        self.assertEqual(types(outcome), ['line'] * 4)

    def test_other_programs_see_nothing(self):
        outcome = show('''
            import subprocess, sys
            program = "import matplotlib.pyplot as p; p.plot([1]); p.show(); print(p.get_fignums())"
            print(subprocess.call([sys.executable, "-c", program]))
            ''')
        self.assertEqual((outcome.stdout, outcome.charts), ('[1]\n0\n', []))


if __name__ == '__main__':
    unittest.main()
