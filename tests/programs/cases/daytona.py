"""Daytona's own SDK: what its clients and services ask of the control plane, with every parameter. What cannot be had is refused with a
reason, and nothing is left out silently."""

import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import time

from daytona import (
    AsyncDaytona,
    CreateSandboxFromImageParams,
    CreateSandboxFromSnapshotParams,
    CreateSnapshotParams,
    Daytona,
    DaytonaConflictError,
    DaytonaError,
    DaytonaNotFoundError,
    Image,
    ListSandboxesQuery,
    Resources,
    SandboxState,
    VolumeMount,
)

import harness


def run(program):
    client = Daytona()
    creation(program, client)
    images(program, client)
    lists(program, client)
    states(program, client)
    settings(program, client)
    previews(program, client)
    services(program, client)
    return asynchronous(program)


def create(client, **parameters):
    return client.create(CreateSandboxFromSnapshotParams(**parameters))


def refuses(message, call, *arguments, kind=DaytonaError, **options):
    try:
        call(*arguments, **options)
    except kind as error:
        assert message in str(error), error
        # Which says that the server has refused it, not the client.
        assert error.status_code in (400, 404, 409, 501), error.status_code
    else:
        raise AssertionError(f"expected a {kind.__name__} with {message!r}")


def creation(program, client):
    for parameters, shown in [
        ({"name": "web"}, {"name": "web"}),
        ({"labels": {"team": "red"}}, {"labels": {"team": "red", "code-toolbox-language": "python"}}),
        ({"env_vars": {"NAME": "a b"}}, {"env": {"NAME": "a b"}}),
        ({"os_user": "dev"}, {"user": "dev"}),
        ({"public": True}, {"public": True}),
        ({"auto_stop_interval": 0}, {"auto_stop_interval": 0}),
        ({"auto_stop_interval": 7}, {"auto_stop_interval": 7}),
        ({"auto_archive_interval": 0}, {}),
        ({"auto_delete_interval": 9}, {"auto_delete_interval": 9}),
        ({"auto_delete_interval": -1}, {"auto_delete_interval": -1}),
        ({"ephemeral": True}, {"auto_delete_interval": 0}),
        ({"network_block_all": True}, {"network_block_all": True}),
        ({"snapshot": "default"}, {"snapshot": "default"}),
        ({"language": "typescript"}, {"labels": {"code-toolbox-language": "typescript"}}),
        ({"queue_timeout": 5}, {}),
        ({"target": "us"}, {"target": "local"}),
        ({}, {"state": SandboxState.STARTED}),
    ]:
        with program.call(f"create: {describe(parameters)}"):
            sandbox = create(client, **parameters)
            try:
                found = {name: getattr(sandbox, name) for name in shown}
                assert found == shown, found
            finally:
                sandbox.delete()
    with program.call("create: env_vars, os_user and language in the sandbox"):
        sandbox = create(client, env_vars={"NAME": "a b"}, os_user="dev", language="javascript")
        assert sandbox.process.exec('echo "$NAME"; id -un; pwd').result == "a b\ndev\n/home/daytona\n"
        assert sandbox.process.code_run("console.log(6 * 7)").result.strip() == "42"
        sandbox.delete()
    with program.call("create: ttl_minutes"):
        sandbox = create(client, ttl_minutes=5)
        assert sandbox.auto_destroy_at > sandbox.created_at
        sandbox.delete()
    with program.call("create: name that is taken", "refused: the name of another sandbox"):
        sandbox = create(client, name="taken")
        refuses("another sandbox is named taken", create, client, name="taken", kind=DaytonaConflictError)
        sandbox.delete()
    for parameters, word in [
        ({"auto_archive_interval": 60}, "autoArchiveInterval"),
        ({"auto_pause_interval": 5}, "autoPauseInterval"),
        ({"volumes": [VolumeMount(volume_id="v", mount_path="/v")]}, "volumes"),
        ({"secrets": {"KEY": "name"}}, "secrets"),
        ({"network_allow_list": "10.0.0.0/8"}, "networkAllowList"),
        ({"domain_allow_list": "example.com"}, "domainAllowList"),
        ({"kvm": True}, "kvm"),
        ({"spot": True}, "spot"),
        ({"linked_sandbox": "other"}, "linkedSandbox"),
        ({"outbound_proxy_url": "http://proxy"}, "outboundProxyUrl"),
        ({"otel_endpoint_override": "http://otel"}, "otelEndpointOverride"),
        ({"os_user": "root"}, "no user root"),
        ({"snapshot": "none"}, "is not registered"),
    ]:
        with program.call(f"create: {describe(parameters)}", "refused with a reason"):
            refuses(word, create, client, **parameters)


def describe(parameters):
    """Returns the names of parameters, with values that are short."""
    words = (f"{name}={value!r}" if isinstance(value, (int, str)) else name for name, value in parameters.items())
    return ", ".join(words) or "no parameters"


def images(program, client):
    def of(image, **parameters):
        return client.create(CreateSandboxFromImageParams(image=image, **parameters))

    with program.call("create: image"):
        for image in [harness.IMAGE, Image.base(harness.IMAGE)]:
            sandbox = of(image)
            assert sandbox.snapshot == harness.IMAGE
            sandbox.delete()
    with program.call("create: image that is not registered", "refused with a reason"):
        refuses("register", of, "no-such-image:1")
    with program.call("create: image to build", "refused with a reason"):
        refuses("images are not built here", of, Image.base(harness.IMAGE).run_commands("true"))
        refuses("images are not built here", of, Image.debian_slim("3.12").pip_install("numpy"))
    with program.call("create: resources.gpu", "refused with a reason"):
        refuses("gpu", of, harness.IMAGE, resources=Resources(gpu=1))


def lists(program, client):
    red = create(client, name="list-red", labels={"list": "yes", "color": "red"})
    blue = create(client, name="list-blue", labels={"list": "yes", "color": "blue"}, ttl_minutes=60)

    def names(**query):
        return sorted(sandbox.name for sandbox in client.list(ListSandboxesQuery(**query)))

    with program.call("list: labels"):
        assert names(labels={"list": "yes"}) == ["list-blue", "list-red"]
        assert names(labels={"list": "yes", "color": "red"}) == ["list-red"]
        assert names(labels={"list": "no"}) == []
    with program.call("list: limit, by cursors"):
        assert names(labels={"list": "yes"}, limit=1) == ["list-blue", "list-red"]
    with program.call("list: sort, order"):
        query = ListSandboxesQuery(labels={"list": "yes"}, sort="name", order="asc")
        assert [sandbox.name for sandbox in client.list(query)] == ["list-blue", "list-red"]
    with program.call("list: name, id"):
        assert names(name="list-r") == ["list-red"] and names(id=red.id) == ["list-red"]
    with program.call("list: states"):
        blue.stop()
        assert names(labels={"list": "yes"}, states=[SandboxState.STOPPED]) == ["list-blue"]
    with program.call("list: targets, snapshots, is_public, is_recoverable"):
        assert names(name="list-red", targets=["local"], snapshots=["default"], is_public=False) == ["list-red"]
        for query in [{"targets": ["us"]}, {"snapshots": ["none"]}, {"is_public": True}, {"is_recoverable": True}]:
            assert names(name="list-red", **query) == [], query
    with program.call("list: resources"):
        assert names(name="list-red", max_cpu=64, max_memory_gib=4096) == ["list-red"]
        for query in [{"min_cpu": 4096}, {"min_memory_gib": 100_000}, {"min_disk_gib": 1_000_000}]:
            assert names(name="list-red", **query) == [], query
    with program.call("list: times"):
        past, future = "2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
        assert names(name="list-red", created_at_after=past, last_activity_before=future) == ["list-red"]
        assert names(name="list-red", last_activity_before=past) == []
        assert names(labels={"list": "yes"}, auto_destroy_at_after=past) == ["list-blue"]
    with program.call("get: id, name"):
        assert client.get(red.id).name == client.get("list-red").name == "list-red"
        refuses("there is no sandbox none", client.get, "none", kind=DaytonaNotFoundError)
    red.delete()
    blue.delete()


def states(program, client):
    sandbox = create(client, labels={"a": "b"})
    sandbox.fs.upload_file(b"kept", "file")
    with program.call("stop"):
        sandbox.stop()
        assert sandbox.state == SandboxState.STOPPED
        sandbox.stop(force=True)
        refuses("start it first", sandbox.process.exec, "true")
    with program.call("start"):
        sandbox.start()
        sandbox.start(timeout=5)
        client.start(sandbox)
        assert sandbox.state == SandboxState.STARTED and sandbox.fs.download_file("file") == b"kept"
    with program.call("pause"):
        sandbox.process.create_session("session")
        sandbox.pause()
        assert sandbox.state == SandboxState.PAUSED
        refuses("is paused", sandbox.process.exec, "true", kind=DaytonaConflictError)
        sandbox.start()
        # What ran goes on.
        assert [session.session_id for session in sandbox.process.list_sessions()] == ["session"]
    with program.call("fork"):
        forked = sandbox.fork(name="forked")
        assert (forked.name, forked.labels, forked.state) == ("forked", sandbox.labels, SandboxState.STARTED)
        assert forked.fs.download_file("file") == b"kept"
        refuses("another sandbox is named forked", sandbox.fork, name="forked", kind=DaytonaConflictError)
        forked.delete()
    with program.call("recover"):
        sandbox.stop()
        sandbox.recover()
        assert sandbox.state == SandboxState.STARTED
    with program.call("resize: nothing", "refused with a reason"):
        refuses("cpu, memory and disk", sandbox.resize, Resources())
    with program.call("archive", "refused with a reason"):
        refuses("does not serve", sandbox.archive)
    with program.call("create_snapshot", "refused with a reason"):
        refuses("does not serve", sandbox.create_snapshot, "name")
    with program.call("delete"):
        sandbox.delete()
        for call in [sandbox.delete, sandbox.refresh_data, sandbox.start]:
            refuses("there is no sandbox", call, kind=DaytonaNotFoundError)
        refuses("there is no sandbox", sandbox.process.exec, "true", kind=DaytonaNotFoundError)
    with program.call("delete: wait"):
        sandbox = create(client)
        sandbox.delete(wait=True)
        assert sandbox.state == SandboxState.DESTROYED
    with program.call("stop: ephemeral"):
        sandbox = create(client, ephemeral=True)
        sandbox.stop()
        gone = time.monotonic() + harness.PATIENCE
        while sandbox.id in [one.id for one in client.list()]:
            assert time.monotonic() < gone, "it is still there"


def settings(program, client):
    sandbox = create(client)
    with program.call("set_labels"):
        sandbox.set_labels({"c": "d"})
        assert client.get(sandbox.id).labels == {"c": "d"}
    for call, field, values in [
        ("set_autostop_interval", "auto_stop_interval", [5, 0]),
        ("set_auto_delete_interval", "auto_delete_interval", [5, 0, -1]),
        ("set_public", "public", [True, False]),
    ]:
        with program.call(call):
            for value in values:
                getattr(sandbox, call)(value)
                sandbox.refresh_data()
                assert getattr(sandbox, field) == value
    with program.call("set_ttl"):
        sandbox.set_ttl(5)
        sandbox.refresh_data()
        assert sandbox.auto_destroy_at > sandbox.created_at
        sandbox.set_ttl(0)
        sandbox.refresh_data()
        assert not sandbox.auto_destroy_at
    with program.call("refresh_activity"):
        before = sandbox.last_activity_at
        sandbox.refresh_activity()
        sandbox.refresh_data()
        assert sandbox.last_activity_at > before
    for call, arguments in [
        ("set_auto_archive_interval", [5]),
        ("set_auto_pause_interval", [5]),
        ("update_secrets", [{"KEY": "name"}]),
        ("get_metrics", []),
    ]:
        with program.call(call, "refused with a reason"):
            refuses("does not serve", getattr(sandbox, call), *arguments)
    ssh_access(program, sandbox)
    sandbox.fs.upload_file(b"signed", "signed")
    with program.call("download_url"):
        url = sandbox.download_url("signed")
        assert urllib.request.urlopen(url).read() == b"signed"
    with program.call("upload_url"):
        assert "signed" in sandbox.upload_url("signed")
    with program.call("rotate_signing_key"):
        sandbox.rotate_signing_key()
        try:
            urllib.request.urlopen(url).close()
        except urllib.error.HTTPError as error:
            assert error.code == 401, error
            error.close()
        else:
            raise AssertionError("the URL is still valid")
    with program.call("update_network_settings: lists", "refused with a reason"):
        refuses("lists of addresses", sandbox.update_network_settings, network_allow_list="10.0.0.0/8")
        refuses("lists of addresses", sandbox.update_network_settings, domain_allow_list="example.com")
    with program.call("get_metrics_latest"):
        assert sandbox.get_metrics_latest().cpu_count >= 1
    with program.call("git, lsp, computer_use", "refused with a reason"):
        refuses("is not implemented", sandbox.git.status, "/home/daytona")
        refuses("is not implemented", sandbox.create_lsp_server("python", "/home/daytona").start)
        refuses("is not implemented", sandbox.computer_use.start)
    sandbox.delete()


def ssh_access(program, sandbox):
    with program.call("create_ssh_access"):
        access = sandbox.create_ssh_access(expires_in_minutes=5)
        assert access.sandbox_id == sandbox.id
        assert round((access.expires_at - access.created_at).total_seconds()) == 300
        if shutil.which("ssh"):
            assert ssh(access, "echo out; echo err >&2; exit 7") == (7, "out\n", "err\n")
        else:
            print("skipped: ssh is not here", file=sys.stderr)
    with program.call("validate_ssh_access"):
        found = sandbox.validate_ssh_access(access.token)
        assert found.valid and found.sandbox_id == sandbox.id
        assert not sandbox.validate_ssh_access("another").valid
    with program.call("revoke_ssh_access"):
        other = sandbox.create_ssh_access()
        sandbox.revoke_ssh_access(access.token)
        assert sandbox.validate_ssh_access(other.token).valid
        assert not sandbox.validate_ssh_access(access.token).valid
        if shutil.which("ssh"):
            assert ssh(access, "true")[0] == 255


def ssh(access, command):
    options = ["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    # As the SDK's users run it.
    program, *place = access.ssh_command.split()
    run = subprocess.run([program, *options, *place, command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return run.returncode, run.stdout, run.stderr


def previews(program, client):
    sandbox = create(client)
    with program.call("get_preview_link"):
        link = sandbox.get_preview_link(3000)
        assert link.sandbox_id == sandbox.id and link.token and link.url.endswith("/3000")
        refuses("port", sandbox.get_preview_link, 0)
        refuses("port", sandbox.get_preview_link, 70_000)
    with program.call("create_signed_preview_url"):
        signed = sandbox.create_signed_preview_url(3000, 60)
        assert (signed.sandbox_id, signed.port) == (sandbox.id, 3000) and signed.token in signed.url
        refuses("expiresInSeconds", sandbox.create_signed_preview_url, 3000, 0)
        refuses("expiresInSeconds", sandbox.create_signed_preview_url, 3000, 10**9)
    with program.call("expire_signed_preview_url"):
        sandbox.expire_signed_preview_url(3000, signed.token)
        refuses("no such signed URL", sandbox.expire_signed_preview_url, 3000, signed.token, kind=DaytonaNotFoundError)
    sandbox.delete()


def services(program, client):
    with program.call("snapshot.list"):
        found = client.snapshot.list()
        assert [snapshot.name for snapshot in found.items] == ["default", harness.IMAGE], found
        assert [snapshot.name for snapshot in client.snapshot.list(page=2, limit=1).items] == [harness.IMAGE]
    with program.call("snapshot.get"):
        assert client.snapshot.get(harness.IMAGE).state.value == "active"
        refuses("sandbox up --image", client.snapshot.get, "none", kind=DaytonaNotFoundError)
    with program.call("snapshot.create, delete", "refused with a reason"):
        refuses("does not serve", client.snapshot.create, CreateSnapshotParams(name="new", image=harness.IMAGE))
        refuses("does not serve", client.snapshot.delete, client.snapshot.get("default"))
    with program.call("volume.list, get, create", "refused with a reason"):
        refuses("does not serve", client.volume.list)
        refuses("does not serve", client.volume.get, "name", create=True)
        refuses("does not serve", client.volume.create, "name")
    with program.call("object storage", "refused with a reason"):
        image = Image.base(harness.IMAGE).add_local_file(__file__, "/file")
        refuses("object-storage", client.create, CreateSandboxFromImageParams(image=image))


async def asynchronous(program):
    with program.call("AsyncDaytona"):
        async with AsyncDaytona() as client:
            sandbox = await client.create(CreateSandboxFromSnapshotParams(labels={"async": "yes"}))
            assert (await sandbox.process.exec("echo hi")).result == "hi\n"
            query = ListSandboxesQuery(labels={"async": "yes"})
            assert [one.id async for one in client.list(query)] == [sandbox.id]
            await sandbox.stop()
            await sandbox.start()
            forked = await sandbox.fork()
            await forked.delete(wait=True)
            await sandbox.pause()
            assert sandbox.state == SandboxState.PAUSED
            await client.start(sandbox)
            await client.delete(sandbox, wait=True)
            assert sandbox.state == SandboxState.DESTROYED
