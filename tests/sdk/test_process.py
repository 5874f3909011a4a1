"""Daytona's Python SDK, unmodified, runs commands and code on our daemon."""

import base64
import json
import math
import time

import daytona

import harness


@harness.every_way
class Exec(harness.Case):
    @harness.method("process.exec")
    def test_output_and_exit_code(self):
        response = self.process.exec("echo 'Hello'")
        self.assertEqual(response.exit_code, 0)
        self.assertEqual(response.result, harness.ended("Hello\n"))
        self.assertEqual(response.artifacts.stdout, harness.ended("Hello\n"))
        self.assertEqual(response.artifacts.charts, [])

    @harness.method("process.exec")
    def test_a_failure_is_a_result(self):
        for command, code in [("exit 3", 3), ("false", 1), ("no-such-program", 127), ("kill -9 $$", 137)]:
            with self.subTest(command):
                self.assertEqual(self.process.exec(command).exit_code, code)

    @harness.method("process.exec")
    def test_stdout_and_stderr_come_in_the_order_written(self):
        response = self.process.exec("echo 1; echo 2 >&2; echo 3; printf 4")
        self.assertEqual(response.result, "1\n2\n3\n4")

    @harness.method("process.exec")
    def test_any_text_passes(self):
        text = "é漢😀 \"quoted\" 'and' $not `this`\ttab\n\nline"
        response = self.process.exec(f"cat <<'END'\n{text}\nEND")
        self.assertEqual(response.result, harness.ended(text + "\n"))

    @harness.since("0.167.0", "quoting of variables")
    @harness.method("process.exec")
    def test_env_and_cwd(self):
        (self.daemon.work_dir / "below").mkdir(exist_ok=True)
        env = {"GREETING": "it's \"me\"", "EMPTY": "", "LINES": "a\nb"}
        command = 'pwd; printf "%s|%s|%s" "$GREETING" "$EMPTY" "$LINES"'
        response = self.process.exec(command, cwd="below", env=env)
        self.assertEqual(response.result, f"{self.daemon.work_dir}/below\nit's \"me\"||a\nb")

    @harness.method("process.exec")
    def test_a_missing_cwd_is_a_result(self):
        response = self.process.exec("echo never", cwd="/no/such/directory")
        self.assertEqual(response.exit_code, -1)
        self.assertNotIn("never", response.result)
        self.assertTrue(response.result)

    @harness.method("process.exec")
    def test_standard_input_is_empty(self):
        self.assertEqual(self.process.exec("cat; echo end", timeout=10).result, harness.ended("end\n"))

    @harness.method("process.exec")
    def test_a_background_child_does_not_hold_the_answer(self):
        started = time.monotonic()
        response = self.process.exec("sleep 30 & echo $!; kill $!", timeout=10)
        self.assertEqual(response.exit_code, 0)
        self.assertLess(time.monotonic() - started, 5)

    @harness.method("process.exec")
    def test_a_time_limit_is_its_own_error(self):
        started = time.monotonic()
        error = self.assert_fails("DaytonaProcessExecutionTimeoutError", self.process.exec, "sleep 30", timeout=1)
        # The SDK itself gives up 5 s after the limit, with another error.
        self.assertLess(time.monotonic() - started, 5)
        self.assertEqual(error.status_code, 408)

    @harness.since("0.167.0", "sending the command itself")
    @harness.method("process.exec")
    def test_a_blank_command_is_a_bad_request(self):
        error = self.assert_fails("DaytonaBadRequestError", self.process.exec, "  ")
        self.assertEqual(error.status_code, 400)


@harness.every_way
class CodeRun(harness.Case):
    @harness.method("process.code_run")
    def test_output(self):
        response = self.process.code_run("x = 10\ny = 20\nprint(f'Sum: {x + y}')")
        self.assertEqual(response.exit_code, 0)
        self.assertEqual(response.result, harness.ended("Sum: 30\n"))
        self.assertEqual(response.artifacts.stdout, harness.ended("Sum: 30\n"))
        self.assertEqual(response.artifacts.charts, [])

    @harness.method("process.code_run")
    def test_exit_codes(self):
        for code, expect in [("import sys; sys.exit(3)", 3), ("import os; os._exit(7)", 7)]:
            with self.subTest(code):
                self.assertEqual(self.process.code_run(code).exit_code, expect)

    @harness.method("process.code_run")
    def test_an_exception_is_a_result(self):
        response = self.process.code_run("print('before')\nraise ValueError('boom')")
        self.assertEqual(response.exit_code, 1)
        self.assertTrue(response.result.startswith("before\nTraceback "), response.result)
        self.assertTrue(response.result.endswith(harness.ended("ValueError: boom\n")), response.result)

    @harness.since("0.167.0", "quoting of arguments")
    @harness.method("process.code_run")
    def test_arguments_are_verbatim(self):
        argv = ["a b", "it's", '"', "$HOME", "*", "", "-x", "é\n"]
        code = "import json, sys; print(json.dumps(sys.argv[1:]))"
        response = self.process.code_run(code, daytona.CodeRunParams(argv=argv))
        self.assertEqual(json.loads(response.result), argv)

    @harness.since("0.167.0", "quoting of variables")
    @harness.method("process.code_run")
    def test_env(self):
        params = daytona.CodeRunParams(env={"GREETING": "it's $HOME"})
        response = self.process.code_run("import os; print(os.environ['GREETING'])", params)
        self.assertEqual(response.result, "it's $HOME\n")

    @harness.since("0.167.0", "the route for code")
    @harness.method("process.code_run")
    def test_a_time_limit_is_an_error(self):
        started = time.monotonic()
        # The one method that the SDK does not translate errors for: two packages' ApiException.
        with self.assertRaisesRegex(Exception, "PROCESS_EXECUTION_TIMEOUT") as caught:
            self.process.code_run("import time; time.sleep(30)", timeout=1)
        self.assertLess(time.monotonic() - started, 5)
        self.assertEqual(caught.exception.status, 408)
        envelope = json.loads(caught.exception.body)
        self.assertEqual(envelope["code"], "PROCESS_EXECUTION_TIMEOUT")
        self.assertEqual(envelope["source"], "DAYTONA_DAEMON")

    @harness.method("process.code_run")
    def test_a_line_chart(self):
        program = harness.ROOT / "xtask/assets/line_chart.py"
        response = self.process.code_run(program.read_text())
        self.assertEqual((response.exit_code, response.result), (0, ""))
        (chart,) = response.artifacts.charts
        self.assertEqual(chart.type, daytona.ChartType.LINE)
        self.assertIsInstance(chart, daytona.LineChart)
        self.assertEqual(chart.title, "Line Chart")
        self.assertEqual(chart.x_label, "X-axis (seconds)")
        self.assertEqual(chart.y_label, "Y-axis (amplitude)")
        for ticks, labels, scale in [
            (chart.x_ticks, chart.x_tick_labels, chart.x_scale),
            (chart.y_ticks, chart.y_tick_labels, chart.y_scale),
        ]:
            self.assertEqual(scale, "linear")
            self.assertEqual(ticks, sorted(ticks))
            self.assertGreater(len(ticks), 2)
            self.assertEqual(len(ticks), len(labels))
        (line,) = chart.elements
        self.assertEqual(len(line.points), 30)
        for index, (x, y) in enumerate(line.points):
            self.assertAlmostEqual(x, index * 10 / 29)
            self.assertAlmostEqual(y, math.sin(x))
        picture = base64.b64decode(chart.png, validate=True)
        self.assertTrue(picture.startswith(b"\x89PNG\r\n\x1a\n"))


class Doors(harness.Case):
    @harness.method("process.exec")
    def test_a_wrong_token_opens_nothing(self):
        stranger = self.place.client("not-the-token").get("sandbox")
        error = self.assert_fails("DaytonaAuthenticationError", stranger.process.exec, "echo in")
        self.assertEqual(error.status_code, 401)
