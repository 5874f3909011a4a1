"""Daytona's Python SDK, unmodified, drives sessions on our daemon."""

import time
import uuid

from daytona import SessionExecuteRequest

import harness


@harness.every_way
class Sessions(harness.Case):
    area = "session"

    def setUp(self):
        self.session = f"session-{uuid.uuid4()}"
        self.process.create_session(self.session)
        self.addCleanup(self.process.delete_session, self.session)

    def run_command(self, command, **options):
        return self.process.execute_session_command(self.session, SessionExecuteRequest(command=command, **options))

    def started(self, command, **options):
        return self.run_command(command, run_async=True, **options).cmd_id

    def exit_code(self, command_id):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            command = self.process.get_session_command(self.session, command_id)
            if command.exit_code is not None:
                return command.exit_code
            time.sleep(0.01)
        self.fail("the command did not end")

    def follow(self, command_id):
        out, err = [], []
        self.process.get_session_command_logs_async(self.session, command_id, out.append, err.append)
        return "".join(out), "".join(err)

    @harness.method("process.execute_session_command")
    def test_state_is_kept(self):
        self.run_command("mkdir -p state && cd state && NAME=kept && f() { echo \"<$1>\"; }")
        response = self.run_command("pwd; echo $NAME; f 1; echo oops >&2; (exit 3)")
        self.assertEqual(response.stdout, f"{self.daemon.work_dir}/state\nkept\n<1>\n")
        self.assertEqual(response.stderr, "oops\n")
        self.assertEqual(response.exit_code, 3)
        self.assertEqual(self.run_command("echo $?").stdout, "3\n")

    @harness.method("process.get_session", "process.list_sessions")
    def test_sessions_and_commands_are_listed_in_order(self):
        ids = [self.run_command(f"echo {n}").cmd_id for n in range(5)]
        session = self.process.get_session(self.session)
        self.assertEqual([command.id for command in session.commands], ids)
        self.assertEqual([command.command for command in session.commands], [f"echo {n}" for n in range(5)])
        self.assertIn(self.session, [session.session_id for session in self.process.list_sessions()])

    @harness.method("process.execute_session_command")
    def test_what_wedges_others_does_not_wedge(self):
        for command in ["echo \"unbalanced", "wait", "false || true", "cat <<E\nx\nE", "sleep 60 & echo hi", "(exit 7)", "trap : EXIT"]:
            with self.subTest(command):
                begin = time.monotonic()
                self.run_command(command)
                self.assertEqual(self.run_command("echo ok").stdout, "ok\n")
                self.assertLess(time.monotonic() - begin, 5)

    @harness.method("process.execute_session_command")
    def test_a_session_that_ended_says_so(self):
        self.assertEqual(self.run_command("echo bye; exit 7").exit_code, 7)
        self.assert_fails("DaytonaSessionEndedError", self.run_command, "echo more")

    @harness.method("process.get_session_command_logs")
    def test_logs_are_whole_and_apart(self):
        command = "printf '\\001\\001\\001x\\002\\002\\002y\\n'; printf '\\002\\002\\002e\\001' >&2; printf abc"
        command_id = self.run_command(command).cmd_id
        logs = self.process.get_session_command_logs(self.session, command_id)
        self.assertEqual(logs.stdout, "\1\1\1x\2\2\2y\nabc")
        self.assertEqual(logs.stderr, "\2\2\2e\1")

    @harness.method("process.get_session_command_logs_async")
    def test_followers_get_every_byte(self):
        # Ten seconds of a shell's work, done once.
        most = 500000 if self.manner == "sync" else 50000
        command = f"for ((i = 1; i <= {most}; i++)); do echo out-$i; echo err-$i >&2; done"
        out, err = self.follow(self.started(command))
        self.assertEqual(out, "".join(f"out-{n}\n" for n in range(1, most + 1)))
        self.assertEqual(err, "".join(f"err-{n}\n" for n in range(1, most + 1)))

    @harness.method("process.get_session_command_logs_async", "process.get_session_command")
    def test_the_end_is_followed_at_once(self):
        for _ in range(5):
            command_id = self.started("sleep 0.2; echo end")
            begin = time.monotonic()
            self.assertEqual(self.follow(command_id), ("end\n", ""))
            self.assertLess(time.monotonic() - begin, 0.6)
            self.assertEqual(self.process.get_session_command(self.session, command_id).exit_code, 0)

    @harness.since("0.167.0")
    @harness.method("process.send_session_command_input")
    def test_input_is_given_and_echoed(self):
        command_id = self.started("read a; read b; echo \"<$a><$b>\"")
        self.process.send_session_command_input(self.session, command_id, "one")
        self.process.send_session_command_input(self.session, command_id, "two\n")
        self.assertEqual(self.exit_code(command_id), 0)
        self.assertEqual(self.process.get_session_command_logs(self.session, command_id).stdout, "one\ntwo\n<one><two>\n")
        silent = self.started("read a; echo \"<$a>\"", suppress_input_echo=True)
        self.process.send_session_command_input(self.session, silent, "one")
        self.assertEqual(self.exit_code(silent), 0)
        self.assertEqual(self.process.get_session_command_logs(self.session, silent).stdout, "<one>\n")
        late = (self.session, silent, "late")
        self.assert_fails("DaytonaCommandAlreadyCompletedError", self.process.send_session_command_input, *late)

    @harness.method("process.create_session", "process.get_session", "process.get_session_command")
    def test_what_is_not_there_says_so(self):
        self.assert_fails("DaytonaNotFoundError", self.process.get_session, "no-such-session")
        self.assert_fails("DaytonaNotFoundError", self.process.get_session_command, self.session, "no-such-command")
        self.assert_fails("DaytonaConflictError", self.process.create_session, self.session)

    @harness.method("process.delete_session")
    def test_deleting_ends_what_runs(self):
        session = f"doomed-{uuid.uuid4()}"
        self.process.create_session(session)
        # Suites of other versions run at the same time, and see each other's processes.
        sleep = f"sleep 987{uuid.uuid4().int % 1_000_000}"
        request = SessionExecuteRequest(command=f"(trap '' TERM; setsid {sleep}) & {sleep}", run_async=True)
        self.process.execute_session_command(session, request)
        begin = time.monotonic()
        self.process.delete_session(session)
        self.assertLess(time.monotonic() - begin, 3)
        left = self.process.exec(f"ps -eo args | grep '[s]{sleep[1:]}$' || true").result
        self.assertEqual(left, "")
