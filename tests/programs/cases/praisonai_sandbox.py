"""praisonai-sandbox: its sandbox, and its provider of compute."""

import os
import tempfile
from pathlib import Path

import harness

# It runs `python`, which this machine need not have by that name.
PYTHON = 'mkdir -p bin && ln -sf "$(command -v python3)" bin/python'
PATH = {"PATH": "/home/daytona/bin:/usr/local/bin:/usr/bin:/bin"}


async def run(program):
    if are_limited():
        await sandbox(program)
        await compute(program)
    else:
        await refused(program)


def are_limited():
    """Whether sandboxes can have the limits that it always asks for."""
    import daytona_sdk as daytona

    client = daytona.Daytona()
    resources = daytona.Resources(cpu=1, memory=1)
    try:
        client.create(daytona.CreateSandboxFromImageParams(image=harness.IMAGE, resources=resources)).delete()
    except daytona.DaytonaError as error:
        assert "has no limit of" in str(error), error
        return False
    return True


async def refused(program):
    from praisonai_sandbox.daytona import DaytonaSandbox

    with program.call("DaytonaSandbox.start", "refused: sandboxes have no limits of resources here"):
        try:
            await DaytonaSandbox().start()
        except Exception as error:
            assert "has no limit of" in str(error), error
        else:
            raise AssertionError("it started")


async def sandbox(program):
    from praisonai_sandbox.daytona import DaytonaSandbox
    from praisonaiagents.sandbox import ResourceLimits, SandboxStatus

    backend = DaytonaSandbox()
    with program.call("DaytonaSandbox.start"):
        await backend.start()
        assert backend.get_status()["running"] and backend.image == harness.IMAGE
    with program.call("DaytonaSandbox.run_command"):
        ran = await backend.run_command("echo out; echo err >&2; exit 3")
        assert (ran.status, ran.exit_code) == (SandboxStatus.FAILED, 3) and "out\n" in ran.stdout, ran
        ran = await backend.run_command(["echo", "a b", "$HOME"], env={"X": "1"}, working_dir="/tmp")
        assert (ran.exit_code, ran.stdout.strip()) == (0, "a b $HOME"), ran
        assert (await backend.run_command(PYTHON)).exit_code == 0
    with program.call("DaytonaSandbox.run_command: timeout"):
        ran = await backend.run_command("sleep 60", limits=ResourceLimits(timeout_seconds=1))
        assert ran.status in (SandboxStatus.TIMEOUT, SandboxStatus.FAILED) and ran.error, ran
    with program.call("DaytonaSandbox.execute"):
        ran = await backend.execute("print('it\\'s', 6 * 7)", env=PATH)
        assert (ran.exit_code, ran.stdout.strip()) == (0, "it's 42"), ran
        ran = await backend.execute("echo $((40 + 2)); pwd", language="bash", working_dir="/tmp")
        assert ran.stdout.split() == ["42", "/tmp"], ran
        ran = await backend.execute("1 / 0", env=PATH)
        assert ran.exit_code == 1 and "ZeroDivisionError" in ran.stdout, ran
    with program.call("DaytonaSandbox.write_file"):
        assert await backend.write_file("/home/daytona/deep/er/file.txt", "text")
        assert await backend.write_file("bytes", bytes(range(128)))
        assert not await backend.write_file("/proc/none/file", "text")
    with program.call("DaytonaSandbox.read_file"):
        assert await backend.read_file("/home/daytona/deep/er/file.txt") == "text"
        assert await backend.read_file("/home/daytona/none") is None
    with program.call("DaytonaSandbox.list_files"):
        assert await backend.list_files("/home/daytona/deep") == ["/home/daytona/deep/er/file.txt"]
    with program.call("DaytonaSandbox.execute_file"), tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.py"
        script.write_text("import sys; print(sys.argv[1:])")
        ran = await backend.execute_file(str(script), args=["a", "b c"], env=PATH)
        assert (ran.exit_code, ran.stdout.strip()) == (0, "['a', 'b c']"), ran
    with program.call("DaytonaSandbox.reset"):
        await backend.reset()
        assert await backend.read_file("/home/daytona/deep/er/file.txt") is None
    with program.call("DaytonaSandbox.stop"):
        await backend.stop()
        assert not backend.get_status()["running"]


async def compute(program):
    from praisonai_sandbox.compute.daytona import DaytonaCompute
    from praisonaiagents.managed.protocols import ComputeConfig

    provider = DaytonaCompute()
    with program.call("DaytonaCompute.provision"):
        config = ComputeConfig(image=harness.IMAGE, env={"NAME": "a b"})
        instance = (await provider.provision(config)).instance_id
        assert len(await provider.list_instances()) == 1
    with program.call("DaytonaCompute.execute"):
        ran = await provider.execute(instance, 'echo "$NAME"; exit 4')
        assert (ran["exit_code"], ran["stdout"].strip()) == (4, "a b"), ran
    with tempfile.TemporaryDirectory() as folder:
        there, back = os.path.join(folder, "there"), os.path.join(folder, "back")
        Path(there).write_bytes(bytes(range(256)))
        with program.call("DaytonaCompute.upload_file"):
            assert await provider.upload_file(instance, there, "/home/daytona/data/file")
        with program.call("DaytonaCompute.download_file"):
            assert await provider.download_file(instance, "/home/daytona/data/file", back)
            assert Path(back).read_bytes() == bytes(range(256))
            assert not await provider.download_file(instance, "/home/daytona/none", back)
    with program.call("DaytonaCompute.shutdown"):
        await provider.shutdown(instance)
        assert await provider.list_instances() == []
