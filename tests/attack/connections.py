"""Connections of clients that have no token, and requests that are odd."""

import resource
import socket
import struct
import threading
import time

from harness import Skip, attack, wait_until

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class Crowd:
    """Connections that answer pings and never show a token."""

    def __init__(self, daemon, count, hello, pulse=b""):
        self.sockets = []
        self.hello, self.pulse = hello, pulse
        for _ in range(count):
            connection = daemon.connect(10)
            connection.sendall(hello)
            connection.setblocking(False)
            self.sockets.append(connection)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def _live(self):
        while not self._stop.wait(0.2):
            for connection in list(self.sockets):
                try:
                    data = connection.recv(65536)
                    if not data:
                        raise ConnectionError
                    for start in range(len(data) - 8):
                        if data[start : start + 5] == b"\0\0\x08\x06\0":
                            connection.send(frame(6, 1, 0, data[start + 9 : start + 17]))
                except BlockingIOError:
                    if self.pulse:
                        try:
                            connection.send(self.pulse)
                        except BlockingIOError:
                            pass
                        except OSError:
                            self._drop(connection)
                except OSError:
                    self._drop(connection)

    def _drop(self, connection):
        self.sockets.remove(connection)
        connection.close()

    def close(self):
        self._stop.set()
        self._thread.join()
        for connection in self.sockets:
            connection.close()


CROWDS = {
    "silent": (b"", b""),
    "HTTP/1 head that never ends": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"A: b\r\n"),
    "HTTP/2 that answers pings": (PREFACE + frame(4, 0, 0), b""),
    "HTTP/2 of pings": (PREFACE + frame(4, 0, 0), frame(6, 0, 0, b"12345678")),
    "refused requests": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
}


def need_descriptors(count):
    """Lets this process have all descriptors that it may, and skips the attack if that are fewer than these."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < count:
        raise Skip(f"fewer than {count:,} descriptors")


@attack("Clients without a token cannot keep out one that has it.")
def crowded_out(run):
    need_descriptors(10_000)
    for name, (hello, pulse) in CROWDS.items():
        daemon = run.daemon()
        crowd = Crowd(daemon, 4_200, hello, pulse)
        try:
            for _ in range(3):
                started = time.monotonic()
                status, _ = daemon.client(60).raw("GET", "/version")
                assert status == 200, (name, status)
                run.figure(name.replace(" ", "_"), f"{time.monotonic() - started:.2f}s")
            if run.is_long:
                wait_until(lambda: not crowd.sockets, 180, f"{name}: unauthorized connections are closed")
        finally:
            crowd.close()
        daemon.assert_well()


@attack("An unauthenticated connection costs at most what LIMITS.md says.")
def heads_without_end(run):
    daemon = run.daemon()
    daemon.client().raw("GET", "/version")
    idle = daemon.memory()
    count = 300
    connections = []
    for _ in range(count):
        connection = daemon.connect(5)
        connections.append(connection)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        connection.setblocking(False)
        try:
            for _ in range(60):
                connection.send(b"X-A: " + b"a" * 8000 + b"\r\n")
        except OSError:
            pass
    time.sleep(0.5)  # The daemon reads what has come; less would only be kinder to it.
    each = (daemon.memory() - idle) // count
    run.figure("bytes_each", each)
    for connection in connections:
        connection.close()
    assert each < 128 << 10, each
    daemon.assert_well()


@attack("A loopback listener without a token serves no web page.")
def rebinding(run):
    daemon = run.daemon("--insecure-no-auth", token=False)
    refused = [
        b"Host: evil.com",
        b"Host: evil\xff.com",
        b"Host: \xff",
        b"Host: localhost:evil.com",
        b"Host: localhost.evil.com",
        b"Host: localhost\r\nHost: evil.com",
        b"Host: evil.com\r\nHost: localhost",
        b"Host: localhost\r\nOrigin: http://evil.com",
        b"Host: localhost\r\nSec-Fetch-Site: cross-site",
    ]
    for head in refused:
        answer = ask(daemon, b"GET /version HTTP/1.1\r\n" + head + b"\r\nConnection: close\r\n\r\n")
        assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 403", b"HTTP/1.1 401"), (head, answer[:80])
    for host in (b"localhost", b"127.0.0.1", b"[::1]", b"localhost:80"):
        answer = ask(daemon, b"GET /version HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), (host, answer[:80])


@attack("Without the token every path and method is refused, and the body is not waited for.")
def no_token(run):
    daemon = run.daemon()
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        for path in ("/version", "/process/execute", "/files", "/", "/no/such", "/%76ersion"):
            request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\n12345"
            answer = ask(daemon, request.encode())
            assert answer.startswith(b"HTTP/1.1 401"), (method, path, answer[:80])


@attack("A client that closes its half of the connection after its request has its response.")
def half_closed(run):
    daemon = run.daemon()
    body = b'{"command": "sleep 0.3; echo done"}'
    head = f"POST /process/execute HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {daemon.token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = ask(daemon, head.encode() + body, half_close=True)
    assert answer.startswith(b"HTTP/1.1 200") and b"done" in answer, answer[:200]


def ask(daemon, request, half_close=False):
    """Sends bytes and returns what comes until the daemon closes."""
    with daemon.connect(30) as connection:
        connection.sendall(request)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(20)
        answer = bytearray()
        try:
            while data := connection.recv(65536):
                answer += data
                if half_close and b"done" in answer:
                    break
        except TimeoutError:
            pass
        return bytes(answer)
