"""As many sandboxes as a machine of a team has: their memory while they are idle, and how long a new one takes beside them."""

import time
from contextlib import suppress

from harness import MIB, attack, descendants, in_parallel, wait_until
from planes import check_files


@attack("Of 500 sandboxes, 100 of them created in parallel, none fails, and each takes little while it is idle.")
def many_sandboxes(run):
    plane = run.plane()
    at_once, many, tries = run.times((20, 40, 10), (100, 500, 100))
    for network, fields in (("own", {}), ("none", {"networkBlockAll": True})):
        for name, times in latencies(plane, tries, fields).items():
            run.figure(f"{network}_{name}_ms", percentiles(times))
    # From here on its code is in memory.
    idle = plane.memory()
    # The others have the time that they need; none is refused.
    started = time.monotonic()
    sandboxes = in_parallel(at_once, lambda _: plane.create())
    run.figure("parallel_s", round(time.monotonic() - started, 2))
    while len(sandboxes) < many:
        sandboxes += in_parallel(min(4, many - len(sandboxes)), lambda _: plane.create())
    assert {found["state"] for found in plane.sandboxes()} == {"started"}
    below = descendants(plane.pid)
    assert len(below) >= many, (len(below), many)
    resident, share = memory(below)
    run.figure("processes_each", round(len(below) / many, 1))
    run.figure("rss_each_mib", round(resident / many / MIB, 1))
    run.figure("pss_each_mib", round(share / many / MIB, 1))
    run.figure("plane_mib", (plane.memory() - idle) // MIB)
    run.figure("plane_descriptors", plane.descriptors())
    assert share / many < MOST_SHARE, (share, many)
    assert plane.memory() - idle < MOST_OF_PLANE, plane.memory()
    for name, times in latencies(plane, tries, {}).items():
        run.figure(f"beside_{name}_ms", percentiles(times))
    for first in range(0, many, 20):
        in_parallel(len(sandboxes[first : first + 20]), lambda index, first=first: sandboxes[first + index].delete())
    wait_until(lambda: not descendants(plane.pid), 60, "nothing runs")
    check_files(plane, set())
    wait_until(lambda: plane.memory() < idle + 10 * MIB, 60, "memory is given back")
    plane.assert_well()


def latencies(plane, tries, fields):
    """Returns how long each step of a short life takes, one sandbox after another."""
    took = {"create": [], "exec": [], "delete": []}
    for _ in range(tries):
        before = time.monotonic()
        sandbox = plane.create(**fields)
        created = time.monotonic()
        assert sandbox.client().execute("true")["exitCode"] == 0
        executed = time.monotonic()
        sandbox.delete()
        deleted = time.monotonic()
        for name, seconds in (("create", created - before), ("exec", executed - created), ("delete", deleted - executed)):
            took[name].append(seconds)
    return took


def percentiles(times):
    """Returns the 50th and the 99th percentile in milliseconds."""
    times = sorted(times)
    at = [times[min(len(times) - 1, len(times) * share // 100)] for share in (50, 99)]
    return "/".join(f"{1000 * seconds:.1f}" for seconds in at)


def memory(pids):
    """Returns the resident bytes of processes, and what is theirs by share."""
    resident, share = 0, 0
    for pid in pids:
        with suppress(OSError, ValueError), open(f"/proc/{pid}/smaps_rollup") as rollup:
            text = rollup.read()
            resident += int(text[text.index("Rss:") :].split()[1]) * 1024
            share += int(text[text.index("Pss:") :].split()[1]) * 1024
    return resident, share


# Of one idle sandbox: its daemon, launcher and network. A build without optimization has more.
MOST_SHARE = 24 * MIB

# Of the control plane, for all of them.
MOST_OF_PLANE = 64 * MIB
