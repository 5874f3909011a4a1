// The page: asks for the key, then shows the sandboxes and the one that is chosen.

import { Api, Refused } from "./api.js";
import * as charts from "./charts.js";
import { by, show } from "./dom.js";
import { follow } from "./events.js";
import { List } from "./list.js";
import { PythonBox } from "./python.js";
import { TerminalView } from "./terminal.js";

/** Where this tab keeps the key. */
const KEY = "sandbox-key";

const TABS = ["terminal", "python"];

let api = null;
let unfollow = null;
let sandboxes = [];
let chosen = null;
let terminal = null;
let tab = "terminal";

const python = new PythonBox();
const list = new List({
  choose: (sandbox) => choose(sandbox.id),
  start: (sandbox) => attempt(() => api.start(sandbox.id)),
  stop: (sandbox) => attempt(() => api.stop(sandbox.id)),
  remove: (sandbox) => attempt(() => api.remove(sandbox.id)),
});

by("login").onsubmit = (event) => {
  event.preventDefault();
  const key = by("key").value.trim();
  by("key").value = "";
  sessionStorage.setItem(KEY, key);
  open(key);
};
by("forget").onclick = () => forget();
by("create").onclick = () =>
  attempt(async () => {
    const created = await api.create();
    await refresh();
    choose(created.id);
  });
by("back").onclick = () => choose(null);
for (const name of TABS) {
  by(`tab-${name}`).onclick = () => turn(name);
}

const known = sessionStorage.getItem(KEY);
if (known) {
  open(known);
} else {
  forget();
}

/** Shows what there is for this key. */
async function open(key) {
  api = new Api(key);
  try {
    await load();
  } catch (error) {
    forget(error.status === 401 ? "This is not the key of this control plane." : error.message);
    return;
  }
  for (const id of ["app", "create", "forget"]) {
    by(id).hidden = false;
  }
  by("login").hidden = true;
  show(by("problem"), null);
  unfollow = follow(key, refresh, (isConnected) => {
    by("connection").className = isConnected ? "live" : "lost";
    by("connection").textContent = isConnected ? "live" : "reconnecting\u2026";
  });
}

/** Forgets the key and all that it showed. */
function forget(problem) {
  sessionStorage.removeItem(KEY);
  unfollow?.();
  choose(null);
  charts.clear();
  [api, unfollow, sandboxes] = [null, null, []];
  list.clear();
  for (const id of ["app", "create", "forget"]) {
    by(id).hidden = true;
  }
  by("connection").textContent = by("connection").className = "";
  by("login").hidden = false;
  by("key").focus();
  show(by("problem"), problem);
}

/** Runs an action, and shows why it failed. */
async function attempt(action) {
  try {
    show(by("problem"), null);
    await action();
  } catch (error) {
    show(by("problem"), error.message);
  }
  await refresh();
}

let isOld = false;
let refreshing = null;

/** Shows what there is now. What comes while a list is read is in the next one. */
function refresh() {
  isOld = true;
  refreshing ??= (async () => {
    while (isOld && api) {
      isOld = false;
      try {
        await load();
      } catch (error) {
        if (error instanceof Refused && error.status === 401) {
          forget("The key is not valid any more.");
        }
        // Otherwise the events are lost as well, and the list is read again when they are back.
        break;
      }
    }
    refreshing = null;
  })();
  return refreshing;
}

async function load() {
  const from = api;
  const found = await from.sandboxes();
  // The key may have been forgotten meanwhile.
  if (api !== from) {
    return;
  }
  sandboxes = found;
  draw();
}

function draw() {
  const before = chosen;
  chosen = sandboxes.find((sandbox) => sandbox.id === chosen?.id) ?? null;
  list.update(sandboxes, chosen?.id);
  document.title = sandboxes.length ? `Sandboxes (${sandboxes.length})` : "Sandboxes";
  if (chosen?.id !== before?.id || chosen?.state !== before?.state) {
    present();
  } else if (chosen) {
    by("name").textContent = chosen.name;
  }
}

function choose(id) {
  const found = sandboxes.find((sandbox) => sandbox.id === id) ?? null;
  const isSame = found && found.id === chosen?.id;
  chosen = found;
  list.update(sandboxes, chosen?.id);
  if (!isSame) {
    present();
  }
}

/** Shows the chosen sandbox, or none. */
function present() {
  terminal?.close();
  terminal = null;
  document.body.classList.toggle("has-chosen", Boolean(chosen));
  by("chosen").hidden = !chosen;
  by("nothing").hidden = Boolean(chosen);
  if (!chosen) {
    python.choose(null, null);
    return;
  }
  by("name").textContent = chosen.name;
  const runs = chosen.state === "started";
  by("run").disabled = !runs;
  python.choose(api, runs ? chosen : null);
  if (!runs) {
    const note = `The sandbox is ${chosen.state}. Start it for its terminal.`;
    show(by("screen-note"), note);
    by("run-note").textContent = note;
  }
  turn(tab);
}

/** Shows one of the tabs. A terminal is opened when it is looked at. */
function turn(name) {
  tab = name;
  for (const other of TABS) {
    by(other).hidden = other !== name;
    by(`tab-${other}`).setAttribute("aria-selected", String(other === name));
  }
  if (name === "terminal" && !terminal && chosen?.state === "started") {
    terminal = new TerminalView(api, chosen);
  }
}
