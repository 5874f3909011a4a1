"""What the suites need: the daemon under test, a stand-in for the control plane that official SDKs ask first, and suites
that run through each way of using an SDK."""

import asyncio
import functools
import importlib.metadata
import inspect
import json
import os
import queue
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import daytona

ROOT = Path(__file__).resolve().parents[2]

# What the daemon's entrypoint says.
ENTRYPOINT = "at your service"

# Longest wait for the daemon to come up or to end.
PATIENCE = 20

# The SDK under test, and its version in numbers.
VERSION = importlib.metadata.version("daytona")


def release(version):
    return tuple(int(part) for part in version.split("."))


RELEASE = release(VERSION)


def setting(name):
    """A variable that `cargo xtask test` sets."""
    value = os.environ.get(name)
    if not value:
        raise RuntimeError(f"{name} is not set; run `cargo xtask test sdk`")
    return value


class Case(unittest.TestCase):
    """A suite. `process`, `interpreter` and `fs` are the SDK's objects, used as `manner` says; `area` is what it is about."""

    area = "process"
    manner = "sync"
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.place = place()
        cls.daemon = cls.place.daemon
        sandbox = cls.place.sandbox(cls.manner)
        cls.process, cls.interpreter, cls.fs = sandbox.process, sandbox.code_interpreter, sandbox.fs

    def assert_fails(self, name, call, *arguments, **options):
        """Holds a call to an error of the SDK, whose class has this name where the SDK has it; gives the error."""
        expected = getattr(daytona, name, daytona.DaytonaError)
        with self.assertRaises(expected) as caught:
            call(*arguments, **options)
        return caught.exception

    def connected(self, connect, give_up):
        """Connects to a terminal; again where a synchronous SDK has given up, after `give_up()`.

        Since 0.190 they fail if a thread of their own has not run for 100 ms, whatever the daemon has sent, as happens on
        a busy machine.
        """
        for _ in range(3):
            try:
                return connect()
            except daytona.DaytonaError as error:
                if not is_of_an_empty_queue(error):
                    raise
                give_up()
        return connect()


def is_of_an_empty_queue(error):
    """Whether an error comes from a thread's queue that was empty for too long."""
    while error is not None and not isinstance(error, queue.Empty):
        error = error.__cause__ or error.__context__
    return error is not None


def every_way(suite):
    """Adds twins of a suite: through the asynchronous objects, and through objects made on nothing but an address.

    With the newest SDK they have every test. With the others they have one for each method: the first that the SDK can run.
    """
    # A name that is no function is no test.
    others = {} if RELEASE == newest() else {name: None for name in repeated(suite)}
    for manner in ["async", "direct"]:
        name = suite.__name__ + manner.capitalize()
        twin = type(name, (suite,), {"manner": manner, "__module__": suite.__module__, **others})
        setattr(sys.modules[suite.__module__], name, twin)
    return suite


def repeated(suite):
    """Returns the names of the tests whose methods are all called by one before them."""
    names, called = [], set()
    for name, test in vars(suite).items():
        if name.startswith("test_") and not getattr(test, "__unittest_skip__", False):
            methods = {(suite.area, method) for method in getattr(test, "methods", [suite.area])}
            if methods <= called:
                names.append(name)
            called |= methods
    return names


def newest():
    """Returns the newest of the versions that the suites are run with."""
    files = (ROOT / "tests/sdk/requirements").glob("daytona-*.txt")
    return max(release(file.stem.removeprefix("daytona-")) for file in files)


def method(*names):
    """Tells which of the SDK's methods a test is about."""

    def mark(test):
        test.methods = names
        return test

    return mark


def ended(text):
    """A result of `exec` or `code_run` as the SDK hands it out: those up to 0.130 cut off the last line's end."""
    return text.removesuffix("\n") if RELEASE < (0, 167) else text


def since(version, what="the method"):
    """Leaves out a test, or a suite, of what older SDKs do not have."""
    absent = RELEASE < release(version)
    return unittest.skipIf(absent, f"absent: {what} came with {version}")


class Place:
    """A daemon, the control plane that knows it, and the SDK's objects for it."""

    def __init__(self):
        self.daemon = Foreign() if os.environ.get("SANDBOX_TEST_URL") else Daemon()
        self.plane = ControlPlane(self.daemon.url)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._async_client = None

    def configuration(self, token=None):
        return daytona.DaytonaConfig(api_key=token or self.daemon.token, api_url=self.plane.url, target="local")

    def client(self, token=None):
        return daytona.Daytona(self.configuration(token))

    @functools.cache
    def sandbox(self, manner):
        parameters = daytona.CreateSandboxFromSnapshotParams(language="python")
        if manner == "sync":
            return Blocking(self.client().create(parameters), self.loop)
        if manner == "direct":
            return Blocking(Direct(self.daemon), self.loop)

        async def make():
            self._async_client = daytona.AsyncDaytona(self.configuration())
            return await self._async_client.create(parameters)

        return Blocking(self.finish(make()), self.loop)

    def finish(self, awaitable):
        return asyncio.run_coroutine_threadsafe(wait(awaitable), self.loop).result()

    def close(self):
        if self._async_client is not None:
            self.finish(self._async_client.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
        self.plane.stop()
        code = self.daemon.stop()
        if code != 0:
            raise AssertionError(f"`sandbox serve` exited with {code} after SIGTERM")


async def wait(awaitable):
    return await awaitable


@functools.cache
def place():
    """The one of this run."""
    return Place()


class Direct:
    """The SDK's objects without its client: made on the daemon's address."""

    def __init__(self, daemon):
        import daytona_toolbox_api_client as api
        from daytona._sync.code_interpreter import CodeInterpreter
        from daytona._sync.filesystem import FileSystem
        from daytona._sync.process import Process

        client = api.ApiClient(api.Configuration(host=daemon.url))
        client.set_default_header("Authorization", f"Bearer {daemon.token}")
        client.set_default_header("X-Daytona-Source", "python-sdk")
        client.set_default_header("X-Daytona-SDK-Version", VERSION)
        self.process = build(Process, api.ProcessApi(client))
        self.code_interpreter = build(CodeInterpreter, api.InterpreterApi(client))
        self.fs = build(FileSystem, api.FileSystemApi(client))


def build(kind, api):
    """Makes an object of an SDK whatever its version asks for."""
    given = {"language": "python", "api_client": api, "ensure_toolbox_url": lambda: None}
    wanted = inspect.signature(kind).parameters
    if "http_client" in wanted:
        import httpx

        # As the SDK makes its own: a quiet WebSocket is no failure.
        given["http_client"] = httpx.Client(headers=api.api_client.default_headers, timeout=None)
    if "code_toolbox" in wanted:
        from daytona.code_toolbox.sandbox_python_code_toolbox import SandboxPythonCodeToolbox

        given["code_toolbox"] = SandboxPythonCodeToolbox()
    return kind(**{name: given[name] for name in wanted})


class Blocking:
    """An object of an SDK whose coroutines are run to their ends, so that one test serves both kinds."""

    def __init__(self, target, loop):
        self._target, self._loop = target, loop

    def __getattr__(self, name):
        value = getattr(self._target, name)
        if inspect.ismethod(value):
            return functools.partial(self._call, value)
        return Blocking(value, self._loop) if is_part(value) else value

    def _call(self, function, *arguments, **options):
        result = function(*arguments, **options)
        if inspect.isawaitable(result):
            result = asyncio.run_coroutine_threadsafe(wait(result), self._loop).result()
        return Blocking(result, self._loop) if is_part(result) else result


def is_part(value):
    """Whether it has methods of the SDK's that may be coroutines."""
    return type(value).__name__.removeprefix("Async") in ["Process", "CodeInterpreter", "FileSystem", "PtyHandle"]


class Foreign:
    """A daemon that somebody else runs, at SANDBOX_TEST_URL."""

    is_ours = False

    def __init__(self):
        self.url = os.environ["SANDBOX_TEST_URL"].rstrip("/")
        self.token = os.environ.get("SANDBOX_TEST_TOKEN") or "none"
        headers = {"Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"{self.url}/work-dir", headers=headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            self.work_dir = json.load(answer)["dir"]

    def stop(self):
        return 0


class Daemon:
    """`sandbox serve` on a port of its own, with a token of its own and an empty working directory."""

    is_ours = True

    def __init__(self):
        self.token = secrets.token_hex(16)
        self._folder = tempfile.TemporaryDirectory(prefix="sandbox-sdk-")
        folder = Path(self._folder.name)
        work_dir = folder / "work"
        work_dir.mkdir()
        self.work_dir = str(work_dir)
        token_file = folder / "token"
        token_file.write_text(self.token)
        command = [setting("SANDBOX_TEST_BINARY"), "serve", "--listen", "127.0.0.1:0"]
        command += ["--token-file", str(token_file), "--work-dir", self.work_dir]
        # What the machine has by default may be zsh, to which a variable of a test is something special.
        command += ["--shell", "/bin/bash"]
        python = setting("SANDBOX_TEST_PYTHON")
        command += ["--python", python]
        command += ["--", "echo", ENTRYPOINT]
        # SDKs up to 0.130 run code by a command of their own, with the first python3 on the PATH.
        environment = {**os.environ, "PATH": f"{Path(python).parent}:{os.environ['PATH']}"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment
        )
        try:
            self.url = self._announced()
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=PATIENCE) as answer:
                assert answer.status == 200, answer.status
        except BaseException:
            self.stop()
            raise

    def _announced(self):
        """The address, from the line that the daemon prints once it listens."""
        too_late = threading.Timer(PATIENCE, self._process.kill)
        too_late.start()
        line = self._process.stdout.readline()
        too_late.cancel()
        found = re.fullmatch(r"listening on (http://\S+)\n", line)
        if not found:
            raise RuntimeError(f"`sandbox serve` did not announce its address but {line!r}")
        return found[1]

    def stop(self):
        """Ends the daemon as a service manager would, and gives back its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._folder.cleanup()


class ControlPlane:
    """Knows one sandbox at a time, and says that it is started and where its daemon is."""

    def __init__(self, daemon_url):
        plane = self
        self._daemon_url = daemon_url
        self._labels = {}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                path = self.path.split("?")[0]
                is_sandbox = path == "/sandbox" and self.command == "POST" or path.startswith("/sandbox/")
                if is_sandbox:
                    if self.command == "POST":
                        plane._labels = json.loads(body).get("labels") or {}
                    status, content = 200, plane.sandbox()
                elif path == "/config" and self.command == "GET":
                    # Where SDKs up to 0.130 learn of the daemon; the rest is what their models insist on.
                    status, content = 200, plane.settings()
                else:
                    # The SDKs also look for events and settings, and do without.
                    status, content = 404, {"statusCode": 404, "message": "not here"}
                text = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def sandbox(self):
        """What the SDKs insist on."""
        return {
            "id": "5d1f8b0e-sandbox",
            "organizationId": "organization",
            "name": "sandbox",
            "user": "user",
            "env": {},
            "labels": self._labels,
            "public": False,
            "networkBlockAll": False,
            "kvm": False,
            "target": "local",
            "cpu": 1,
            "gpu": 0,
            "memory": 1,
            "disk": 1,
            "state": "started",
            "toolboxProxyUrl": self._daemon_url,
        }

    def settings(self):
        return {
            "version": "0",
            "oidc": {"clientId": "none", "issuer": "none", "audience": "none"},
            "linkedAccountsEnabled": False,
            "announcements": {},
            "proxyTemplateUrl": "none",
            "proxyToolboxUrl": self._daemon_url,
            "defaultSnapshot": "none",
            "dashboardUrl": "none",
            "maxAutoArchiveInterval": 1,
            "maintananceMode": False,
            "environment": "test",
        }

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
