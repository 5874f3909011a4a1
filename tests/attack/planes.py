"""A control plane: clients without its key, hostile bodies, its death, and what runs in its sandboxes."""

import contextlib
import http.client
import os
import random
import signal
import socket
import threading
import time

from connections import CROWDS, Crowd, ask, need_descriptors
from harness import MIB, Peak, Status, attack, descendants, in_parallel, wait_until


@attack("Clients without the key of a control plane cannot keep out one that has it, nor what it has open.")
def crowded_plane(run):
    need_descriptors(12_000)
    plane = run.plane()
    sandbox = plane.create()
    session = sandbox.client().session()
    command = sandbox.client().begin(session, "while echo x; do sleep 0.1; done")
    idle = plane.memory()
    for name, (hello, pulse) in list(CROWDS.items())[: run.times(2, 5)]:
        follower = sandbox.websocket(f"/process/session/{session}/command/{command}/logs?follow=true")
        crowd = Crowd(plane, 5_000, hello, pulse)
        try:
            slowest = 0
            for _ in range(3):
                started = time.monotonic()
                assert plane.sandboxes() and sandbox.client(60).execute("echo a")["result"] == "a\n"
                slowest = max(slowest, time.monotonic() - started)
            run.figure(name.replace(" ", "_"), f"{slowest:.2f}s")
            cost = plane.memory() - idle
            run.figure("crowd_mib", cost // MIB)
            assert cost < 200 * MIB, (name, cost)
            # It is let go on, however many came after it.
            for _ in range(3):
                assert follower.frame()[0] in (1, 2)
        finally:
            crowd.close()
            follower.close()
    wait_until(lambda: plane.memory() < idle + 20 * MIB, 60, "memory is given back")
    plane.assert_well()


@attack("Without the key of a control plane, or with that of another sandbox, nothing is shown or run.")
def no_key(run):
    plane = run.plane()
    sandbox, other = plane.create(), plane.create()
    client = plane.client()
    token = client("GET", f"/api/sandbox/{other.id}/ports/1/preview-url")["token"]
    paths = ["/api/sandbox", "/api/sandbox/x", "/api/snapshots", "/api/no", f"/toolbox/{sandbox.id}/process/execute"]
    paths += ["/", "/api", "/toolbox", "/api/%73andbox", "//api/sandbox", "/api//sandbox", f"/toolbox/{sandbox.id}/../api/sandbox"]
    for path in paths:
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
            for headers in ({}, {"Authorization": "Bearer " + token}, {"X-Daytona-Preview-Token": token}, {"Authorization": "Bearer"}):
                status, text = client.raw(method, path, '{"command":"true"}', headers)
                if path == "/" and method in ("GET", "HEAD"):
                    # The page, which has no data.
                    assert status == 200 and not any(one.id.encode() in text for one in (sandbox, other)), text
                    continue
                assert status == 401, (method, path, headers, status, text[:200])
    for path in (f"/toolbox/{sandbox.id}/process/pty/x/connect", f"/toolbox/{other.id}/files/download?path=/etc/passwd"):
        status, _ = client.raw("GET", f"{path}?DAYTONA_SANDBOX_AUTH_KEY={token}", headers={})
        assert status == 401, (path, status)
    for host in ("evil.com", "127.0.0.1.evil.com", "localhost:80@evil.com", f"80-{sandbox.id}.localhost.evil.com"):
        request = f"GET /api/config HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        assert ask(plane, request.encode())[9:12] in (b"400", b"403"), host
    # A preview's host reaches nothing of the API, with or without the key.
    for path in ("/api/sandbox", f"/toolbox/{sandbox.id}/version"):
        headers = {**client.headers(), "Host": f"9-{sandbox.id}.localhost"}
        status, _ = client.raw("GET", path, headers=headers)
        assert status == 503, (path, status)
    plane.assert_well()


@attack("A body costs a control plane what it carries, however long it is or takes, and nothing is created of it.")
def bodies_of_planes(run):
    plane = run.plane()
    client = plane.client()
    client.raw("GET", "/api/sandbox")
    before = plane.memory()
    bodies = ["[" * 900_000, '{"env":{' + ",".join(f'"a{n}":"b"' for n in range(50_000)) + "}}", '{"labels":' * 100_000]
    bodies += ["[" + "0," * 400_000 + "0]", '{"name":"' + "x" * 1_000_000 + '"}', "\xff" * 1000, "x" * (8 << 20)]
    with Peak(plane) as peak:
        for _ in range(run.times(2, 20)):
            for status, text in in_parallel(len(bodies), lambda index: client.raw("POST", "/api/sandbox", bodies[index].encode())):
                assert status in (400, 413), (status, text[:200])
    run.figure("peak_mib", (peak.most - before) // MIB)
    assert peak.most - before < 150 * MIB, peak.most
    # Clients that send a byte now and then hold up nobody, with the key or without it.
    head = f"POST /api/sandbox HTTP/1.1\r\nHost: {plane.host}\r\nAuthorization: Bearer {plane.token}\r\n"
    head += "Content-Length: 1000\r\n\r\n"
    slow = [plane.connect() for _ in range(run.times(100, 1000))]
    for connection in slow:
        connection.sendall(head.encode())
    started = time.monotonic()
    assert plane.sandboxes() == []
    run.figure("beside_slow_s", round(time.monotonic() - started, 2))
    assert time.monotonic() - started < 5
    if run.is_long:
        for connection in slow:
            connection.settimeout(60)
            assert b" 408 " in connection.recv(1000)
    for connection in slow:
        connection.close()
    wait_until(lambda: plane.memory() < before + 10 * MIB, 60, "memory is given back")
    assert plane.sandboxes() == []
    plane.assert_well()


@attack("A control plane that is killed leaves no sandbox half-made: the next one has each whole, or not at all.")
def killed_plane(run):
    plane = run.plane()
    keep = plane.create(name="keep")
    keep.client().execute("echo kept > file")
    end = time.monotonic() + run.times(6, 300)
    kills, seen = 0, 0
    chance = random.Random(os.getpid())
    while time.monotonic() < end:
        stop = threading.Event()
        workers = [threading.Thread(target=changes, args=(plane, stop, number), daemon=True) for number in range(4)]
        for worker in workers:
            worker.start()
        time.sleep(chance.random() * 0.8)
        os.kill(plane.pid, signal.SIGKILL)
        plane.process.wait()
        plane.process.stdout.close()
        stop.set()
        for worker in workers:
            worker.join(60)
            assert not worker.is_alive(), "a client waits for a dead server"
        kills += 1
        plane.start()
        seen += check_whole(plane, is_thorough=kills % run.times(2, 5) == 0)
        assert keep.again(plane).client().execute("cat file")["result"] == "kept\n"
    run.figure("kills", kills)
    run.figure("sandboxes_found", seen)
    for found in plane.sandboxes():
        plane.client().raw("DELETE", f"/api/sandbox/{found['id']}")
    wait_until(lambda: not descendants(plane.pid), 30, "nothing runs")
    check_files(plane, set())
    plane.assert_well()


def changes(plane, stop, number):
    """Creates, stops, starts and deletes sandboxes until the server dies."""
    chance = random.Random(number + time.monotonic_ns())
    while not stop.is_set():
        try:
            sandbox = plane.create(name=f"n{number}", env={"A": "b"})
            for action in ("stop", "start"):
                if chance.random() < 0.5:
                    sandbox.change(action)
            if chance.random() < 0.8:
                sandbox.delete()
        except Status:
            # It is the name of one that is left.
            with contextlib.suppress(OSError, http.client.HTTPException):
                plane.client().raw("DELETE", f"/api/sandbox/n{number}")
        except (OSError, EOFError, ValueError, AssertionError, http.client.HTTPException):
            return


def check_whole(plane, is_thorough):
    """Every sandbox that is listed can be used, and there are files of no other one."""
    client = plane.client()
    # What the killed server had begun to stop or to delete, the next one ends.
    with contextlib.suppress(AssertionError):
        wait_until(lambda: all(found["state"] in SETTLED for found in plane.sandboxes()), 60)
    sandboxes = plane.sandboxes()
    others = [found for found in sandboxes if found["state"] not in SETTLED]
    assert not others, (others, plane.log()[-1000:])
    check_files(plane, {found["id"] for found in sandboxes})
    for found in sandboxes if is_thorough else []:
        if found["state"] == "stopped":
            client("POST", f"/api/sandbox/{found['id']}/start")
        status, text = client.raw("POST", f"/toolbox/{found['id']}/process/execute", {"command": "echo $A; echo x > y"})
        assert (status, b'"exitCode":0' in text) == (200, True), (found["name"], status, text)
    return len(sandboxes)


SETTLED = ("started", "stopped")


def check_files(plane, identities):
    for place in ("records", "data", "run"):
        names = {path.name for path in (plane.state / "sandboxes" / place).iterdir()}
        assert names <= identities, (place, names - identities)


@attack("What a sandbox does to its own daemon, memory of a response or disk harms neither another one nor the control plane.")
def inside_sandboxes(run):
    plane = run.plane()
    one, other = plane.create(), plane.create()
    idle = plane.memory()
    client = one.client()
    # A response that its server makes up, and one without an end, which nobody reads.
    program = """
import socket, threading
listener = socket.create_server(("127.0.0.1", 8000))
print("ready", flush=True)
def serve(client):
    try:
        path = client.recv(65536).split()[1]
        if path == b"/endless":
            client.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
            while True: client.sendall(bytes(1 << 20))
        if path == b"/head":
            client.sendall(b"HTTP/1.1 200 OK\\r\\n")
            while True: client.sendall(b"A: " + b"b" * 8000 + b"\\r\\n")
        if path == b"/forged":
            client.sendall(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\nContent-Length: 3\\r\\n\\r\\n0\\r\\n\\r\\nHTTP/1.1 200 OK\\r\\n\\r\\nforged")
        if path == b"/silent":
            threading.Event().wait(5)
        client.close()
    except OSError: pass
while True:
    threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
"""
    session = client.session()
    command = client.begin(session, f"exec python3 -c '{program}'")
    wait_until(lambda: b"ready" in client.raw("GET", f"/process/session/{session}/command/{command}/logs")[1], what="it listens")
    readers = []
    with Peak(plane) as peak:
        for path in ("endless", "endless", "head", "forged", "silent"):
            connection = plane.connect()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            head = f"GET /preview/{one.id}/8000/{path} HTTP/1.1\r\nHost: {plane.host}\r\nAuthorization: Bearer {plane.token}\r\n\r\n"
            connection.sendall(head.encode())
            readers.append(connection)
        time.sleep(run.times(2, 30))  # As long as they may fill memory.
        assert other.client(60).execute("echo a")["result"] == "a\n"
    run.figure("peak_mib", (peak.most - idle) // MIB)
    assert peak.most - idle < 20 * MIB, peak.most
    for connection in readers:
        connection.close()
    # It kills all that it can see, and its own daemon.
    with contextlib.suppress(Status, OSError, http.client.HTTPException):
        client.execute("kill -9 -1; kill -STOP -1; kill -9 1", timeout=5)
    assert other.client(60).execute("echo b")["result"] == "b\n"
    started = time.monotonic()
    status, _ = plane.client(60).raw("GET", f"/toolbox/{one.id}/version")
    assert status in (200, 409, 503), status
    assert time.monotonic() - started < 30
    one.delete()
    other.delete()
    wait_until(lambda: not descendants(plane.pid), 30, "nothing runs")
    check_files(plane, set())
    plane.assert_well()
