"""What the SDKs in the field insist on, or get wrong unless the daemon helps."""

import functools
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from daytona import SessionExecuteRequest

import harness


@harness.every_way
class Quirks(harness.Case):
    area = "quirks"

    def session(self):
        session = f"quirk-{uuid.uuid4()}"
        self.process.create_session(session)
        self.addCleanup(self.process.delete_session, session)
        return session

    def followed(self, session, command):
        """What a follower of a command is given, from its beginning to its end."""
        request = SessionExecuteRequest(command=command, run_async=True)
        started = self.process.execute_session_command(session, request)
        out, err = [], []
        self.process.get_session_command_logs_async(session, started.cmd_id, out.append, err.append)
        return "".join(out), "".join(err)

    @harness.method("process.create_pty_session")
    def test_terminals_are_connected_within_a_tenth_of_a_second(self):
        # The synchronous SDKs since 0.190 look for the first message that long, and fail without one. The machine may be busy, so
        # most must make it.
        ids = [f"quick {n} {uuid.uuid4()}" for n in range(10)]
        handler = [lambda data: None] if self.manner == "async" else []

        late = []

        def use(id):
            def give_up():
                late.append(id)
                self.process.kill_pty_session(id)

            create = functools.partial(self.process.create_pty_session, id, *handler)
            pty = self.connected(lambda: create(envs={"HOME": self.daemon.work_dir}), give_up)
            pty.send_input("exit 3\n")
            return pty.wait().exit_code

        with ThreadPoolExecutor(5) as pool:
            self.assertEqual(list(pool.map(use, ids)), [3] * len(ids))
        self.assertLess(len(set(late)), len(ids) / 2)

    @harness.method("process.get_session_command_logs_async")
    def test_messages_end_where_the_decoders_do_not_stumble(self):
        # Decoders up to 0.190 lose a marker at a message's end.
        command = "for ((i = 0; i < 3000; i++)); do printf o; printf e >&2; done"
        self.assertEqual(self.followed(self.session(), command), ("o" * 3000, "e" * 3000))

    @harness.method("process.get_session_command_logs_async")
    def test_characters_are_whole_in_messages(self):
        # Decoders up to 0.167 decode each message by itself.
        command = "for ((i = 0; i < 20; i++)); do printf '\\303'; sleep 0.005; printf '\\251'; printf '\\346' >&2; sleep 0.005; printf '\\274\\242' >&2; done"
        self.assertEqual(self.followed(self.session(), command), ("é" * 20, "漢" * 20))

    @harness.method("process.exec")
    def test_much_output_arrives_whole(self):
        response = self.process.exec("head -c 20000000 /dev/zero | tr '\\0' x")
        self.assertEqual((response.exit_code, len(response.result)), (0, 20_000_000))

    @harness.method("process.exec")
    def test_bytes_that_are_no_text_are_replaced(self):
        response = self.process.exec("printf 'a\\377b\\0c'")
        self.assertEqual(response.result, "a\ufffdb\0c")

    @harness.method("process.exec")
    def test_many_at_once(self):
        with ThreadPoolExecutor(20) as pool:
            results = pool.map(lambda n: self.process.exec(f"echo {n}").result, range(100))
            self.assertEqual([int(result) for result in results], list(range(100)))

    @harness.method("process.execute_session_command")
    def test_sessions_work_side_by_side(self):
        begin = time.monotonic()

        def use(n):
            session = f"side-{n}-{uuid.uuid4()}"
            self.process.create_session(session)
            request = SessionExecuteRequest(command=f"sleep 1; echo {n}")
            result = self.process.execute_session_command(session, request)
            self.process.delete_session(session)
            return result.stdout

        with ThreadPoolExecutor(10) as pool:
            self.assertEqual(list(pool.map(use, range(10))), [f"{n}\n" for n in range(10)])
        self.assertLess(time.monotonic() - begin, 8)

    @harness.since("0.167.0")
    @harness.method("process.get_entrypoint_session", "process.get_entrypoint_logs")
    def test_the_entrypoint_is_a_session(self):
        if not self.daemon.is_ours:
            self.skipTest("absent: only the daemon that the suites start has a known entrypoint")
        session = self.process.get_entrypoint_session()
        self.assertEqual(session.session_id, "entrypoint")
        self.assertEqual(self.process.get_entrypoint_logs().stdout, f"{harness.ENTRYPOINT}\n")


@harness.since("0.226.0", "testing what takes so long")
class Pings(harness.Case):
    """The SDK's WebSocket client pings after 20 s, and gives up when no pong has come 20 s later."""

    area = "quirks"

    @harness.method(
        "process.get_session_command_logs_async", "code_interpreter.run_code", "process.create_pty_session"
    )
    def test_quiet_connections_stay(self):
        quiet = 42
        outcome = {}

        def follow():
            session = f"quiet-{uuid.uuid4()}"
            self.process.create_session(session)
            request = SessionExecuteRequest(command=f"sleep {quiet}; echo end", run_async=True)
            started = self.process.execute_session_command(session, request)
            out = []
            self.process.get_session_command_logs_async(session, started.cmd_id, out.append, out.append)
            outcome["session"] = "".join(out)
            self.process.delete_session(session)

        def interpret():
            code = f"import time; time.sleep({quiet}); print('end')"
            outcome["interpreter"] = self.interpreter.run_code(code, timeout=0).stdout

        def terminal():
            envs = {"HOME": self.daemon.work_dir}
            id = f"quiet {uuid.uuid4()}"
            create = functools.partial(self.process.create_pty_session, id, envs=envs)
            pty = self.connected(create, lambda: self.process.kill_pty_session(id))
            pty.send_input(f"sleep {quiet}; exit 5\n")
            outcome["terminal"] = pty.wait().exit_code

        threads = [threading.Thread(target=run) for run in [follow, interpret, terminal]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(outcome, {"session": "end\n", "interpreter": "end\n", "terminal": 5})
