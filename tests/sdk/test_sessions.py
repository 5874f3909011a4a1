"""Daytona's Python SDK, unmodified, drives sessions on our daemon."""

import asyncio
import time
import unittest
import uuid

import daytona
from daytona import SessionExecuteRequest

import harness


def setUpModule():
    global daemon, process
    daemon = harness.Daemon()
    unittest.addModuleCleanup(lambda: check_exit(daemon.stop()))
    plane = harness.ControlPlane(daemon.url)
    unittest.addModuleCleanup(plane.stop)
    client = daytona.Daytona(daytona.DaytonaConfig(api_key=daemon.token, api_url=plane.url, target="local"))
    process = client.create(daytona.CreateSandboxFromSnapshotParams(language="python")).process


def check_exit(code):
    if code != 0:
        raise AssertionError(f"`sandbox serve` exited with {code} after SIGTERM")


class Sessions(unittest.TestCase):
    def setUp(self):
        self.session = f"session-{uuid.uuid4()}"
        process.create_session(self.session)
        self.addCleanup(process.delete_session, self.session)

    def run_command(self, command, **options):
        return process.execute_session_command(self.session, SessionExecuteRequest(command=command, **options))

    def started(self, command, **options):
        return self.run_command(command, run_async=True, **options).cmd_id

    def exit_code(self, command_id):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            command = process.get_session_command(self.session, command_id)
            if command.exit_code is not None:
                return command.exit_code
            time.sleep(0.01)
        self.fail("the command did not end")

    def follow(self, command_id):
        out, err = [], []
        asyncio.run(process.get_session_command_logs_async(self.session, command_id, out.append, err.append))
        return "".join(out), "".join(err)

    def test_state_is_kept(self):
        self.run_command("mkdir -p state && cd state && NAME=kept && f() { echo \"<$1>\"; }")
        response = self.run_command("pwd; echo $NAME; f 1; echo oops >&2; (exit 3)")
        self.assertEqual(response.stdout, f"{daemon.work_dir}/state\nkept\n<1>\n")
        self.assertEqual(response.stderr, "oops\n")
        self.assertEqual(response.exit_code, 3)
        self.assertEqual(self.run_command("echo $?").stdout, "3\n")

    def test_sessions_and_commands_are_listed_in_order(self):
        ids = [self.run_command(f"echo {n}").cmd_id for n in range(5)]
        session = process.get_session(self.session)
        self.assertEqual([command.id for command in session.commands], ids)
        self.assertEqual([command.command for command in session.commands], [f"echo {n}" for n in range(5)])
        self.assertIn(self.session, [session.session_id for session in process.list_sessions()])

    def test_what_wedges_others_does_not_wedge(self):
        for command in ["echo \"unbalanced", "wait", "false || true", "cat <<E\nx\nE", "sleep 60 & echo hi", "(exit 7)", "trap : EXIT"]:
            with self.subTest(command):
                begin = time.monotonic()
                self.run_command(command)
                self.assertEqual(self.run_command("echo ok").stdout, "ok\n")
                self.assertLess(time.monotonic() - begin, 5)

    def test_a_session_that_ended_says_so(self):
        self.assertEqual(self.run_command("echo bye; exit 7").exit_code, 7)
        with self.assertRaises(daytona.DaytonaError) as raised:
            self.run_command("echo more")
        self.assertEqual(type(raised.exception).__name__, "DaytonaSessionEndedError")

    def test_logs_are_whole_and_apart(self):
        command = "printf '\\001\\001\\001x\\002\\002\\002y\\n'; printf '\\002\\002\\002e\\001' >&2; printf abc"
        command_id = self.run_command(command).cmd_id
        logs = process.get_session_command_logs(self.session, command_id)
        self.assertEqual(logs.stdout, "\1\1\1x\2\2\2y\nabc")
        self.assertEqual(logs.stderr, "\2\2\2e\1")

    def test_followers_get_every_byte(self):
        command = "for ((i = 1; i <= 500000; i++)); do echo out-$i; echo err-$i >&2; done"
        out, err = self.follow(self.started(command))
        self.assertEqual(out, "".join(f"out-{n}\n" for n in range(1, 500001)))
        self.assertEqual(err, "".join(f"err-{n}\n" for n in range(1, 500001)))

    def test_the_end_is_followed_at_once(self):
        for _ in range(5):
            command_id = self.started("sleep 0.2; echo end")
            begin = time.monotonic()
            self.assertEqual(self.follow(command_id), ("end\n", ""))
            self.assertLess(time.monotonic() - begin, 0.6)
            self.assertEqual(process.get_session_command(self.session, command_id).exit_code, 0)

    def test_input_is_given_and_echoed(self):
        command_id = self.started("read a; read b; echo \"<$a><$b>\"")
        process.send_session_command_input(self.session, command_id, "one")
        process.send_session_command_input(self.session, command_id, "two\n")
        self.assertEqual(self.exit_code(command_id), 0)
        self.assertEqual(process.get_session_command_logs(self.session, command_id).stdout, "one\ntwo\n<one><two>\n")
        silent = self.started("read a; echo \"<$a>\"", suppress_input_echo=True)
        process.send_session_command_input(self.session, silent, "one")
        self.assertEqual(self.exit_code(silent), 0)
        self.assertEqual(process.get_session_command_logs(self.session, silent).stdout, "<one>\n")
        with self.assertRaises(daytona.DaytonaError) as raised:
            process.send_session_command_input(self.session, silent, "late")
        self.assertEqual(type(raised.exception).__name__, "DaytonaCommandAlreadyCompletedError")

    def test_what_is_not_there_says_so(self):
        with self.assertRaises(daytona.DaytonaNotFoundError):
            process.get_session("no-such-session")
        with self.assertRaises(daytona.DaytonaNotFoundError):
            process.get_session_command(self.session, "no-such-command")
        with self.assertRaises(daytona.DaytonaError):
            process.create_session(self.session)

    def test_deleting_ends_what_runs(self):
        session = f"doomed-{uuid.uuid4()}"
        process.create_session(session)
        request = SessionExecuteRequest(command="(trap '' TERM; setsid sleep 987) & sleep 987", run_async=True)
        process.execute_session_command(session, request)
        begin = time.monotonic()
        process.delete_session(session)
        self.assertLess(time.monotonic() - begin, 3)
        left = process.exec("ps -eo args | grep '[s]leep 987' || true").result
        self.assertEqual(left, "")
