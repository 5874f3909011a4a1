"""What the attacks share: a daemon of their own, clients on the standard library alone, and figures of a process."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import uuid

MIB = 1 << 20

ATTACKS = {}


def attack(promise):
    """Registers a function as an attack on `promise`; it takes a `Run`, and raises where the promise is broken."""

    def register(function):
        ATTACKS[function.__name__] = (promise, function)
        return function

    return register


class Skip(Exception):
    """The machine lacks what the attack needs."""


class Run:
    """One run of an attack: its daemons, and how long it may take."""

    def __init__(self, is_long):
        self.is_long = is_long
        self.figures = {}
        self._stack = contextlib.ExitStack()

    def times(self, short, long):
        """Returns how often something is tried."""
        return long if self.is_long else short

    def daemon(self, *args, **options):
        return self._stack.enter_context(Daemon(*args, **options))

    def plane(self, *args, **options):
        return self._stack.enter_context(Plane(*args, **options))

    def directory(self):
        """Returns a directory that is removed after the attack."""
        path = tempfile.mkdtemp(prefix="attack-")
        self._stack.callback(shutil.rmtree, path, ignore_errors=True)
        return pathlib.Path(path)

    def defer(self, function, *args):
        """Calls `function` after the attack."""
        self._stack.callback(function, *args)

    def figure(self, name, value):
        self.figures[name] = value

    def close(self):
        self._stack.close()


class Daemon:
    """A daemon with directories and a token of its own."""

    def __init__(self, *args, env=None, state=None, token=True, wrap=(), binary=None, tmp=None):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="attack-daemon-"))
        self.tmp = pathlib.Path(tmp or self.base / "tmp")
        self.state = pathlib.Path(state or self.base / "state")
        self.home = self.base / "home"
        for path in (self.tmp, self.state, self.home):
            path.mkdir(exist_ok=True, mode=0o700)
        self.token = secrets.token_hex(16) if token else None
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("SANDBOX_")}
        self.env.update(HOME=str(self.home), TMPDIR=str(self.tmp), **(env or {}))
        if token:
            self.env["SANDBOX_TOKEN"] = self.token
        self.argv = [*wrap, binary or os.environ["SANDBOX_DAEMON"]]
        self.argv += ["--listen", "127.0.0.1:0", "--state-dir", str(self.state), *args]
        self.log_path = self.base / "log"
        self.process = None

    def __enter__(self):
        try:
            self.start()
        except AssertionError:
            # Nothing else removes them: a daemon that did not start is not left either.
            shutil.rmtree(self.base, ignore_errors=True)
            raise
        return self

    def spawn(self):
        """Starts its process, and returns the first line that it prints."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                env=self.env,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        return self.process.stdout.readline()

    def start(self):
        """Starts it, again if it has ended."""
        line = self.spawn().decode()
        if not line.startswith("listening on "):
            self.process.wait()
            self.process.stdout.close()
            raise AssertionError(f"the daemon did not start: {line!r} {self.log()[-2000:]}")
        self.host, port = line.split()[-1].removeprefix("http://").rsplit(":", 1)
        self.port = int(port.rstrip("/"))
        self.pid = self.process.pid

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.base, ignore_errors=True)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def assert_well(self):
        """It lives, and no task of it has panicked."""
        assert self.process.poll() is None, f"the daemon died: {self.process.returncode} {self.log()[-800:]}"
        panics = [line for line in self.log().splitlines() if "panicked" in line]
        assert not panics, panics[:3]
        status, _ = self.client(30).raw("GET", "/version")
        assert status == 200, status

    def client(self, timeout=120):
        return Client(self, timeout)

    def connect(self, timeout=30):
        """Returns a bare connection."""
        return socket.create_connection((self.host, self.port), timeout=timeout)

    def websocket(self, path, protocols=(), timeout=60):
        return WebSocket(self, path, protocols, timeout)

    def status(self, field):
        """Returns a figure of /proc/PID/status, in bytes where it is a size."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                number, *unit = value.split()
                return int(number) * (1024 if unit else 1)
        raise KeyError(field)

    def memory(self):
        return self.status("VmRSS")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def files(self):
        """Returns the files below its directories."""
        found = []
        for top in (self.tmp, self.state):
            for place, _, names in os.walk(top):
                found += [pathlib.Path(place, name) for name in names]
        return found


class Plane(Daemon):
    """A control plane with its sandboxes, which end with it. Its clients present its key."""

    def __init__(self, *args, state=None, env=None, listen="127.0.0.1:0"):
        if not os.environ.get("SANDBOX_COMMAND"):
            raise Skip("SANDBOX_COMMAND is not set")
        super().__init__(env=env, state=state, token=False)
        # No sandbox sees what is below these, and their paths have to be short enough for a socket.
        self.argv = [os.environ["SANDBOX_COMMAND"], "up", "--json", "--listen", listen]
        self.argv += ["--state-dir", str(self.state), *args]

    def start(self):
        line = self.spawn()
        if not line:
            code = self.process.wait()
            self.process.stdout.close()
            if code == 126:
                raise Skip(f"sandboxes cannot be isolated here: {self.log()[-500:]}")
            raise AssertionError(f"the control plane did not start: {code} {self.log()[-2000:]}")
        address = json.loads(line)["url"].removeprefix("http://").removesuffix("/api")
        self.host, port = address.rsplit(":", 1)
        self.port, self.pid = int(port), self.process.pid
        self.token = (self.state / "key").read_text().strip()

    def __enter__(self):
        try:
            return super().__enter__()
        except Skip:
            shutil.rmtree(self.base, ignore_errors=True)
            raise

    def __exit__(self, *exception):
        # Its sandboxes would run on.
        if self.process.poll() is not None:
            with contextlib.suppress(AssertionError, Skip):
                self.start()
        with contextlib.suppress(OSError, Status, http.client.HTTPException):
            for sandbox in self.sandboxes():
                self.client().raw("DELETE", f"/api/sandbox/{sandbox['id']}")
        super().__exit__(*exception)

    def assert_well(self):
        assert self.process.poll() is None, f"it died: {self.process.returncode} {self.log()[-800:]}"
        panics = [line for line in self.log().splitlines() if "panicked" in line]
        assert not panics, panics[:3]
        status, _ = self.client(30).raw("GET", "/api/sandbox")
        assert status == 200, status

    def sandboxes(self):
        """Returns the sandboxes of all pages."""
        found, cursor = [], ""
        while cursor is not None:
            page = self.client()("GET", f"/api/sandbox?limit=200&cursor={cursor}")
            found += page["items"]
            cursor = page["nextCursor"]
        return found

    def create(self, **fields):
        """Creates a sandbox, and returns its toolbox."""
        return Toolbox(self, self.client()("POST", "/api/sandbox", fields)["id"])

    def files(self):
        return [path for path in super().files() if path.name != "log"]


class Toolbox:
    """A sandbox of a control plane, with the clients of a daemon."""

    def __init__(self, plane, identity):
        self.plane, self.id = plane, identity
        self.host, self.port, self.token = plane.host, plane.port, plane.token

    def client(self, timeout=120):
        client = Client(self, timeout)
        client.prefix = f"/toolbox/{self.id}"
        return client

    def websocket(self, path, protocols=(), timeout=60):
        return WebSocket(self, f"/toolbox/{self.id}{path}", protocols, timeout)

    def connect(self, timeout=30):
        return self.plane.connect(timeout)

    def again(self, plane):
        """Returns the same sandbox of a server that was started again."""
        return Toolbox(plane, self.id)

    def change(self, action):
        """Starts or stops it."""
        return self.plane.client()("POST", f"/api/sandbox/{self.id}/{action}")

    def delete(self):
        status, body = self.plane.client().raw("DELETE", f"/api/sandbox/{self.id}")
        assert status == 200, (status, body)


class Status(Exception):
    """A response that reports an error."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body[:300]!r}")
        self.status = status


class Client:
    """HTTP, a connection for each request."""

    prefix = ""

    def __init__(self, daemon, timeout):
        self.daemon, self.timeout = daemon, timeout

    def headers(self):
        headers = {"Content-Type": "application/json", "X-Daytona-SDK-Version": "0.226.1"}
        if self.daemon.token:
            headers["Authorization"] = "Bearer " + self.daemon.token
        return headers

    def raw(self, method, path, body=None, headers=None):
        """Returns the status and the body."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        connection = http.client.HTTPConnection(self.daemon.host, self.daemon.port, timeout=self.timeout)
        try:
            connection.request(method, self.prefix + path, body, self.headers() if headers is None else headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def __call__(self, method, path, body=None):
        status, text = self.raw(method, path, body)
        if status >= 400:
            raise Status(status, text)
        return json.loads(text) if text else None

    def execute(self, command, **fields):
        return self("POST", "/process/execute", {"command": command, **fields})

    def run_code(self, code, language, **fields):
        return self("POST", "/process/code-run", {"code": code, "language": language, **fields})

    def session(self):
        name = "s" + uuid.uuid4().hex
        self("POST", "/process/session", {"sessionId": name})
        return name

    def run(self, session, command, **fields):
        return self("POST", f"/process/session/{session}/exec", {"command": command, **fields})

    def begin(self, session, command):
        """Starts a command and returns its id."""
        return self.run(session, command, runAsync=True)["cmdId"]

    def command(self, session, command):
        return self("GET", f"/process/session/{session}/command/{command}")

    def ended(self, session, command, seconds=60):
        """Waits for the end of a command and returns what is known of it."""
        known = {}

        def has_ended():
            known.update(self.command(session, command))
            return known.get("exitCode") is not None

        wait_until(has_ended, seconds, f"the end of {command}")
        return known

    def delete(self, session):
        return self.raw("DELETE", f"/process/session/{session}")[0]


class WebSocket:
    """A WebSocket of the token's owner."""

    def __init__(self, daemon, path, protocols, timeout):
        self.socket = daemon.connect(timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        head = [
            f"GET {path} HTTP/1.1",
            f"Host: {daemon.host}:{daemon.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            *(f"{name}: {value}" for name, value in daemon.client().headers().items() if name != "Content-Type"),
        ]
        if protocols:
            head.append("Sec-WebSocket-Protocol: " + ", ".join(protocols))
        self.socket.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        self.reader = self.socket.makefile("rb")
        status = self.reader.readline()
        while self.reader.readline().strip():
            pass
        if b" 101 " not in status:
            self.close()
            raise Status(int(status.split()[1]), status)

    def close(self):
        self.reader.close()
        self.socket.close()

    def send(self, data, opcode=2):
        size = len(data)
        if size < 126:
            head = struct.pack(">BB", 0x80 | opcode, 0x80 | size)
        elif size < 1 << 16:
            head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, size)
        # A mask of zeros is a mask.
        self.socket.sendall(head + bytes(4) + data)

    def frame(self):
        """Returns the next frame that is no ping, as its opcode and payload."""
        while True:
            first, size = self._exactly(2)
            size &= 127
            if size == 126:
                (size,) = struct.unpack(">H", self._exactly(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self._exactly(8))
            payload = self._exactly(size)
            if first & 15 != 9:
                return first & 15, payload
            self.send(payload, 10)

    def _exactly(self, size):
        data = self.reader.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def to_the_end(self):
        """Reads to the close; returns what came and the close code, which is None if there was no close frame."""
        out = bytearray()
        try:
            while True:
                opcode, payload = self.frame()
                if opcode == 8:
                    with contextlib.suppress(OSError):
                        self.send(payload, 8)
                    return bytes(out), struct.unpack(">H", payload[:2])[0] if payload else 0
                out += payload
        except (EOFError, ConnectionError):
            return bytes(out), None
        finally:
            self.close()


def wait_until(fact, seconds=60, what=""):
    """Waits for `fact` to be true and returns what it returned; the deadline only bounds a failure."""
    end = time.monotonic() + seconds
    while not (result := fact()):
        assert time.monotonic() < end, f"not within {seconds} s: {what or fact}"
        time.sleep(0.02)
    return result


def in_parallel(count, function):
    """Runs `function(index)` in threads and returns the results in order; an exception is raised here."""
    results = [None] * count
    errors = []

    def run(index):
        try:
            results[index] = function(index)
        except Exception as error:  # noqa: BLE001 - it is raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive(), "a request hangs"
    if errors:
        raise errors[0]
    return results


class Peak:
    """The most memory that a daemon had while the block ran."""

    def __init__(self, daemon):
        self.daemon, self.most = daemon, 0
        self._done = threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self):
        while not self._done.wait(0.01):
            with contextlib.suppress(OSError):
                self.most = max(self.most, self.daemon.memory())

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()


def processes_with(mark):
    """Returns the pids of the processes whose command line or environment has `mark`, without this one."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            state = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[0]
            text = b"".join(pathlib.Path(f"/proc/{entry}/{name}").read_bytes() for name in ("cmdline", "environ"))
        except OSError:
            continue
        if state != "Z" and mark.encode() in text:
            found.append(int(entry))
    return found


def descendants(pid):
    """Returns the pids of everything below `pid`."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                parent = int(pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found
