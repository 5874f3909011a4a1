"""openai-agents: its Daytona sandbox, which is a workspace that can be stored and restored."""

import io
import os


async def run(program):
    from agents.extensions.sandbox.daytona import DaytonaSandboxClient, DaytonaSandboxClientOptions
    from agents.sandbox.errors import ExecTimeoutError, WorkspaceReadNotFoundError

    client = DaytonaSandboxClient(api_key=os.environ["DAYTONA_API_KEY"], api_url=os.environ["DAYTONA_API_URL"])
    options = DaytonaSandboxClientOptions(env_vars={"NAME": "a b"}, exposed_ports=(8000,), pause_on_exit=True)
    with program.call("create"):
        session = await client.create(options=options)
        state = session.state
    with program.call("start"):
        await session.start()
        assert await session.running()
    with program.call("exec"):
        ran = await session.exec('echo "$NAME"; pwd; echo err >&2; exit 3')
        assert ran.exit_code == 3, ran
        assert ran.stdout == b"a b\n/home/daytona/workspace\n" and ran.stderr == b"err\n", ran
        assert (await session.exec("printf", "%s", "a  b", shell=False)).stdout == b"a  b"
    with program.call("exec: timeout"):
        await fails(ExecTimeoutError, session.exec("sleep 60", timeout=1))
    with program.call("write"):
        await session.write("deep/file.bin", io.BytesIO(bytes(range(256))))
    with program.call("read"):
        assert (await session.read("deep/file.bin")).read() == bytes(range(256))
        await fails(WorkspaceReadNotFoundError, session.read("none"))
    with program.call("read_bounded"):
        assert await session.read_bounded("deep/file.bin", max_bytes=1000) == bytes(range(256))
        await fails(WorkspaceReadNotFoundError, session.read_bounded("none", max_bytes=1000))
    with program.call("mkdir"):
        await session.mkdir("made/deeper", parents=True)
    with program.call("ls"):
        names = sorted(entry.path.rsplit("/", 1)[-1] for entry in await session.ls("."))
        assert names == ["deep", "made"], names
    with program.call("mv"):
        await session.mv("deep/file.bin", "made/moved.bin")
        assert (await session.read("made/moved.bin")).read() == bytes(range(256))
    with program.call("rm"):
        await session.rm("deep", recursive=True)
        assert [entry.path.rsplit("/", 1)[-1] for entry in await session.ls(".")] == ["made"]
    await terminals(program, session)
    with program.call("resolve_exposed_port"):
        endpoint = await session.resolve_exposed_port(8000)
        assert not endpoint.tls and f":{endpoint.port}/" in os.environ["DAYTONA_API_URL"], endpoint
    with program.call("persist_workspace"):
        stored = (await session.persist_workspace()).read()
    with program.call("hydrate_workspace"):
        await session.rm("made", recursive=True)
        await session.hydrate_workspace(io.BytesIO(stored))
        assert (await session.read("made/moved.bin")).read() == bytes(range(256))
    with program.call("shutdown"):
        # It stops the sandbox, as asked.
        await client.delete(session)
        assert not await session.running()
    with program.call("resume"):
        payload = client.serialize_session_state(state)
        again = await client.resume(client.deserialize_session_state(payload))
        await again.start()
        assert again.state.sandbox_id == state.sandbox_id
        assert (await again.read("made/moved.bin")).read() == bytes(range(256))
    with program.call("delete"):
        again.state.pause_on_exit = False
        await client.delete(again)
        assert not await again.running()
    await client.close()


async def terminals(program, session):
    with program.call("pty_exec_start: terminal"):
        update = await session.pty_exec_start("test -t 1 && read line && echo got $line", tty=True, yield_time_s=0.3)
        assert update.process_id is not None, update
    with program.call("pty_write_stdin"):
        seen = update.output
        update = await session.pty_write_stdin(session_id=update.process_id, chars="word\n", yield_time_s=2)
        assert b"got word" in seen + update.output, (seen, update)
    with program.call("pty_exec_start: pipes"):
        update = await session.pty_exec_start("echo out; echo err >&2; exit 5", yield_time_s=5)
        assert update.exit_code == 5 and b"out" in update.output and b"err" in update.output, update
    with program.call("pty_terminate_all"):
        await session.pty_exec_start("sleep 60", yield_time_s=0.1)
        await session.pty_terminate_all()
        assert (await session.exec("pgrep -x sleep")).exit_code == 1


async def fails(kind, awaitable):
    try:
        await awaitable
    except kind:
        return
    raise AssertionError(f"expected a {kind.__name__}")
