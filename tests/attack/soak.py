"""Everything at once for a while: nothing may grow."""

import collections
import json
import random
import threading
import time
import uuid

from harness import MIB, attack, descendants


@attack("Descriptors, threads, processes, files and memory do not grow with the work that was done.")
def soak(run):
    daemon = run.daemon()
    work = [executes, runs_code, sessions, terminals, contexts, cut_followers]
    errors = []
    done = collections.Counter()
    stop = threading.Event()

    def worker(seed):
        chance = random.Random(seed)
        while not stop.is_set():
            try:
                kind = chance.choice(work)
                kind(daemon, chance)
                done[kind.__name__] += 1
            except Exception as error:  # noqa: BLE001 - the attack fails with it
                errors.append(error)
                return

    def load(seconds):
        stop.clear()
        threads = [threading.Thread(target=worker, args=(seed,), daemon=True) for seed in range(4)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not errors:
            time.sleep(0.1)
        stop.set()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive(), "a request hangs"
        assert not errors, errors[:3]

    # The first minute fills pools and caches, which are there to stay.
    load(run.times(5, 60))
    before = rested(daemon)
    report("begin", before)
    begin = time.monotonic()
    for minute in range(1, run.times(1, MINUTES) + 1):
        load(run.times(8, 0) or begin + 60 * minute - time.monotonic())
        after = rested(daemon)
        report(f"minute {minute}", after)
        assert_flat(before, after)
    run.figure("before", before)
    run.figure("after", after)
    run.figure("operations", sum(done.values()))
    print("  operations:", done, flush=True)
    daemon.assert_well()


# A minute of the long run ends with what `rested` measures.
MINUTES = 15


def report(when, figures):
    """Prints the figures as they come: a run that is ended from outside has reported too."""
    print(f"  {when}:", ", ".join(f"{name} {value}" for name, value in figures.items()), flush=True)


def assert_flat(before, after):
    """Fails in the first minute that has grown beyond the slack, not only at the end."""
    for name, slack in SLACK.items():
        assert after[name] <= before[name] + slack, (name, before, after)
    assert after["zombies"] == 0, after


SLACK = {"descriptors": 4, "threads": 4, "processes": 3, "files": 4, "memory_mib": 10}


def rested(daemon):
    """Returns the figures after the work is done; memory is given a second."""
    time.sleep(2)  # The promise is about what is left a second after the load.
    below = descendants(daemon.pid)
    states = []
    for pid in below:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                states.append(stat.read().rsplit(")", 1)[1].split()[0])
        except OSError:
            pass
    return {
        "descriptors": daemon.descriptors(),
        "threads": daemon.status("Threads"),
        "processes": len(below),
        "zombies": states.count("Z"),
        "files": len(daemon.files()),
        "memory_mib": daemon.memory() // MIB,
    }


def executes(daemon, chance):
    code = chance.randrange(256)
    size = chance.choice([0, 10, 100_000, 3_000_000])
    result = daemon.client().execute(f"head -c {size} /dev/zero | tr '\\0' x; exit {code}")
    assert (result["exitCode"], len(result["result"])) == (code, size), result["exitCode"]


def runs_code(daemon, chance):
    number = chance.randrange(1000)
    language, code = chance.choice(
        [("python", f"print({number})"), ("javascript", f"console.log({number})"), ("typescript", f"console.log({number} as number)")]
    )
    result = daemon.client().run_code(code, language)
    assert result["result"] == f"{number}\n", result


def sessions(daemon, chance):
    client = daemon.client()
    session = client.session()
    for _ in range(chance.randrange(4)):
        number = chance.randrange(1000)
        assert client.run(session, f"echo {number}")["stdout"] == f"{number}\n"
    if chance.random() < 0.3:
        client.begin(session, "sleep 100")
    if chance.random() < 0.2:
        client.begin(session, "exit 3")
    assert client.delete(session) in (200, 204)


def terminals(daemon, chance):
    client = daemon.client()
    name = "p" + uuid.uuid4().hex
    client("POST", "/process/pty", {"id": name})
    socket = daemon.websocket(f"/process/pty/{name}/connect")
    if chance.random() < 0.5:
        socket.send(b"exit 0\n")
        socket.to_the_end()
    else:
        socket.close()
    status, _ = client.raw("DELETE", f"/process/pty/{name}")
    assert status in (200, 204, 404), status


def contexts(daemon, chance):
    client = daemon.client()
    context = client("POST", "/process/interpreter/context", {})["id"]
    socket = daemon.websocket("/process/interpreter/execute")
    socket.send(json.dumps({"code": "print(41 + 1)", "contextId": context}).encode(), 1)
    if chance.random() < 0.7:
        out, code = socket.to_the_end()
        assert b"42" in out, (out, code)
    else:
        socket.close()
    status, _ = client.raw("DELETE", f"/process/interpreter/context/{context}")
    assert status in (200, 204), status


def cut_followers(daemon, _):
    client = daemon.client()
    session = client.session()
    command = client.begin(session, "while echo x; do sleep 0.01; done")
    follower = daemon.websocket(f"/process/session/{session}/command/{command}/logs?follow=true")
    follower.frame()
    follower.close()
    assert client.delete(session) in (200, 204)
