"""Files that block every process that opens them."""

import contextlib
import ctypes
import os
import signal
import time

from harness import Skip, Status, attack, in_parallel

LIBC = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2


def dead_mount(run):
    """Returns a directory whose file system never responds, until the attack ends."""
    directory = run.directory() / "dead"
    directory.mkdir()
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        raise Skip(f"/dev/fuse: {error}") from None
    # It is closed first, which ends every call that waits.
    run.defer(LIBC.umount2, os.fsencode(directory), MNT_DETACH)
    run.defer(os.close, server)
    options = f"fd={server},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
    if LIBC.mount(b"attack", os.fsencode(directory), b"fuse", 6, options.encode()):
        raise Skip(f"mount: {os.strerror(ctypes.get_errno())}")
    return directory


@attack("A file system that does not respond blocks only what is to run on it.")
def dead_file_system(run):
    # First, so that it ends last.
    daemon = run.daemon()
    dead = str(dead_mount(run))
    client = daemon.client(60)
    session = client.session()

    def refused(index):
        with contextlib.suppress(Status):
            match index % 4:
                case 0:
                    assert client.execute("true", cwd=dead)["exitCode"] != 0
                case 1:
                    client.run(session, "true", cwd=dead)
                case 2:
                    client("POST", "/process/pty", {"id": f"p{index}", "cwd": dead})
                case _:
                    client("POST", "/process/interpreter/context", {"cwd": dead})

    def served(_):
        slowest = 0
        for _ in range(10):
            start = time.monotonic()
            assert client.run(session, "echo a")["stdout"] == "a\n"
            assert client.execute("echo b")["result"] == "b\n"
            slowest = max(slowest, time.monotonic() - start)
            time.sleep(0.05)
        return slowest

    count = run.times(12, 60)
    results = in_parallel(count + 1, lambda index: served(index) if index == count else refused(index))
    run.figure("slowest_s", round(results[-1], 2))
    # A command that blocks on it is ended as any other.
    status, _ = client.raw("POST", "/process/execute", {"command": f"ls {dead}", "timeout": 1})
    assert status == 408, status
    command = client.begin(session, f"ls {dead}")
    assert client.delete(session) in (200, 204), command
    daemon.assert_well()
    # The daemon exits although threads of it still wait.
    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.wait(60)
