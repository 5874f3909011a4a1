"""agno's toolkit for Daytona."""

import json


class Agent:
    """What the toolkit reads of an agent."""

    session_state = None


def run(program):
    from agno.tools.daytona import DaytonaTools

    agent = Agent()
    tools = DaytonaTools(sandbox_env_vars={"NAME": "a b"}, sandbox_labels={"team": "red"}, auto_stop_interval=7)
    with program.call("run_code"):
        assert tools.run_code(agent, "print(6 * 7)").strip() == "42"
        assert "ZeroDivisionError" in tools.run_code(agent, "1 / 0")
        sandbox = tools.daytona.get(agent.session_state["sandbox_id"])
        assert sandbox.labels["team"] == "red" and sandbox.labels["created_by"] == "agno_daytona_toolkit"
        assert sandbox.auto_stop_interval == 7
    with program.call("run_shell_command"):
        assert tools.run_shell_command(agent, 'echo "$NAME"; pwd').split("\n")[:2] == ["a b", "/home/daytona"]
        assert "not found" in tools.run_shell_command(agent, "no-such-command")
    with program.call("create_file"):
        created = tools.create_file(agent, "work/it's.txt", "one\ntwo")
        assert created == "File created/updated: /home/daytona/work/it's.txt", created
        refused = json.loads(tools.create_file(agent, "/proc/none/x", "x"))
        assert refused["status"] == "error", refused
    with program.call("read_file"):
        assert tools.read_file(agent, "work/it's.txt") == "one\ntwo\n"
        assert json.loads(tools.read_file(agent, "none"))["status"] == "error"
    with program.call("change_directory"):
        assert tools.change_directory(agent, "work") == "Changed directory to: /home/daytona/work"
        assert tools.run_shell_command(agent, "pwd").strip() == "/home/daytona/work"
        assert "not found" in tools.change_directory(agent, "none")
    with program.call("list_files"):
        assert "it's.txt" in tools.list_files(agent)
        assert json.loads(tools.list_files(agent, "/none"))["status"] == "error"
    with program.call("delete_file"):
        assert tools.delete_file(agent, "it's.txt") == "Deleted: /home/daytona/work/it's.txt"
        assert json.loads(tools.read_file(agent, "it's.txt"))["status"] == "error"
        assert tools.delete_file(agent, "/home/daytona/work") == "Deleted: /home/daytona/work"
    with program.call("starts a stopped sandbox"):
        sandbox.stop()
        agent.session_state["working_directory"] = "/home/daytona"
        assert tools.run_shell_command(agent, "echo again").strip() == "again"
        assert agent.session_state["sandbox_id"] == sandbox.id
    with program.call("replaces a deleted sandbox"):
        sandbox.delete()
        assert tools.run_shell_command(agent, "echo new").strip() == "new"
        assert agent.session_state["sandbox_id"] != sandbox.id
        tools.daytona.get(agent.session_state["sandbox_id"]).delete()
