"""Memory and disk: what a request may cost, and what is given back."""

import contextlib
import json
import os
import subprocess
import time

from harness import MIB, Peak, Skip, attack, in_parallel, wait_until


def settled(daemon, idle, what):
    """Waits until the memory is back within 10 MiB of `idle`."""
    wait_until(lambda: daemon.memory() < idle + 10 * MIB, 30, f"{what}: {daemon.memory() >> 20} MiB, idle {idle >> 20}")


def warmed_up(run, *args):
    """A daemon that has done each kind of thing once, and its memory then."""
    daemon = run.daemon(*args)
    client = daemon.client()
    client.execute("true")
    session = client.session()
    client.run(session, "true")
    client.delete(session)
    return daemon, daemon.memory()


@attack("Memory is given back after large outputs.")
def large_outputs(run):
    daemon, idle = warmed_up(run)
    client = daemon.client()
    for _ in range(run.times(3, 12)):
        with Peak(daemon) as peak:
            result = client.execute("head -c 67108864 /dev/zero | tr '\\0' x")
        assert len(result["result"]) == 64 * MIB
        del result
        run.figure("peak_mib", peak.most >> 20)
        assert peak.most < 200 * MIB, peak.most
    settled(daemon, idle, "after large outputs")
    run.figure("over_idle_mib", (daemon.memory() - idle) >> 20)


@attack("Memory is given back after many sessions and followers.")
def many_sessions(run):
    daemon, idle = warmed_up(run)
    count = run.times(60, 900)
    client = daemon.client()
    sessions = in_parallel(8, lambda _: [client.session() for _ in range(count // 8)])
    sessions = [name for names in sessions for name in names]
    command = client.begin(sessions[0], "head -c 2000000 /dev/zero | tr '\\0' x; sleep 1")
    path = f"/process/session/{sessions[0]}/command/{command}/logs?follow=true"
    sizes = in_parallel(run.times(40, 400), lambda _: len(daemon.websocket(path).to_the_end()[0]))
    assert min(sizes) >= 2_000_000, min(sizes)
    in_parallel(8, lambda index: [client.delete(name) for name in sessions[index::8]])
    settled(daemon, idle, "after many sessions")
    run.figure("over_idle_mib", (daemon.memory() - idle) >> 20)


@attack("What a background child of a command writes after the response is read and dropped.")
def background_writers(run):
    daemon, idle = warmed_up(run)
    client = daemon.client()
    for _ in range(4):
        client.execute("yes & true")
    end = time.monotonic() + run.times(3, 30)
    worst = 0
    while time.monotonic() < end:
        worst = max(worst, daemon.memory() - idle)
        time.sleep(0.05)
    disk = sum(path.stat().st_size for path in daemon.files() if path.is_file())
    run.figure("grown_mib", worst >> 20)
    run.figure("disk_mib", disk >> 20)
    assert worst < 32 * MIB and disk < 16 * MIB, (worst, disk)
    daemon.assert_well()


@attack("A log as JSON costs what is sent, which is bounded.")
def logs_as_json(run):
    daemon, _ = warmed_up(run)
    client = daemon.client()
    session = client.session()
    command = client.begin(session, "head -c 67108864 /dev/zero")
    client.ended(session, command, 120)
    path = f"/process/session/{session}/command/{command}/logs"
    for count in run.times((2,), (1, 3)):
        with Peak(daemon) as peak:
            sizes = in_parallel(count, lambda _: len(daemon.client().raw("GET", path)[1]))
        run.figure(f"peak_mib_of_{count}", peak.most >> 20)
        assert peak.most < count * 300 * MIB, (count, peak.most)
        assert max(sizes) <= 512 * MIB, sizes
    daemon.assert_well()


@attack("A body costs what it carries, and keeps no one else waiting.")
def hostile_bodies(run):
    daemon, _ = warmed_up(run)
    numbers = b"[" + b"0," * (32 * MIB - 10) + b"0]"
    variables = b'{"command":"true","envs":{' + b",".join(b'"%d":"v"' % n for n in range(3_000_000)) + b"}}"
    nested = b'{"command":' + b"[" * MIB
    for body in (numbers, variables, nested):
        with Peak(daemon) as peak:
            statuses = in_parallel(3, lambda _: daemon.client().raw("POST", "/process/execute", body)[0])
        assert set(statuses) <= {400, 413}, statuses
        run.figure("peak_mib", peak.most >> 20)
        assert peak.most < 3 * 300 * MIB, peak.most
    daemon.assert_well()


@attack("A follower of a log with a gap is never sent the close code of a whole log.")
def full_disk(run):
    state = run.directory() / "state"
    state.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", state], capture_output=True)
    if mounted.returncode != 0:
        raise Skip("a small tmpfs cannot be mounted")
    run.defer(lambda: subprocess.run(["umount", "-l", state], check=False))
    daemon = run.daemon(state=state)
    client = daemon.client()
    session = client.session()
    command = client.begin(session, "head -c 30000000 /dev/zero | tr '\\0' x; exit 5")
    path = f"/process/session/{session}/command/{command}/logs"
    live, code = daemon.websocket(path + "?follow=true").to_the_end()
    ended = client.ended(session, command)
    assert ended["exitCode"] == 5, ended
    late, late_code = daemon.websocket(path + "?follow=true").to_the_end()
    for data, closed in ((live, code), (late, late_code)):
        if data.count(b"x") < 30_000_000:
            assert closed not in (1000, None), (len(data), closed)
    assert late.count(b"x") < 30_000_000, "the disk was not full"
    answer = json.loads(daemon.client().raw("GET", path)[1])
    assert answer.get("truncation"), list(answer)
    daemon.assert_well()


@attack("All records together have a bound on the disk.")
def endless_records(run):
    daemon, _ = warmed_up(run)
    client = daemon.client()
    free = os.statvfs(daemon.state)
    free = free.f_bavail * free.f_frsize
    sessions = [client.session() for _ in range(3)]
    for session in sessions:
        client.begin(session, "timeout %d yes" % run.times(1, 20))
    used = 0
    end = time.monotonic() + run.times(2, 25)
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError):
            used = max(used, sum(path.stat().st_blocks * 512 for path in daemon.files() if path.is_file()))
        time.sleep(0.1)
    run.figure("disk_mib", used >> 20)
    assert used < max(free // 2, 8 << 30) + (64 << 20), used
    for session in sessions:
        client.delete(session)
    daemon.assert_well()
