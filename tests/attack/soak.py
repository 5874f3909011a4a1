"""Everything at once for a while: nothing may grow."""

import collections
import json
import os
import random
import sys
import threading
import time
import traceback
import uuid
from contextlib import suppress

import work
from harness import MIB, attack, descendants, wait_until


@attack("Descriptors, threads, processes, files and memory do not grow with the work that was done.")
def soak(run):
    daemon = run.daemon()
    Soak(run, daemon, work.ALL).run()


@attack("The same for a control plane and the sandboxes that it creates, stops, starts and deletes.")
def soak_of_sandboxes(run):
    plane = run.plane()
    # These stay, so what grows in the daemon of a sandbox is seen as well.
    steady = [plane.create(name=f"steady{number}") for number in range(2)]

    def inside(_, chance):
        chance.choice(work.ALL)(chance.choice(steady), chance)

    def others():
        return [found["id"] for found in plane.sandboxes() if not found["name"].startswith("steady")]

    def delete_others():
        """Deletes what was created for clients that had left. Their connections are accepted before those of the requests here."""
        looks = 0
        while looks < 3:
            time.sleep(1)
            looks = 0 if (left := others()) else looks + 1
            for other in left:
                # One that is being created is not deleted before it is.
                path = f"/api/sandbox/{other}"
                wait_until(lambda path=path: plane.client().raw("DELETE", path)[0] in (200, 404), what=other)

    Soak(run, plane, [lives, renamed_lives, refused, inside], delete_others).run()


class Soak:
    """Work in a few threads at a time, and figures of a process after each minute."""

    def __init__(self, run, target, kinds, tidy=lambda: None):
        self.attack, self.target, self.kinds, self.tidy = run, target, kinds, tidy
        self.done = collections.Counter()
        self.errors = []
        self.stop = threading.Event()
        self.threads = float("inf")

    def run(self):
        """Works for a few seconds, or for MINUTES."""
        times = self.attack.times
        # What is done first fills pools and caches, which are there to stay.
        for kind in self.kinds * 3:
            kind(self.target, random.Random(self.done.total()))
            self.done[kind.__name__] += 1
        self.load(times(3, 60 * WARM_MINUTES))
        before = self.rested()
        report("begin", before)
        begin = time.monotonic()
        for minute in range(1, times(1, MINUTES) + 1):
            self.load(times(8, 0) or begin + 60 * minute - time.monotonic())
            after = self.rested()
            report(f"minute {minute}", after)
            assert_flat(before, after)
        self.attack.figure("before", before)
        self.attack.figure("after", after)
        self.attack.figure("operations", self.done.total())
        print("  operations:", dict(self.done), flush=True)
        self.target.assert_well()

    def load(self, seconds):
        self.stop.clear()
        threads = [threading.Thread(target=self.worker, args=(seed,), daemon=True) for seed in range(WORKERS)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.errors:
            time.sleep(0.1)
        self.stop.set()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive(), f"a request hangs: {stack(thread)}"
        if self.errors:
            raise self.errors[0]

    def worker(self, seed):
        chance = random.Random(seed + self.done.total())
        while not self.stop.is_set():
            try:
                kind = chance.choice(self.kinds)
                kind(self.target, chance)
                self.done[kind.__name__] += 1
            except Exception as error:  # noqa: BLE001 - the attack fails with it
                self.errors.append(error)
                return

    def resting_threads(self):
        """Returns the number of threads, when those of the pool for blocking calls have ended: 10 s after their last call."""
        give_up = time.monotonic() + POOL_IDLE
        while (count := self.target.status("Threads")) > self.threads + SLACK["threads"] and time.monotonic() < give_up:
            time.sleep(0.2)
        # As of the first time, which has no other to wait for.
        self.threads = min(self.threads, count)
        return count

    def rested(self):
        """Returns the figures after the work is done; memory is given a second."""
        self.tidy()
        time.sleep(2)  # The promise is about what is left a second after the load.
        target = self.target
        below = descendants(target.pid)
        zombies, memory = 0, 0
        for pid in below:
            with suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{pid}/stat") as stat:
                    zombies += stat.read().rsplit(")", 1)[1].split()[0] == "Z"
                with open(f"/proc/{pid}/smaps_rollup") as rollup:
                    text = rollup.read()
                    memory += int(text[text.index("Pss:") :].split()[1]) * 1024
        with open("/proc/mounts") as mounts:
            mounted = sum(str(target.base) in line for line in mounts)
        files = target.files()
        size = 0
        for path in files:
            with suppress(OSError):
                size += path.lstat().st_blocks * 512
        return {
            "descriptors": target.descriptors(),
            "threads": self.resting_threads(),
            "processes": len(below),
            "zombies": zombies,
            "mounts": mounted,
            "files": len(files),
            "disk_mib": size // MIB,
            "memory_mib": target.memory() // MIB,
            "below_mib": memory // MIB,
        }


def stack(thread):
    """Returns where a thread is."""
    return "".join(traceback.format_stack(sys._current_frames()[thread.ident])[-4:])


# A minute of the long run ends with what `rested` measures.
MINUTES = int(os.environ.get("SANDBOX_SOAK_MINUTES", "15"))

# Node.js and the fork servers are started within these, and the tables of open descriptors have their size.
WARM_MINUTES = 1

WORKERS = 4


def report(when, figures):
    """Prints the figures as they come: a run that is ended from outside has reported too."""
    print(f"  {when}:", ", ".join(f"{name} {value}" for name, value in figures.items()), flush=True)


def assert_flat(before, after):
    """Fails in the first minute that has grown beyond the slack, not only at the end."""
    for name, slack in SLACK.items():
        assert after[name] <= before[name] + slack, (name, before, after)
    assert after["zombies"] == 0, after


# The seconds that an idle thread of the pool lives, and some more.
POOL_IDLE = 12

# What lies below the process: its pools are full or empty, and each process of Python or Node.js has some 10 MiB.
SLACK = {
    "descriptors": 4,
    "threads": 4,
    "processes": 4,
    "mounts": 0,
    "files": 4,
    "disk_mib": 1,
    "memory_mib": 10,
    "below_mib": 96,
}


def lives(plane, chance):
    """A sandbox is created, used, stopped, started, used and deleted, or a part of that."""
    sandbox = plane.create(env={"A": "b"}, labels={"soak": str(chance.random())})
    client = sandbox.client()
    assert client.execute('echo "$A" > file; cat file')["result"] == "b\n"
    if chance.random() < 0.3:
        session = client.session()
        client.begin(session, "sleep 1000")
    if chance.random() < 0.3:
        chance.choice(work.ALL)(sandbox, chance)
    if chance.random() < 0.5:
        sandbox.change("stop")
        if chance.random() < 0.7:
            sandbox.change("start")
            assert client.execute("cat file")["result"] == "b\n"
    sandbox.delete()


def renamed_lives(plane, chance):
    """Clients race for a name, and one of them leaves before the response."""
    name = f"n{chance.randrange(3)}"
    body = json.dumps({"name": name})
    connection = plane.connect()
    head = f"POST /api/sandbox HTTP/1.1\r\nHost: {plane.host}:{plane.port}\r\nAuthorization: Bearer {plane.token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    connection.sendall(head.encode())
    if chance.random() < 0.5:
        connection.recv(100)
    connection.close()
    # It is there, or is created yet, or was never begun, or another worker has deleted it.
    for _ in range(100):
        status, text = plane.client().raw("DELETE", f"/api/sandbox/{name}")
        assert status in (200, 404, 409), (status, text)
        if status != 409:
            return
        time.sleep(0.1)


def refused(plane, chance):
    """Requests that create nothing."""
    for body in ['{"env":{"A=":"x"}}', '{"image":"none"}', '{"cpu":3000000000000}', "[" * 100_000, '{"volumes":[1]}']:
        status, text = plane.client().raw("POST", "/api/sandbox", body)
        assert status == 400, (status, text[:200])
    status, _ = plane.client().raw("POST", f"/api/sandbox/{uuid.uuid4()}/start", "")
    assert status == 404, status
    status, _ = plane.client().raw("GET", "/api/sandbox", headers={"Authorization": f"Bearer {chance.random()}"})
    assert status == 401, status
