"""What the suites need: the daemon under test, and a stand-in for the control plane that official SDKs ask first."""

import json
import os
import re
import secrets
import subprocess
import tempfile
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Longest wait for the daemon to come up or to end.
PATIENCE = 20


def setting(name):
    """A variable that `cargo xtask test` sets."""
    value = os.environ.get(name)
    if not value:
        raise RuntimeError(f"{name} is not set; run `cargo xtask test sdk`")
    return value


class Daemon:
    """`sandbox serve` on a port of its own, with a token of its own and an empty working directory."""

    def __init__(self):
        self.token = secrets.token_hex(16)
        self._folder = tempfile.TemporaryDirectory(prefix="sandbox-sdk-")
        folder = Path(self._folder.name)
        self.work_dir = folder / "work"
        self.work_dir.mkdir()
        token_file = folder / "token"
        token_file.write_text(self.token)
        command = [setting("SANDBOX_TEST_BINARY"), "serve", "--listen", "127.0.0.1:0"]
        command += ["--token-file", str(token_file), "--work-dir", str(self.work_dir)]
        # What the machine has by default may be zsh, to which a variable of a test is something special.
        command += ["--shell", "/bin/bash"]
        command += ["--python", setting("SANDBOX_TEST_PYTHON")]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
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

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
