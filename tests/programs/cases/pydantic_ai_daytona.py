"""pydantic-ai-daytona: its sessions, and the tools that a model is given."""

import harness


async def run(program):
    from pydantic_ai import ModelRetry
    from pydantic_ai_daytona import DaytonaSandbox, DaytonaSandboxError, DaytonaSandboxSession

    session = DaytonaSandboxSession(env={"NAME": "a b"}, labels={"team": "red"}, auto_stop_interval=7, ephemeral=True)
    with program.call("DaytonaSandboxSession"):
        await session.__aenter__()
        assert session.sandbox_id
    with program.call("DaytonaSandboxSession.exec"):
        ran = await session.exec('echo "$NAME"; echo err >&2; pwd; exit 3', timeout=30)
        assert (ran.stdout, ran.stderr, ran.exit_code) == ("a b\n/home/daytona\n", "err\n", 3), ran
        ran = await session.exec("head -c 100000 /dev/zero | tr '\\0' x", timeout=30, max_output_bytes=1000)
        assert ran.stdout == "x" * 1000 and ran.stdout_truncated, ran
        ran = await session.exec("printf '\\377ok'; exit", timeout=30)
        assert ran.stdout.endswith("ok") and ran.exit_code == 0, ran
    with program.call("DaytonaSandboxSession.exec: timeout"):
        ran = await session.exec("echo before; sleep 60", timeout=2)
        assert ran.timed_out and ran.stdout == "before\n", ran
    with program.call("DaytonaSandboxSession.write_bytes"):
        await session.write_bytes("deep/er/file.txt", b"one\ntwo\n")
        await fails(DaytonaSandboxError, session.write_bytes("/proc/none/x", b""))
    with program.call("DaytonaSandboxSession.read_bytes"):
        assert await session.read_bytes("deep/er/file.txt") == b"one\ntwo\n"
        error = await fails(DaytonaSandboxError, session.read_bytes("none"))
        assert "gone" not in str(error), error
    with program.call("DaytonaSandboxSession.file_size"):
        assert await session.file_size("deep/er/file.txt") == 8
        assert "is a directory" in str(await fails(DaytonaSandboxError, session.file_size("deep")))
    with program.call("DaytonaSandboxSession.list_entries"):
        assert await session.list_entries("deep") == [("er", True)]
        await fails(DaytonaSandboxError, session.list_entries("none"))

    toolset = DaytonaSandbox(sandbox_id=session.sandbox_id).get_toolset()
    with program.call("DaytonaSandbox: attaches"):
        tools = await (await toolset.for_run(None)).__aenter__()
    with program.call("run_command"):
        assert "tools" in await tools.run_command("echo tools")
        assert "7" in await tools.run_command("exit 7")
    with program.call("write_file"):
        assert await tools.write_file("tool.txt", "a\nb\nc\n") == "Wrote 6 bytes to 'tool.txt'."
    with program.call("read_file"):
        assert "b" in await tools.read_file("tool.txt", offset=2, limit=1)
        await fails(ModelRetry, tools.read_file("none.txt"))
    with program.call("list_directory"):
        assert (await tools.list_directory()).split("\n")[0] == "deep/"
        await fails(ModelRetry, tools.list_directory("none"))
    await tools.__aexit__(None, None, None)

    stopped = session._sandbox
    with program.call("DaytonaSandboxSession: starts a stopped sandbox"):
        # Ephemeral ones would be deleted.
        await stopped.set_auto_delete_interval(-1)
        await stopped.stop()
        async with DaytonaSandboxSession(sandbox_id=session.sandbox_id) as again:
            assert await again.read_bytes("tool.txt") == b"a\nb\nc\n"
    with program.call("DaytonaSandboxSession: deletes"):
        await session.__aexit__(None, None, None)
    with program.call("DaytonaSandboxSession: image"):
        async with DaytonaSandboxSession(image=harness.IMAGE, workdir="/tmp", network_block_all=True) as other:
            assert (await other.exec("pwd", timeout=30)).stdout == "/tmp\n"
    with program.call("DaytonaSandboxSession: unknown image", result="refused, with how to register it"):
        other = DaytonaSandboxSession(image="no-such-image:1")
        assert "root directory" in str(await fails(DaytonaSandboxError, other.__aenter__()))


async def fails(kind, awaitable):
    try:
        await awaitable
    except kind as error:
        return error
    raise AssertionError(f"expected a {kind.__name__}")
