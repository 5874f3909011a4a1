"""Daytona's Python SDK, unmodified, drives terminals on our daemon."""

import hashlib
import uuid

import daytona
from daytona.common.pty import PtySize

import harness


class Shown:
    """A terminal's handle, and what was shown so far."""

    def __init__(self, handle, shown, handlers):
        self.shown, self._handle, self._handlers = shown, handle, handlers

    def __getattr__(self, name):
        return getattr(self._handle, name)

    def wait(self):
        return self._handle.wait(*self._handlers)


@harness.every_way
class Ptys(harness.Case):
    area = "pty"

    def setUp(self):
        self.id = f"terminal {uuid.uuid4()}"
        # Nobody's profile is read.
        self.envs = {"HOME": self.daemon.work_dir, "K": "v w?>"}

    def open(self, **options):
        kill = lambda: self.process.kill_pty_session(self.id)
        return self.attached(self.process.create_pty_session, kill, envs=self.envs, **options)

    def attached(self, method, give_up=lambda: None, **options):
        """A handle and what its terminal shows: the asynchronous SDK wants to know at once where to put that."""
        shown = bytearray()
        if self.manner == "async":
            return Shown(method(self.id, lambda data: shown.extend(data), **options), shown, [])
        handle = self.connected(lambda: method(self.id, **options), give_up)
        return Shown(handle, shown, [shown.extend])

    @harness.method("process.create_pty_session", "PtyHandle.wait")
    def test_a_terminal_runs_to_its_end(self):
        pty = self.open(cwd="/usr", pty_size=PtySize(rows=33, cols=111))
        pty.send_input('stty size; pwd; echo "$K"; exit 7\n')
        result = pty.wait()
        self.assertEqual((result.exit_code, result.error), (7, "non-zero exit"))
        self.assertIn(b"33 111\r\n/usr\r\nv w?>\r\n", bytes(pty.shown))

    @harness.method("PtyHandle.wait")
    def test_all_output_comes_before_the_end(self):
        for _ in range(20):
            pty = self.open()
            pty.send_input("seq 1 20000; exit\n")
            self.assertEqual(pty.wait().exit_code, 0)
            self.assertIn(b"\r\n19999\r\n20000\r\n", bytes(pty.shown))

    @harness.method("process.get_pty_session_info", "process.list_pty_sessions", "PtyHandle.resize", "PtyHandle.kill")
    def test_listed_resized_and_killed(self):
        pty = self.open()
        info = self.process.get_pty_session_info(self.id)
        self.assertEqual((info.id, info.active, info.cols, info.rows), (self.id, True, 80, 24))
        self.assertEqual(pty.resize(PtySize(rows=40, cols=100)).cols, 100)
        listed = self.process.list_pty_sessions()
        # SDKs up to 0.130 hand out what the route answers.
        listed = getattr(listed, "sessions", listed)
        self.assertIn(self.id, [info.id for info in listed])
        pty.kill()
        result = pty.wait()
        self.assertEqual((result.exit_code, result.error), (137, "SIGKILL"))
        self.assert_fails("DaytonaNotFoundError", self.process.get_pty_session_info, self.id)

    @harness.method("process.resize_pty_session", "process.kill_pty_session")
    def test_resized_and_killed_by_id(self):
        pty = self.open()
        resized = self.process.resize_pty_session(self.id, PtySize(rows=50, cols=90))
        self.assertEqual((resized.rows, resized.cols), (50, 90))
        pty.send_input("stty size; stty -echo\n")
        self.process.kill_pty_session(self.id)
        self.assertEqual(pty.wait().exit_code, 137)
        self.assert_fails("DaytonaNotFoundError", self.process.kill_pty_session, self.id)

    @harness.method("process.connect_pty_session")
    def test_another_connects(self):
        first = self.open()
        first.send_input("echo from-first\n")
        second = self.attached(self.process.connect_pty_session)
        second.send_input("echo from-second; exit 3\n")
        self.assertEqual(second.wait().exit_code, 3)
        self.assertIn(b"from-first\r\n", bytes(second.shown))
        self.assertEqual(first.wait().exit_code, 3)
        self.assertIn(b"from-second\r\n", bytes(first.shown))

    @harness.method("PtyHandle.disconnect", "PtyHandle.is_connected", "PtyHandle.wait_for_connection")
    def test_leaving_ends_nothing(self):
        first = self.open()
        first.wait_for_connection()
        self.assertTrue(first.is_connected())
        first.disconnect()
        self.assertFalse(first.is_connected())
        self.assertTrue(self.process.get_pty_session_info(self.id).active)
        second = self.attached(self.process.connect_pty_session)
        second.send_input("exit 4\n")
        self.assertEqual(second.wait().exit_code, 4)
        self.assertEqual(second.exit_code, 4)

    @harness.method("process.create_pty_session")
    def test_any_bytes_are_shown(self):
        data = bytes(range(256)) * 400
        self.process.code_run("open('data', 'wb').write(bytes(range(256)) * 400)")
        pty = self.open()
        pty.send_input("stty -echo -opost; echo begin; cat data; exit\n")
        self.assertEqual(pty.wait().exit_code, 0)
        self.assertIn(b"begin\n" + data, bytes(pty.shown))

    @harness.method("process.create_pty_session", "process.connect_pty_session")
    def test_failures_have_their_types(self):
        self.open()
        self.addCleanup(self.process.kill_pty_session, self.id)
        self.assert_fails("DaytonaConflictError", self.open)
        # It comes from the WebSocket, for which the SDK has no types.
        with self.assertRaises(daytona.DaytonaError):
            self.id = "none"
            self.attached(self.process.connect_pty_session)

    @harness.method("PtyHandle.send_input")
    def test_a_paste_arrives_whole(self):
        pty = self.open()
        pasted = b"0123456789abcde\n" * (1 << 16)
        pty.send_input("stty -echo; cat > pasted; exit\n")
        pty.send_input(pasted)
        pty.send_input(b"\x04")
        self.assertEqual(pty.wait().exit_code, 0)
        digest = hashlib.sha256(pasted).hexdigest()
        self.assertIn(digest, self.process.exec("sha256sum pasted").result)
