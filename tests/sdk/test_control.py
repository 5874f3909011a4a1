"""The SDK's own client on our control plane, over daemons of one process: it creates sandboxes, finds them, stops and deletes them."""

import functools
import os
import subprocess
import time
import unittest
import urllib.error
import urllib.request

import daytona

import harness
from harness import method

KEY = "key-of-the-suite"


class Control(harness.Case):
    area = "control"

    @classmethod
    def setUpClass(cls):
        if os.environ.get("SANDBOX_TEST_URL"):
            raise unittest.SkipTest("another daemon is judged")
        program = [harness.setting("SANDBOX_TEST_CONTROL"), "127.0.0.1:0", KEY]
        cls.server = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.end)
        cls.url = cls.server.stdout.readline().strip()
        configuration = daytona.DaytonaConfig(api_key=KEY, api_url=cls.url, target="local")
        cls.client = daytona.Daytona(configuration)

    @classmethod
    def end(cls):
        cls.server.terminate()
        cls.server.wait(harness.PATIENCE)
        cls.server.stdout.close()

    def create(self, **parameters):
        parameters = daytona.CreateSandboxFromSnapshotParams(language="python", **parameters)
        sandbox = self.client.create(parameters)
        self.addCleanup(self.delete, sandbox)
        return sandbox

    def delete(self, sandbox):
        try:
            sandbox.delete()
        except daytona.DaytonaError:
            # The test has done it.
            pass

    def listed(self, labels):
        if hasattr(daytona, "ListSandboxesQuery"):
            found = self.client.list(daytona.ListSandboxesQuery(labels=labels))
        else:
            found = self.client.list(labels=labels)
        return [sandbox.id for sandbox in getattr(found, "items", found)]

    @method("create", "get", "delete")
    def test_a_sandbox_is_made_used_and_deleted(self):
        sandbox = self.create(env_vars={"NAME": "a b"}, labels={"team": "red"})
        self.assertEqual(str(sandbox.state.value), "started")
        self.assertEqual(sandbox.labels["team"], "red")
        self.assertEqual(sandbox.process.exec('echo "$NAME"').result.strip(), "a b")
        self.assertEqual(sandbox.process.code_run("print(6 * 7)").result.strip(), "42")
        sandbox.fs.upload_file(b"x,y\n", "data.csv")
        self.assertEqual(sandbox.fs.download_file("data.csv"), b"x,y\n")
        found = self.client.get(sandbox.id)
        self.assertEqual((found.id, found.name), (sandbox.id, sandbox.name))
        sandbox.delete()
        missing = getattr(daytona, "DaytonaNotFoundError", daytona.DaytonaError)
        with self.assertRaises(missing):
            self.client.get(sandbox.id)

    @method("download_url", "upload_url", "rotate_signing_key")
    def test_files_have_signed_urls(self):
        sandbox = self.create()
        if not hasattr(sandbox, "download_url"):
            self.skipTest("absent: URLs of files were not signed")
        sandbox.fs.upload_file(b"before", "a b/\u00e4")
        download, upload = sandbox.download_url("a b/\u00e4"), sandbox.upload_url("a b/\u00e4", 60)
        self.assertEqual(urllib.request.urlopen(download).read(), b"before")
        boundary = "----boundary"
        part = 'Content-Disposition: form-data; name="file"; filename="x"'
        form = f"--{boundary}\r\n{part}\r\n\r\nafter\r\n--{boundary}--\r\n".encode()
        content_type = f"multipart/form-data; boundary={boundary}"
        request = urllib.request.Request(upload, form, {"Content-Type": content_type})
        urllib.request.urlopen(request).close()
        self.assertEqual(sandbox.fs.download_file("a b/\u00e4"), b"after")
        sandbox.rotate_signing_key()
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(download)
        self.assertEqual(refused.exception.code, 401)
        refused.exception.close()
        download = sandbox.download_url("a b/\u00e4", 0)
        self.assertEqual(urllib.request.urlopen(download).read(), b"after")

    @method("create")
    def test_sessions_terminals_and_contexts_go_through(self):
        sandbox = self.create()
        sandbox.process.create_session("session")
        request = daytona.SessionExecuteRequest(command="cd /; pwd")
        self.assertIn("/", sandbox.process.execute_session_command("session", request).output)
        if hasattr(sandbox.process, "create_pty_session"):
            size = daytona.PtySize(rows=24, cols=80) if hasattr(daytona, "PtySize") else None
            create = functools.partial(sandbox.process.create_pty_session, id="terminal", pty_size=size)
            terminal = self.connected(create, lambda: sandbox.process.kill_pty_session("terminal"))
            terminal.wait_for_connection()
            terminal.send_input("echo $((40 + 2)); exit 3\n")
            seen = b"".join(terminal)
            self.assertIn(b"42", seen)
        if hasattr(sandbox, "code_interpreter"):
            result = sandbox.code_interpreter.run_code("x = 1\nprint(x + 1)")
            self.assertEqual(result.stdout.strip(), "2")

    @method("create")
    def test_charts_are_drawn(self):
        sandbox = self.create()
        program = "import matplotlib.pyplot as p\np.plot([1, 2])\np.title('load')\np.show()"
        if harness.RELEASE < (0, 167):
            self.skipTest("absent: it runs the python3 of the PATH")
        charts = sandbox.process.code_run(program).artifacts.charts
        self.assertEqual([chart.title for chart in charts], ["load"])

    @method("create", "get")
    def test_names_are_unique(self):
        if "name" not in daytona.CreateSandboxFromSnapshotParams.model_fields:
            self.skipTest("absent: sandboxes had no names")
        sandbox = self.create(name="web")
        self.assertEqual(self.client.get("web").id, sandbox.id)
        with self.assertRaises(daytona.DaytonaError):
            self.create(name="web")

    @method("list", "set_labels")
    def test_lists_are_filtered_by_labels(self):
        red, blue = self.create(labels={"color": "red"}), self.create(labels={"color": "blue"})
        self.assertEqual(self.listed({"color": "red"}), [red.id])
        self.assertEqual(self.listed({"color": "blue"}), [blue.id])
        self.assertEqual(self.listed({"color": "green"}), [])
        blue.set_labels({"color": "green"})
        self.assertEqual(self.listed({"color": "green"}), [blue.id])

    @method("stop", "start")
    def test_a_sandbox_stops_and_starts(self):
        sandbox = self.create()
        sandbox.fs.upload_file(b"kept", "file")
        begun = time.monotonic()
        sandbox.stop()
        self.assertEqual(str(sandbox.state.value), "stopped")
        with self.assertRaises(daytona.DaytonaError) as caught:
            sandbox.process.exec("true")
        self.assertIn("start it first", str(caught.exception))
        sandbox.start()
        self.assertEqual(sandbox.fs.download_file("file"), b"kept")
        # Nothing waits for a state by asking for it again and again.
        self.assertLess(time.monotonic() - begun, harness.PATIENCE)

    @method("set_autostop_interval", "set_auto_delete_interval", "refresh_data")
    def test_intervals_are_kept(self):
        sandbox = self.create(auto_stop_interval=7)
        self.assertEqual(sandbox.auto_stop_interval, 7)
        sandbox.set_autostop_interval(9)
        sandbox.set_auto_delete_interval(11)
        sandbox.refresh_data()
        self.assertEqual((sandbox.auto_stop_interval, sandbox.auto_delete_interval), (9, 11))

    @method("get_preview_link")
    def test_previews_are_seen_with_their_token(self):
        sandbox = self.create()
        port = self.serve(sandbox)
        link = sandbox.get_preview_link(port)
        request = urllib.request.Request(f"{link.url}/page", headers={"x-daytona-preview-token": link.token})
        with urllib.request.urlopen(request) as page:
            self.assertEqual(page.read(), b"seen")
        self.assert_hidden(f"{link.url}/page")

    def serve(self, sandbox):
        """Serves a file in a sandbox; gives the port."""
        sandbox.fs.upload_file(b"seen", "page")
        # It tells its port, which the system chooses, and then serves its directory.
        program = (
            "import http.server as h, os; s = h.ThreadingHTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler); "
            "open('part', 'w').write(str(s.server_port)); os.rename('part', 'port'); s.serve_forever()"
        )
        sandbox.process.create_session("server")
        request = daytona.SessionExecuteRequest(command=f'python3 -c "{program}"', run_async=True)
        sandbox.process.execute_session_command("server", request)
        waits = "until [ -e port ]; do sleep 0.01; done; cat port"
        return int(sandbox.process.exec(waits, timeout=harness.PATIENCE).result)

    @method("create_signed_preview_url", "expire_signed_preview_url")
    def test_signed_previews_are_seen_without_one(self):
        sandbox = self.create()
        if not hasattr(sandbox, "create_signed_preview_url"):
            self.skipTest("absent: previews were not signed")
        port = self.serve(sandbox)
        signed = sandbox.create_signed_preview_url(port, 60)
        with urllib.request.urlopen(f"{signed.url}/page") as page:
            self.assertEqual(page.read(), b"seen")
        sandbox.expire_signed_preview_url(port, signed.token)
        self.assert_hidden(f"{signed.url}/page")

    def assert_hidden(self, url):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url)
        self.assertEqual(caught.exception.code, 401)
        caught.exception.close()

    @method("create", "archive")
    def test_what_cannot_be_had_is_refused(self):
        with self.assertRaises(daytona.DaytonaError) as caught:
            self.client.create(daytona.CreateSandboxFromImageParams(image="no-such-image:1"))
        self.assertIn("root directory", str(caught.exception))
        sandbox = self.create()
        with self.assertRaises(daytona.DaytonaError) as caught:
            sandbox.archive()
        self.assertIn("does not serve", str(caught.exception))
