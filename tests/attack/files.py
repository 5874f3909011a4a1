"""What other users of the machine can do with the daemon's files."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

from harness import Skip, attack, wait_until

STRANGER = ["setpriv", "--reuid=61236", "--regid=61236", "--clear-groups"]


def need_root():
    if os.getuid() != 0:
        raise Skip("only root can become another user")


@attack("Another user of the machine reads no command and no program.")
def another_user(run):
    need_root()
    old = os.umask(0)
    run.defer(os.umask, old)
    daemon = run.daemon()
    os.chmod(daemon.base, 0o755)
    client = daemon.client()
    threads = [
        threading.Thread(target=lambda: daemon.client().run_code("secret = 'secret-a'; input()", "python"), daemon=True),
        threading.Thread(target=lambda: daemon.client().run_code(": secret-b; sleep 3", "bash"), daemon=True),
        threading.Thread(target=lambda: daemon.client().run_code("'secret-c'; setTimeout(()=>0,3000)", "javascript")),
    ]
    for thread in threads:
        thread.start()
    session = client.session()
    client.begin(session, "sleep 3; : secret-d " + "a" * 5000)
    client.run(client.session(), "head -c 3000000 /dev/zero | tr '\\0' x; echo secret-e")
    # All of it lies there now, whatever lies anywhere.
    wait_until(lambda: client("GET", "/process/session"))
    script = (
        f"for f in $(find {daemon.tmp} {daemon.state} 2>/dev/null); do"
        " test -f \"$f\" && cat \"$f\"; test -p \"$f\" && echo \"secret-pipe\"; done;"
        f" for f in /proc/{daemon.pid}/fd/*; do timeout 1 cat \"$f\" </dev/null; done"
    )
    seen = subprocess.run([*STRANGER, "sh", "-c", script], capture_output=True, text=True, errors="replace", timeout=60)
    found = sorted(set(re.findall(r"secret-\w+", seen.stdout)))
    assert not found, found
    for top in (daemon.tmp, daemon.state):
        for path in top.rglob("*"):
            mode = path.lstat().st_mode & 0o077
            assert path.is_symlink() or not mode, (path, oct(mode))
    for thread in threads:
        thread.join(30)


@attack("The daemon writes through no link, and refuses a state directory of another user.")
def links(run):
    need_root()
    victim = run.directory() / "victim"
    victim.write_text("whole")
    state = run.directory() / "state"
    state.mkdir()
    os.chown(state, 61236, 61236)
    try:
        run.daemon(state=state)
    except AssertionError:
        pass  # It was refused, as it should be.
    else:
        raise AssertionError("a state directory of another user was taken")
    # What stands in a state directory of its own may still have been exchanged.
    daemon = run.daemon()
    client = daemon.client()
    session = client.session()
    client.run(session, "head -c 3000000 /dev/zero | tr '\\0' x")
    for top in (daemon.state, daemon.tmp):
        for path in [found for found in top.rglob("*") if found.is_file() and not found.is_symlink()]:
            path.unlink()
            path.symlink_to(victim)
    command = client.begin(session, "head -c 3000000 /dev/zero | tr '\\0' y")
    client.ended(session, command)
    assert victim.read_text() == "whole"
    daemon.assert_well()


@attack("A session makes no pipe in a directory that another user has put in the place of its own.")
def taken_place(run):
    need_root()
    daemon = run.daemon()
    client = daemon.client()
    session = client.session()
    client.run(session, "true")
    [place] = daemon.tmp.glob("sandbox-session-*")
    shutil.rmtree(place)
    place.mkdir(mode=0o777)
    os.chown(place, 61236, 61236)
    status, text = client.raw("POST", f"/process/session/{session}/exec", {"command": "echo " + "b" * 5000})
    assert status >= 400 or json.loads(text)["exitCode"] != 0, (status, text[:300])
    assert not list(place.iterdir()), list(place.iterdir())
    # Another session has a directory of its own.
    assert client.run(client.session(), "echo well")["exitCode"] == 0
    daemon.assert_well()


@attack("A program of the daemon's user sees no token, no secret variable and no descriptor of the daemon's.")
def inside(run):
    daemon = run.daemon("--python", "/usr/bin/python3") if pathlib.Path("/usr/bin/python3").exists() else run.daemon()
    client = daemon.client()
    probe = (
        "import os, json\n"
        "fds = {f: os.readlink(f'/proc/self/fd/{f}') for f in os.listdir('/proc/self/fd') if os.path.islink(f'/proc/self/fd/{f}')}\n"
        f"daemon = [open(f'/proc/{daemon.pid}/{{name}}', 'rb').read() for name in ('environ', 'cmdline')]\n"
        "own = open('/proc/self/environ', 'rb').read()\n"
        f"token = bytes.fromhex('{daemon.token.encode().hex()}')\n"
        "print(json.dumps({'fds': fds, 'token': token in b''.join(daemon) + own, 'sandbox': [k for k in os.environ if k.startswith('SANDBOX_')]}))"
    )
    results = [
        client.run_code(probe, "python")["result"],
        client.execute(f"python3 -c {quote(probe)}")["result"],
        client.run(client.session(), f"python3 -c {quote(probe)}")["stdout"],
    ]
    for text in results:
        found = json.loads(text.strip().splitlines()[-1])
        assert not found["token"] and not found["sandbox"], found
        foreign = [at for at in found["fds"].values() if "socket:" in at or "eventpoll" in at or "records" in at]
        assert not foreign, found["fds"]


def quote(text):
    return "'" + text.replace("'", "'\\''") + "'"
