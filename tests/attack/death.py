"""KILL for the daemon itself."""

import os
import signal
import threading
import time
import uuid

from harness import attack, descendants, processes_with, wait_until


@attack("After the daemon is killed nothing that it ran lives on, and nothing of its files stays.")
def killed_daemon(run):
    for _ in range(run.times(1, 20)):
        killed_once(run)


def killed_once(run):
    daemon = run.daemon()
    client = daemon.client()
    mark = "mark" + uuid.uuid4().hex
    keep = client.session()
    command = client.begin(keep, f"export MARK={mark}; while :; do echo tick; sleep 0.05; done")
    big = client.session()
    client.run(big, "head -c 3000000 /dev/zero | tr '\\0' x")
    client.run(big, f"MARK={mark} sleep 1000 & MARK={mark} setsid sh -c 'sleep 1000 & exec sleep 1000' >/dev/null 2>&1 &")
    client.session()
    client("POST", "/process/pty", {"id": "term", "envs": {"MARK": mark}})
    daemon.websocket("/process/pty/term/connect").send(b"sleep 1001\n")
    client("POST", "/process/interpreter/context", {})
    client.run_code("print(1)", "python")
    client.run_code("console.log(1)", "javascript")
    client.run_code("console.log(1 as number)", "typescript")
    answers = []
    # A module that can name its own path has a file in the working directory to its end.
    module = "import.meta.url; await new Promise(resolve => setTimeout(resolve, 1e9)); export {}"

    def running():
        try:
            daemon.client().run_code(module, "javascript")
        except Exception:  # noqa: BLE001 - the daemon is killed
            pass

    runner = threading.Thread(target=running, daemon=True)
    runner.start()
    wait_until(lambda: list(daemon.home.glob(".program*")), what="the module's file is made")

    def waiting():
        try:
            answers.append(daemon.client().execute(f"MARK={mark} sleep 1002; echo never"))
        except Exception as error:  # noqa: BLE001 - which one does not matter
            answers.append(error)

    waiter = threading.Thread(target=waiting, daemon=True)
    waiter.start()
    follower = daemon.websocket(f"/process/session/{keep}/command/{command}/logs?follow=true")
    follower.frame()
    wait_until(lambda: len(processes_with(mark)) >= 4, what="everything runs")
    below = {pid: started(pid) for pid in descendants(daemon.pid)}
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.wait()
    waiter.join(30)
    runner.join(30)
    assert answers and isinstance(answers[0], Exception), answers
    assert follower.to_the_end()[1] is None, "a close frame was made up"

    def left():
        return [pid for pid, when in below.items() if when and started(pid) == when] + processes_with(mark)

    begun = time.monotonic()
    wait_until(lambda: not left(), 30, "what the daemon ran ends with it")
    run.figure("ended_after_s", round(time.monotonic() - begun, 2))
    # A new one in the same place starts empty and leaves nothing.
    daemon.process.stdout.close()
    files = [*daemon.tmp.iterdir(), *daemon.state.iterdir()]
    daemon.start()
    assert not list(daemon.home.glob(".program*")), "a program's file stays"
    client = daemon.client()
    assert client.raw("GET", f"/process/session/{keep}/command/{command}")[0] == 404
    assert client.run(client.session(), "echo hi")["stdout"] == "hi\n"
    daemon.assert_well()
    # In the directory for temporary files a thread of its own removes them.
    wait_until(lambda: not [path for path in files if path.exists()], what="its files are removed")
    daemon.process.terminate()
    daemon.process.wait(30)
    names = [str(path) for path in daemon.files()]
    assert not [name for name in names if "lock" not in name], names


@attack("A state directory belongs to one living daemon.")
def shared_state(run):
    first = run.daemon()
    try:
        run.daemon(state=first.state)
    except AssertionError as error:
        assert str(first.pid) in str(error) or "use" in str(error), error
    else:
        raise AssertionError("two daemons share a state directory")
    first.assert_well()


def started(pid):
    """When the process started, as the kernel counts; None if it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]
