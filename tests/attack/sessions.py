"""Sessions whose shell, files or reports are attacked."""

import random
import shutil
import time
import uuid

from harness import attack, processes_with, wait_until


@attack("A deletion is answered, and leaves nothing, whatever ends at the same moment.")
def racing_deletion(run):
    daemon = run.daemon()
    mark = "mark" + uuid.uuid4().hex
    chance = random.Random(1)
    for _ in range(run.times(60, 2000)):
        client = daemon.client(20)
        session = client.session()
        client.run(session, f"MARK={mark} sleep 77 >/dev/null 2>&1 &")
        client.begin(session, "exit 3")
        # Every moment around the shell's end is to be met.
        time.sleep(chance.random() * 0.004)
        assert client.delete(session) in (200, 204)
    for _ in range(run.times(30, 1000)):
        client = daemon.client(20)
        name = "p" + uuid.uuid4().hex
        client("POST", "/process/pty", {"id": name})
        socket = daemon.websocket(f"/process/pty/{name}/connect", timeout=20)
        socket.send(b"exit 3\n")
        time.sleep(chance.random() * 0.012)
        status, _ = client.raw("DELETE", f"/process/pty/{name}")
        assert status in (200, 204, 404), status
        socket.to_the_end()
    for _ in range(run.times(8, 200)):
        client = daemon.client(20)
        context = client("POST", "/process/interpreter/context", {})["id"]
        socket = daemon.websocket("/process/interpreter/execute", timeout=20)
        socket.send(f'{{"code": "import os; os._exit(3)", "contextId": "{context}"}}'.encode(), 1)
        time.sleep(chance.random() * 0.01)
        status, _ = client.raw("DELETE", f"/process/interpreter/context/{context}")
        assert status in (200, 204, 404), status
        socket.to_the_end()
    wait_until(lambda: not processes_with(mark), what="background children of deleted sessions end")
    daemon.assert_well()


@attack("After a shell has ended no command is taken for it.")
def command_after_the_end(run):
    daemon = run.daemon()
    for _ in range(run.times(60, 2000)):
        client = daemon.client(20)
        session = client.session()
        assert client.run(session, "exit 7")["exitCode"] == 7
        status, text = client.raw("POST", f"/process/session/{session}/exec", {"command": "echo hi"})
        assert status == 410, (status, text)
        client.delete(session)
    daemon.assert_well()


@attack("Sessions go on when the temporary and state directories are emptied.")
def vanished_directories(run):
    daemon = run.daemon()
    client = daemon.client(60)
    sessions = [client.session() for _ in range(3)]
    for session in sessions:
        client.run(session, "kept=yes")
    for top in (daemon.tmp, daemon.state):
        for path in top.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    for session in sessions:
        assert client.run(session, "echo $kept")["stdout"] == "yes\n"
        # The command that does it itself has its own exit code.
        result = client.run(session, f"rm -rf '{daemon.tmp}'/* '{daemon.state}'/*; echo done; (exit 6)")
        assert (result["exitCode"], result["stdout"]) == (6, "done\n"), result
        result = client.run(session, "echo $kept; : " + "a" * 10_000)
        assert result["stdout"] == "yes\n", result
    # Outputs beyond what memory holds are whole again.
    for session in sessions:
        result = client.run(session, "head -c 5000000 /dev/zero | tr '\\0' x")
        assert len(result["stdout"]) == 5_000_000, len(result["stdout"])
    assert len(client.execute("head -c 5000000 /dev/zero | tr '\\0' x")["result"]) == 5_000_000
    for language, code in [("python", "print(1)"), ("javascript", "console.log(1)"), ("bash", "echo 1")]:
        assert client.run_code(code, language)["result"] == "1\n", language
    daemon.assert_well()


@attack("A process of the same user cannot make up the end of a session's command by guessing.")
def forged_report(run):
    daemon = run.daemon()
    client = daemon.client(60)
    session = client.session()
    command = client.begin(session, "sleep 2; exit 9")
    forge = (
        f"for f in $(find '{daemon.tmp}' '{daemon.state}' -type p) /dev/pts/[0-9]*; do"
        " for n in 1 2 3; do printf '%s,0,\\n%s,0,hB\\n/dev/null/%s,0\\n' $n $n $n |"
        " timeout 1 dd of=\"$f\" oflag=nonblock 2>/dev/null; done; done; true"
    )
    client.execute(forge)
    ended = client.ended(session, command)
    assert ended["exitCode"] == 9, ended
    daemon.assert_well()


@attack("Finished commands of a session are forgotten beyond a bound, and the list says so.")
def forgotten_commands(run):
    daemon = run.daemon()
    client = daemon.client(120)
    session = client.session()
    idle = daemon.memory()
    for _ in range(run.times(12, 60)):
        client.run(session, ": " + "a" * 5_000_000)
    status, text = client.raw("GET", f"/process/session/{session}")
    assert status == 200 and len(text) < 80 << 20, len(text)
    run.figure("list_bytes", len(text))
    run.figure("grown_mib", (daemon.memory() - idle) >> 20)
    daemon.assert_well()
