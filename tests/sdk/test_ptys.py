"""Daytona's Python SDK, unmodified, drives terminals on our daemon."""

import asyncio
import unittest
import uuid

import daytona
from daytona.common.errors import DaytonaError
from daytona.common.pty import PtySize

import harness


def setUpModule():
    global daemon, plane, process
    daemon = harness.Daemon()
    unittest.addModuleCleanup(lambda: check_exit(daemon.stop()))
    plane = harness.ControlPlane(daemon.url)
    unittest.addModuleCleanup(plane.stop)
    process = daytona.Daytona(configuration()).create(parameters()).process


def check_exit(code):
    if code != 0:
        raise AssertionError(f"`sandbox serve` exited with {code} after SIGTERM")


def configuration():
    return daytona.DaytonaConfig(api_key=daemon.token, api_url=plane.url, target="local")


def parameters():
    return daytona.CreateSandboxFromSnapshotParams(language="python")


class Ptys(unittest.TestCase):
    def setUp(self):
        self.id = f"terminal {uuid.uuid4()}"
        # Nobody's profile is read.
        self.envs = {"HOME": str(daemon.work_dir), "K": "v w?>"}

    def open(self, **options):
        return process.create_pty_session(self.id, envs=self.envs, **options)

    def test_a_terminal_runs_to_its_end(self):
        pty = self.open(cwd="/usr", pty_size=PtySize(rows=33, cols=111))
        pty.send_input('stty size; pwd; echo "$K"; exit 7\n')
        shown = bytearray()
        result = pty.wait(shown.extend)
        self.assertEqual((result.exit_code, result.error), (7, "non-zero exit"))
        self.assertIn(b"33 111\r\n/usr\r\nv w?>\r\n", bytes(shown))

    def test_all_output_comes_before_the_end(self):
        for _ in range(20):
            pty = self.open()
            pty.send_input("seq 1 20000; exit\n")
            shown = bytearray()
            self.assertEqual(pty.wait(shown.extend).exit_code, 0)
            self.assertIn(b"\r\n19999\r\n20000\r\n", bytes(shown))

    def test_listed_resized_and_killed(self):
        pty = self.open()
        info = process.get_pty_session_info(self.id)
        self.assertEqual((info.id, info.active, info.cols, info.rows), (self.id, True, 80, 24))
        self.assertEqual(pty.resize(PtySize(rows=40, cols=100)).cols, 100)
        self.assertIn(self.id, [info.id for info in process.list_pty_sessions()])
        pty.kill()
        result = pty.wait()
        self.assertEqual((result.exit_code, result.error), (137, "SIGKILL"))
        with self.assertRaises(daytona.DaytonaNotFoundError):
            process.get_pty_session_info(self.id)

    def test_another_connects(self):
        first = self.open()
        first.send_input("echo from-first\n")
        shown = bytearray()
        second = process.connect_pty_session(self.id)
        second.send_input("echo from-second; exit 3\n")
        self.assertEqual(second.wait(shown.extend).exit_code, 3)
        self.assertIn(b"from-first\r\n", bytes(shown))
        shown.clear()
        self.assertEqual(first.wait(shown.extend).exit_code, 3)
        self.assertIn(b"from-second\r\n", bytes(shown))

    def test_failures_have_their_types(self):
        self.open()
        self.addCleanup(process.kill_pty_session, self.id)
        with self.assertRaises(daytona.DaytonaConflictError):
            self.open()
        with self.assertRaises(DaytonaError):
            process.connect_pty_session("none")

    def test_a_paste_arrives_whole(self):
        pty = self.open()
        pasted = b"0123456789abcde\n" * (1 << 16)
        pty.send_input("stty -echo; cat > pasted; exit\n")
        pty.send_input(pasted)
        pty.send_input(b"\x04")
        self.assertEqual(pty.wait().exit_code, 0)
        self.assertEqual((daemon.work_dir / "pasted").read_bytes(), pasted)

    def test_asynchronously(self):
        async def use():
            async with daytona.AsyncDaytona(configuration()) as client:
                process = (await client.create(parameters())).process
                shown = bytearray()
                pty = await process.create_pty_session(
                    self.id, on_data=lambda data: shown.extend(data), envs=self.envs
                )
                await pty.send_input("echo $((6 * 7)); exit 5\n")
                result = await pty.wait()
                return result.exit_code, bytes(shown)

        exit_code, shown = asyncio.run(use())
        self.assertEqual(exit_code, 5)
        self.assertIn(b"42\r\n", shown)


if __name__ == "__main__":
    unittest.main()
