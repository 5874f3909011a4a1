"""What each program needs: a control plane of this checkout, and a record of what became of each call.

The programs are published packages, as they are: only the address of the API and a key are given to them, by the environment."""

import asyncio
import contextlib
import importlib.metadata
import inspect
import json
import os
import secrets
import subprocess
import tempfile
import time
import traceback
import urllib.request
from pathlib import Path

# A name that programs ask for by default, registered as the files of this machine.
IMAGE = "python:3.12-slim"

# `sandbox up` exits with it where sandboxes cannot be isolated.
CANNOT_ISOLATE = 126

# Longest wait for the control plane to end, in seconds.
PATIENCE = 60


class Program:
    """A program, and its calls."""

    def __init__(self, package):
        self.title = f"program {package} {importlib.metadata.version(package)}"
        self._passed = self._failed = 0

    @contextlib.contextmanager
    def call(self, name, result="yes"):
        """Records a call, whose result is `yes`, or what became of it on purpose."""
        begun = time.monotonic()
        outcome = "passed"
        try:
            yield
        except Exception:
            outcome = "failed"
            traceback.print_exc()
        self._passed += outcome == "passed"
        self._failed += outcome == "failed"
        seconds = round(time.monotonic() - begun, 2)
        print(f"{outcome} {seconds:.2f} s  {name}: {result}", flush=True)
        report(sdk=self.title, area="programs", method=name, case=result, result=outcome, seconds=seconds)

    def finish(self):
        print(f"{self.title}: {self._passed} passed, {self._failed} failed")
        return 0 if self._passed and not self._failed else 1


def report(**line):
    path = os.environ.get("SANDBOX_TEST_REPORT")
    if path:
        # At once, since several processes may write to it.
        with open(path, "a") as file:
            file.write(json.dumps(line) + "\n")


class Plane:
    """`sandbox up` on a port of its own, with a key and a state directory of its own."""

    def __init__(self):
        self.key = secrets.token_hex(16)
        self._folder = tempfile.TemporaryDirectory(prefix="sandbox-programs-")
        state = Path(self._folder.name) / "state"
        program = os.environ.get("SANDBOX_TEST_BINARY")
        if not program:
            raise SystemExit("SANDBOX_TEST_BINARY is not set; run `cargo xtask test programs`")
        command = [program, "up", "--json", "--listen", "127.0.0.1:0", "--state-dir", str(state)]
        command += ["--image", f"{IMAGE}=/"]
        environment = {**os.environ, "SANDBOX_API_KEY": self.key}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait(PATIENCE)
            self._folder.cleanup()
            if code == CANNOT_ISOLATE:
                print("skipped: this machine cannot isolate sandboxes", flush=True)
                raise SystemExit(0)
            raise SystemExit(f"`sandbox up` exited with {code}")
        self.url = json.loads(line)["url"]

    def left(self):
        """Returns the sandboxes that there are."""
        request = urllib.request.Request(f"{self.url}/sandbox", headers={"Authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return [sandbox["id"] for sandbox in json.load(answer)["items"]]

    def close(self):
        """Ends the control plane, and the sandboxes that a program has left, since they would run on."""
        headers = {"Authorization": f"Bearer {self.key}"}
        try:
            for sandbox in self.left():
                request = urllib.request.Request(f"{self.url}/sandbox/{sandbox}", headers=headers, method="DELETE")
                urllib.request.urlopen(request, timeout=PATIENCE).close()
        finally:
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process.stdout.close()
            self._folder.cleanup()


def main(package, run):
    """Runs the calls of a program on a control plane, which is where it looks for Daytona's; gives an exit code."""
    plane = Plane()
    os.environ.update(DAYTONA_API_URL=plane.url, DAYTONA_API_KEY=plane.key, DAYTONA_TARGET="local")
    program = Program(package)
    try:
        result = run(program)
        if inspect.iscoroutine(result):
            asyncio.run(result)
        with program.call("leaves no sandbox"):
            assert plane.left() == [], plane.left()
    finally:
        plane.close()
    return program.finish()
