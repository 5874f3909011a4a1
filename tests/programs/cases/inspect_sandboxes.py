"""inspect-sandboxes: the Daytona environment of Inspect."""

import harness


async def run(program):
    from inspect_ai.util import ComposeConfig, ComposeService
    from inspect_sandboxes.daytona._daytona import DaytonaSandboxEnvironment as Environment

    with program.call("task_init"):
        await Environment.task_init("task", None)
    with program.call("sample_init"):
        environments = await Environment.sample_init("task", None, {})
        environment = environments["default"]
    await commands(program, environment)
    await files(program, environment)
    with program.call("sample_cleanup"):
        await Environment.sample_cleanup("task", None, environments, False)
    with program.call("sample_init: compose"):
        service = ComposeService(image=harness.IMAGE, environment={"NAME": "a b"}, network_mode="none", ports=["8000"])
        config = ComposeConfig(services={"default": service})
        environments = await Environment.sample_init("task", config, {})
        environment = environments["default"]
        assert (await environment.exec(["sh", "-c", 'echo "$NAME"'])).stdout == "a b\n"
    with program.call("connection"):
        connection = await environment.connection()
        [port] = connection.ports
        assert port.container_port == 8000 and port.mappings[0].host_ip == "127.0.0.1", connection
    with program.call("task_cleanup"):
        # It finds by its label what a sample has left.
        await Environment.task_cleanup("task", None, True)


async def commands(program, environment):
    with program.call("exec"):
        ran = await environment.exec(["sh", "-c", "echo out; echo err >&2; exit 3"])
        assert (ran.returncode, ran.stdout, ran.stderr) == (3, "out\n", "err\n"), ran
        ran = await environment.exec(["sh", "-c", 'echo "$X"; pwd'], cwd="/tmp", env={"X": "a b"})
        assert ran.stdout == "a b\n/tmp\n", ran
        assert (await environment.exec(["no-such-command"])).returncode == 127
    with program.call("exec: input"):
        ran = await environment.exec(["cat"], input=bytes(range(128)))
        assert ran.stdout == bytes(range(128)).decode(), ran
    with program.call("exec: timeout"):
        try:
            await environment.exec(["sleep", "60"], timeout=1, timeout_retry=False)
        except TimeoutError:
            pass
        else:
            raise AssertionError("it did not time out")
    with program.call("exec: large output"):
        ran = await environment.exec(["head", "-c", "1000000", "/dev/zero"])
        assert len(ran.stdout) == 1_000_000, len(ran.stdout)


async def files(program, environment):
    with program.call("write_file"):
        await environment.write_file("/home/daytona/deep/er/file.txt", "text \xe9")
        await environment.write_file("relative.bin", bytes(range(256)))
        await fails(IsADirectoryError, environment.write_file("/home/daytona/deep", ""))
    with program.call("read_file"):
        assert await environment.read_file("/home/daytona/deep/er/file.txt") == "text \xe9"
        assert await environment.read_file("relative.bin", text=False) == bytes(range(256))
        await fails(FileNotFoundError, environment.read_file("none"))
        await fails(IsADirectoryError, environment.read_file("/home/daytona/deep"))
        await fails(UnicodeDecodeError, environment.read_file("relative.bin"))
        await fails(PermissionError, environment.read_file("/etc/shadow"))


async def fails(kind, awaitable):
    try:
        await awaitable
    except kind:
        return
    raise AssertionError(f"expected a {kind.__name__}")
