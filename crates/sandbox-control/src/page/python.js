// A box that runs a Python program in a sandbox, and shows what it printed and drew.

import * as charts from "./charts.js";
import { by, show } from "./dom.js";

const EXAMPLE = `import matplotlib.pyplot as plt

days = ["Mon", "Tue", "Wed", "Thu", "Fri"]
plt.bar(days, [12, 19, 7, 15, 23])
plt.title("Runs per day")
plt.show()
`;

/** Seconds after which a program ends. */
const TIMEOUT = 120;

/** Characters of output that are shown: the last ones. */
const OUTPUT = 100_000;

export class PythonBox {
  constructor() {
    by("program").value = EXAMPLE;
    by("program-form").onsubmit = (event) => {
      event.preventDefault();
      this.run();
    };
    by("program").onkeydown = (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.run();
      }
    };
    by("cancel").onclick = () => this.cancel();
  }

  /** Chooses the sandbox of the next runs. */
  choose(api, sandbox) {
    this.cancel();
    this.api = api;
    this.sandbox = sandbox;
    show(by("output"), null);
    by("run-note").textContent = "";
  }

  /** Waits no longer; the sandbox ends the program in time. */
  cancel() {
    this.aborter?.abort();
  }

  async run() {
    if (this.aborter || !this.sandbox) {
      return;
    }
    const aborter = new AbortController();
    const { api, sandbox } = this;
    this.aborter = aborter;
    this.show(true, "Running\u2026");
    const began = performance.now();
    let note;
    try {
      const body = { code: by("program").value, language: "python", timeout: TIMEOUT };
      const { signal } = aborter;
      const done = await api.toolbox(sandbox.id, "POST", "process/code-run", { body, signal });
      const count = charts.add(done.artifacts?.charts ?? [], sandbox);
      const text = done.result ?? "";
      show(by("output"), text.length > OUTPUT ? `\u2026${text.slice(-OUTPUT)}` : text);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      const drawn = count === 0 ? "no chart" : count === 1 ? "1 chart" : `${count} charts`;
      note = `exit code ${done.exitCode ?? "unknown"}, ${drawn}, ${seconds} s`;
    } catch (error) {
      note = error.name === "AbortError" ? `not waited for; it ends within ${TIMEOUT} s` : error.message;
    }
    this.aborter = null;
    this.show(false, this.sandbox?.id === sandbox.id ? note : "");
  }

  show(isRunning, note) {
    by("run").disabled = isRunning;
    by("cancel").hidden = !isRunning;
    by("run-note").textContent = note;
  }
}
