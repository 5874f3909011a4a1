"""harbor: its Daytona environment, in which trials of agents run."""

import tempfile
from pathlib import Path

import harness


async def run(program):
    with tempfile.TemporaryDirectory(prefix="sandbox-programs-") as folder:
        await trial(program, Path(folder))


async def trial(program, folder):
    from daytona import DaytonaError
    from harbor.environments.daytona import DaytonaEnvironment
    from harbor.models.task.config import EnvironmentConfig, NetworkMode, NetworkPolicy
    from harbor.models.trial.paths import TrialPaths

    def environment(name, **options):
        definition = folder / name
        definition.mkdir()
        (definition / "Dockerfile").write_text(f"FROM {harness.IMAGE}\n")
        config = EnvironmentConfig(workdir="/home/daytona/work", env={"TASK": "a b"}, **options.pop("config", {}))
        paths = TrialPaths(folder / f"{name}-trial")
        return DaytonaEnvironment(definition, name, f"{name}__1", paths, config, mounts=[], **options)

    place = environment("built", labels={"team": "red"})
    with program.call("start"):
        await place.start(force_build=False)
        assert place.stream_handle.reference["sandbox_id"]
    with program.call("exec"):
        ran = await place.exec('echo "$TASK"; pwd; echo err >&2; exit 3', cwd="/tmp", env={"X": "1"})
        assert (ran.return_code, ran.stdout.strip(), ran.stderr.strip()) == (3, "a b\n/tmp", "err"), ran
        assert (await place.exec("pwd")).stdout.strip() == "/home/daytona/work"
        ran = await place.exec("sleep 60", timeout_sec=1)
        assert ran.return_code == 124, ran
    source, target = folder / "source", folder / "target"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "file.bin").write_bytes(bytes(range(256)))
    (source / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (source / "run.sh").chmod(0o755)
    (source / "link").symlink_to("run.sh")
    with program.call("upload_file"):
        await place.upload_file(source / "run.sh", "/home/daytona/deep/run.sh")
    with program.call("download_file"):
        await place.download_file("/home/daytona/deep/run.sh", folder / "back.sh")
        assert (folder / "back.sh").read_text() == "#!/bin/sh\necho ran\n"
    with program.call("upload_dir"):
        await place.upload_dir(source, "/home/daytona/tree")
        ran = await place.exec("/home/daytona/tree/link")
        assert ran.stdout.strip() == "ran", ran
    with program.call("download_dir"):
        await place.download_dir("/home/daytona/tree", target)
        assert (target / "sub" / "file.bin").read_bytes() == bytes(range(256))
        assert (target / "link").is_symlink() and (target / "run.sh").stat().st_mode & 0o777 == 0o755
    with program.call("is_dir"):
        assert await place.is_dir("/home/daytona/tree") and not await place.is_dir("/home/daytona/tree/run.sh")
    with program.call("is_file"):
        assert await place.is_file("/home/daytona/tree/run.sh") and not await place.is_file("/home/daytona/tree")
    with program.call("stop: keeps the sandbox"):
        sandbox = place._sandbox
        await place.stop(delete=False)
        await sandbox.refresh_data()
        assert (sandbox.state.value, sandbox.auto_stop_interval) == ("started", 0)
        await sandbox.delete()
    prebuilt = environment("prebuilt", config={"docker_image": harness.IMAGE})
    with program.call("start: image"):
        await prebuilt.start(force_build=False)
    with program.call("stop"):
        await prebuilt.stop(delete=True)
    snapshot = environment("snapshot", snapshot_template_name=harness.IMAGE)
    with program.call("start: snapshot"):
        await snapshot.start(force_build=False)
        await snapshot.stop(delete=True)
    isolated = environment("isolated", network_policy=NetworkPolicy(network_mode=NetworkMode.NO_NETWORK))
    with program.call("start: no network"):
        await isolated.start(force_build=False)
        await isolated.stop(delete=True)
