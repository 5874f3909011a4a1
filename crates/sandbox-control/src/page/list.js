// The list of sandboxes.

import { by, element } from "./dom.js";

/** States with a color of their own. */
const STATES = ["started", "stopped", "paused", "error"];

/** Time for which a deletion waits to be confirmed. */
const CONFIRM = 4_000;

export class List {
  /** `actions` are `choose`, `start`, `stop` and `remove`, each with a sandbox; all but the first return promises. */
  constructor(actions) {
    this.actions = actions;
    this.rows = new Map();
    setInterval(() => this.age(), 1_000);
  }

  /** Shows these sandboxes. Rows that stay keep their elements, and so the focus. */
  update(sandboxes, chosen) {
    const ids = new Set(sandboxes.map((sandbox) => sandbox.id));
    for (const [id, row] of this.rows) {
      if (!ids.has(id)) {
        row.item.remove();
        this.rows.delete(id);
      }
    }
    sandboxes.forEach((sandbox, index) => {
      const row = this.rows.get(sandbox.id) ?? this.add(sandbox);
      row.update(sandbox, sandbox.id === chosen);
      const list = by("list");
      if (list.children[index] !== row.item) {
        list.insertBefore(row.item, list.children[index] ?? null);
      }
    });
    by("empty").hidden = sandboxes.length > 0;
  }

  add(sandbox) {
    const row = new Row(sandbox, this.actions);
    this.rows.set(sandbox.id, row);
    return row;
  }

  age() {
    for (const row of this.rows.values()) {
      row.age();
    }
  }

  clear() {
    this.update([], null);
  }
}

class Row {
  constructor(sandbox, actions) {
    this.sandbox = sandbox;
    this.dot = element("span", { className: "dot" });
    this.name = element("button", { className: "name", onclick: () => actions.choose(this.sandbox) });
    this.meta = element("span", { className: "meta" });
    this.aged = element("time");
    this.reason = element("p", { className: "reason", hidden: true });
    this.start = this.button("Start", () => actions.start(this.sandbox));
    this.stop = this.button("Stop", () => actions.stop(this.sandbox));
    this.remove = this.button("Delete", () => this.confirm(() => actions.remove(this.sandbox)));
    this.remove.classList.add("danger");
    this.item = element(
      "li",
      {},
      this.dot,
      element("div", { className: "about" }, this.name, this.meta, this.reason),
      this.aged,
      element("div", { className: "actions" }, this.start, this.stop, this.remove),
    );
  }

  button(text, act) {
    const button = element("button", { textContent: text });
    button.onclick = async () => {
      button.disabled = true;
      await act();
      button.disabled = false;
    };
    return button;
  }

  /** Acts at the second press. */
  async confirm(act) {
    if (this.isAsked) {
      this.ask(false);
      return act();
    }
    this.ask(true);
    setTimeout(() => this.ask(false), CONFIRM);
  }

  ask(isAsked) {
    this.isAsked = isAsked;
    this.remove.textContent = isAsked ? "Really?" : "Delete";
    this.remove.classList.toggle("asked", isAsked);
  }

  update(sandbox, isChosen) {
    this.sandbox = sandbox;
    const { state } = sandbox;
    this.dot.className = `dot ${STATES.includes(state) ? state : "changing"}`;
    this.item.classList.toggle("chosen", isChosen);
    this.item.dataset.id = sandbox.id;
    this.item.dataset.state = state;
    this.name.textContent = sandbox.name;
    this.name.setAttribute("aria-current", String(isChosen));
    const labels = Object.entries(sandbox.labels ?? {}).map(([name, value]) => `${name}=${value}`);
    this.meta.textContent = [state, ...labels].join(" \u00b7 ");
    this.reason.textContent = sandbox.errorReason ?? "";
    this.reason.hidden = !sandbox.errorReason;
    this.start.hidden = !["stopped", "error", "paused"].includes(state);
    this.stop.hidden = !["started", "paused"].includes(state);
    this.age();
  }

  age() {
    const created = new Date(this.sandbox.createdAt);
    this.aged.dateTime = this.sandbox.createdAt;
    this.aged.title = `created ${created.toLocaleString()}`;
    this.aged.textContent = age((Date.now() - created) / 1000);
  }
}

/** Returns a number of seconds as people say it. */
export function age(seconds) {
  const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
  ];
  for (const [name, length] of units) {
    if (seconds >= length) {
      return `${Math.floor(seconds / length)} ${name}`;
    }
  }
  return `${Math.max(0, Math.floor(seconds))} s`;
}
