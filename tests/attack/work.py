"""Kinds of work that a daemon does, each of which leaves nothing. All take a daemon, or a sandbox, and randomness."""

import contextlib
import io
import json
import os
import subprocess
import tarfile
import uuid

from harness import Status


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


def draws(daemon, _):
    code = "import matplotlib.pyplot as plt; plt.plot([1, 2, 3]); plt.title('soak'); plt.show()"
    result = daemon.client().run_code(code, "python")
    if "No module named" in result["result"]:
        return
    (chart,) = result["artifacts"]["charts"]
    assert chart["title"] == "soak", chart


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
    # Without one, zsh asks a new user questions, and takes what is typed for the responses.
    client.execute("touch ~/.zshrc")
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


def cut_requests(daemon, chance):
    """A client leaves in the middle of its request, or before the response."""
    body = json.dumps({"command": "sleep 0.2; head -c 300000 /dev/zero"})
    client = daemon.client()
    head = [f"POST {client.prefix}/process/execute HTTP/1.1", f"Host: {daemon.host}:{daemon.port}", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in client.headers().items()]
    request = ("\r\n".join(head) + "\r\n\r\n" + body).encode()
    with daemon.connect() as connection:
        connection.sendall(request[: chance.choice([chance.randrange(len(request)), len(request)])])
        if chance.random() < 0.3:
            connection.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                connection.recv(1000)


def kills(daemon, chance):
    """What runs is killed by itself, at once or by its group."""
    client = daemon.client()
    match chance.randrange(4):
        case 0:
            assert client.execute("kill -9 $$")["exitCode"] == 137
        case 1:
            session = client.session()
            command = client.begin(session, "sleep 100 & kill -9 $$")
            # The shell may be killed before the response to this.
            with contextlib.suppress(Status):
                client.ended(session, command)
            assert client.delete(session) in (200, 204)
        case 2:
            result = client.run_code("import os; print(1, flush=True); os.kill(0, 9)", "python")
            assert result["exitCode"] == 137, result
        case _:
            context = client("POST", "/process/interpreter/context", {})["id"]
            socket = daemon.websocket("/process/interpreter/execute")
            code = "import os; os.kill(os.getpid(), 9)"
            socket.send(json.dumps({"code": code, "contextId": context}).encode(), 1)
            socket.to_the_end()
            client.raw("DELETE", f"/process/interpreter/context/{context}")


def files(daemon, chance):
    client = daemon.client()
    name = "f" + uuid.uuid4().hex
    content = os.urandom(chance.choice([0, 100, 2_000_000]))
    boundary = uuid.uuid4().hex
    form = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'.encode()
    form += content + f"\r\n--{boundary}--\r\n".encode()
    headers = {**client.headers(), "Content-Type": f"multipart/form-data; boundary={boundary}"}
    status, text = client.raw("POST", f"/files/upload?path={name}", form, headers)
    assert status == 200, (status, text)
    status, text = client.raw("GET", f"/files/download?path={name}")
    assert (status, text == content) == (200, True), status
    status, _ = client.raw("DELETE", f"/files?path={name}")
    assert status in (200, 204), status


def archives(daemon, chance):
    """A directory comes and goes as an archive; sometimes only a part of it comes."""
    client = daemon.client()
    name = "d" + uuid.uuid4().hex
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for number in range(5):
            entry = tarfile.TarInfo(f"a/{number}")
            entry.size = 100_000
            archive.addfile(entry, io.BytesIO(bytes(entry.size)))
    text = made.getvalue()
    is_cut = chance.random() < 0.3
    headers = {**client.headers(), "Content-Type": "application/x-tar"}
    status, _ = client.raw("POST", f"/files/archive?path={name}", text[: 200_000 if is_cut else len(text)], headers)
    assert (status >= 400) == is_cut, status
    if not is_cut:
        status, text = client.raw("GET", f"/files/archive?path={name}")
        with tarfile.open(fileobj=io.BytesIO(text)) as archive:
            assert len([entry for entry in archive if entry.isfile()]) == 5
    status, text = client.raw("DELETE", f"/files?path={name}&recursive=true")
    assert status in (200, 204), (status, text)


def calls(daemon, chance):
    """The command of this repository, over gRPC."""
    number = chance.randrange(1000)
    match chance.randrange(3):
        case 0:
            done = call(daemon, "exec", f"echo {number}; exit 3")
            assert (done.returncode, done.stdout) == (3, f"{number}\n".encode()), done
        case 1:
            done = call(daemon, "run", "--language", "python", "-", text=f"print({number})")
            assert (done.returncode, done.stdout) == (0, f"{number}\n".encode()), done
        case _:
            # It is killed in the middle; its command runs to its end.
            with subprocess.Popen(**arguments(daemon, "exec", "echo begun; sleep 0.5"), stdout=subprocess.PIPE) as client:
                assert client.stdout.readline() == b"begun\n"
                client.kill()


def call(daemon, *words, text=""):
    return subprocess.run(**arguments(daemon, *words), input=text.encode(), capture_output=True, timeout=120)


def arguments(daemon, *words):
    url = f"grpc://{daemon.host}:{daemon.port}{daemon.client().prefix}"
    environment = {**os.environ, "SANDBOX_URL": url, "SANDBOX_TOKEN": daemon.token}
    return {"args": [os.environ["SANDBOX_COMMAND"], *words], "env": environment}


ALL = [
    executes,
    runs_code,
    draws,
    sessions,
    terminals,
    contexts,
    cut_followers,
    cut_requests,
    kills,
    files,
    archives,
    *([calls] if os.environ.get("SANDBOX_COMMAND") else []),
]
