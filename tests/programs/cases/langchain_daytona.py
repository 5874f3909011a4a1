"""langchain-daytona, the backend of deepagents."""


def run(program):
    import daytona
    from langchain_daytona import DaytonaSandbox

    client = daytona.Daytona()
    with program.call("create"):
        sandbox = client.create()
        backend = DaytonaSandbox(sandbox=sandbox, timeout=60)
        assert backend.id == sandbox.id
    with program.call("execute"):
        response = backend.execute("pwd; echo out; echo err >&2; exit 3")
        assert response.exit_code == 3, response
        assert response.output == "/home/daytona\nout\n\n<stderr>err</stderr>", response
        assert backend.execute("exit 0").exit_code == 0
    with program.call("execute: timeout"):
        response = backend.execute("echo before; sleep 60", timeout=3)
        assert response.exit_code == 124 and "before" in response.output, response
    with program.call("upload_files"):
        files = [("/home/daytona/a/b.txt", b"one\ntwo\n"), ("/home/daytona/\xe9.bin", bytes(range(256))), ("relative", b"")]
        errors = [response.error for response in backend.upload_files(files)]
        assert errors == [None, None, "invalid_path"], errors
    with program.call("download_files"):
        paths = ["/home/daytona/a/b.txt", "/home/daytona/none", "/home/daytona/\xe9.bin"]
        found = [(response.content, response.error) for response in backend.download_files(paths)]
        assert found == [(b"one\ntwo\n", None), (None, "file_not_found"), (bytes(range(256)), None)], found
    with program.call("ls"):
        listed = backend.ls("/home/daytona/a")
        assert [entry["path"] for entry in listed.entries] == ["/home/daytona/a/b.txt"], listed
    with program.call("write"):
        assert backend.write("/home/daytona/new/c.py", "print('c')\n").error is None
        assert backend.write("/proc/none/c.py", "").error
    with program.call("read"):
        read = backend.read("/home/daytona/a/b.txt", offset=1)
        assert read.error is None and "two" in read.file_data["content"], read
        assert backend.read("/home/daytona/none").error
    with program.call("edit"):
        edited = backend.edit("/home/daytona/a/b.txt", "two", "2")
        assert edited.occurrences == 1 and edited.error is None, edited
        assert backend.edit("/home/daytona/a/b.txt", "absent", "x").error
        large = backend.edit("/home/daytona/a/b.txt", "one", "1" * 200_000)
        assert large.occurrences == 1, large
    with program.call("grep"):
        matches = backend.grep("print", path="/home/daytona").matches
        assert [match["path"] for match in matches] == ["/home/daytona/new/c.py"], matches
    with program.call("glob"):
        matches = backend.glob("**/*.py", path="/home/daytona").matches
        assert [match["path"].removeprefix("/home/daytona/") for match in matches] == ["new/c.py"], matches
    with program.call("delete"):
        sandbox.delete()
        try:
            client.get(sandbox.id)
        except daytona.DaytonaNotFoundError:
            pass
        else:
            raise AssertionError("it is still there")
