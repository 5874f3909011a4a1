"""Daytona's own SDK, with the control plane of `sandbox up`: a sandbox, a chart, a file."""

import base64
import subprocess
import sys

from daytona import CreateSandboxFromSnapshotParams, Daytona

packages, program, picture = sys.argv[1:]

daytona = Daytona()
python_path = {"PYTHONPATH": "/home/daytona/packages"}
sandbox = daytona.create(CreateSandboxFromSnapshotParams(name="tour", env_vars=python_path))
print("created", sandbox.name, sandbox.state.value)

# numpy and matplotlib, in one request.
subprocess.run(["sandbox", "cp", "-r", packages, "tour:packages"], check=True)

with open(program) as file:
    response = sandbox.process.code_run(file.read())
print(response.result, end="")
chart = response.artifacts.charts[0]
print("chart", repr(chart.title), "with", len(chart.elements[0].points), "points")

sandbox.fs.upload_file(base64.b64decode(chart.png), "chart.png")
sandbox.fs.download_file("chart.png", picture)
print("downloaded", picture)
sandbox.delete()
