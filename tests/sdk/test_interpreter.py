"""Daytona's Python SDK, unmodified, drives interpreter contexts on our daemon."""

import json
import threading
import time
import unittest

import daytona
import httpx
import httpx_ws

import harness


def setUpModule():
    global daemon, interpreter
    daemon = harness.Daemon()
    unittest.addModuleCleanup(lambda: check_exit(daemon.stop()))
    plane = harness.ControlPlane(daemon.url)
    unittest.addModuleCleanup(plane.stop)
    client = daytona.Daytona(daytona.DaytonaConfig(api_key=daemon.token, api_url=plane.url, target="local"))
    interpreter = client.create(daytona.CreateSandboxFromSnapshotParams(language="python")).code_interpreter


def check_exit(code):
    if code != 0:
        raise AssertionError(f"`sandbox serve` exited with {code} after SIGTERM")


def rich(code):
    """Every message and the close code, for a client that takes charts and values."""
    url = daemon.url.replace("http", "ws") + "/process/interpreter/execute"
    headers = {"Authorization": f"Bearer {daemon.token}"}
    messages = []
    with httpx.Client() as client:
        with httpx_ws.connect_ws(url, client, headers=headers, subprotocols=["sandbox.interpreter.v1"]) as socket:
            socket.send_text(json.dumps({"code": code}))
            try:
                while True:
                    messages.append(json.loads(socket.receive_text(timeout=60)))
            except httpx_ws.WebSocketDisconnect as end:
                return messages, end.code


class Interpreter(unittest.TestCase):
    def context(self, **options):
        context = interpreter.create_context(**options)
        self.addCleanup(interpreter.delete_context, context)
        return context

    def test_output_and_state(self):
        context = self.context()
        pieces = []
        result = interpreter.run_code("import os, sys; x = 1; os.system('echo sub'); print('e', file=sys.stderr)",
                                      context=context, on_stdout=lambda message: pieces.append(message.output))
        self.assertEqual((result.stdout, result.stderr, result.error), ("sub\n", "e\n", None))
        self.assertEqual("".join(pieces), "sub\n")
        self.assertEqual(interpreter.run_code("print(x)", context=context).stdout, "1\n")
        self.assertEqual(interpreter.run_code("x").error.name, "NameError")

    def test_errors(self):
        error = interpreter.run_code("a = 1\n1/0").error
        self.assertEqual((error.name, error.value), ("ZeroDivisionError", "division by zero"))
        self.assertIn('File "<stdin>", line 2', error.traceback)
        self.assertEqual(interpreter.run_code("input()").error.name, "EOFError")
        self.assertIsNone(interpreter.run_code("import sys; sys.exit(3)").error)

    def test_variables(self):
        show = "import os; print(os.environ.get('K'))"
        self.assertEqual(interpreter.run_code(show, envs={"K": "v"}).stdout, "v\n")
        self.assertEqual(interpreter.run_code(show).stdout, "None\n")

    def test_time_limits_are_errors_and_keep_the_state(self):
        context = self.context()
        interpreter.run_code("kept = 1", context=context)
        with self.assertRaises(daytona.DaytonaTimeoutError):
            interpreter.run_code("import time; time.sleep(60)", context=context, timeout=1)
        self.assertEqual(interpreter.run_code("print(kept)", context=context).stdout, "1\n")

    def test_a_dead_worker_is_an_error_and_is_replaced(self):
        context = self.context()
        begin = time.monotonic()
        with self.assertRaises(daytona.DaytonaError):
            interpreter.run_code("import os; os._exit(3)", context=context)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(interpreter.run_code("print(1)", context=context).stdout, "1\n")

    def test_many_lines(self):
        result = interpreter.run_code("for i in range(20000): print(i)")
        self.assertEqual(result.stdout, "".join(f"{i}\n" for i in range(20000)))

    def test_ten_megabytes(self):
        self.assertEqual(len(interpreter.run_code("print('x' * 10_000_000)").stdout), 10_000_001)
        self.assertEqual(interpreter.run_code("print('\\0' * 100_000)").stdout, "\0" * 100_000 + "\n")

    def test_contexts(self):
        context = interpreter.create_context(cwd="/usr")
        self.assertEqual((context.cwd, context.language, context.active), ("/usr", "python", True))
        self.assertIn(context.id, [other.id for other in interpreter.list_contexts()])
        self.assertEqual(interpreter.run_code("import os; print(os.getcwd())", context=context).stdout, "/usr\n")
        interpreter.delete_context(context)
        self.assertNotIn(context.id, [other.id for other in interpreter.list_contexts()])
        with self.assertRaises(daytona.DaytonaError):
            interpreter.run_code("1", context=context)
        with self.assertRaises(daytona.DaytonaError):
            interpreter.create_context(cwd="/no/such")

    def test_deleting_a_context_ends_what_runs(self):
        context = interpreter.create_context()
        begun, ended = threading.Event(), []

        def run():
            try:
                code = "print(1); import time; time.sleep(60)"
                interpreter.run_code(code, context=context, on_stdout=lambda _: begun.set())
            except daytona.DaytonaError as error:
                ended.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        self.assertTrue(begun.wait(20))
        interpreter.delete_context(context)
        thread.join(20)
        self.assertEqual(len(ended), 1)
        self.assertNotIsInstance(ended[0], daytona.DaytonaTimeoutError)

    def test_charts_and_values_are_for_clients_that_ask(self):
        code = "import matplotlib.pyplot as plt\nplt.bar(['a', 'b'], [1, 2])\nplt.title('T')\nplt.show()\n"
        code += "print('x')\n1 + 1"
        result = interpreter.run_code(code)
        self.assertEqual((result.stdout, result.stderr, result.error), ("x\n", "", None))
        for _ in range(2):
            messages, close = rich(code)
            self.assertEqual([message["type"] for message in messages], ["stdout", "chart", "display", "control"])
            chart = messages[1]["data"]
            self.assertEqual((chart["type"], chart["title"]), ("bar", "T"))
            self.assertTrue(chart["png"])
            self.assertEqual(messages[2]["data"], {"text/plain": "2"})
            self.assertEqual(close, 1000)


if __name__ == "__main__":
    unittest.main()
