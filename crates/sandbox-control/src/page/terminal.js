// A terminal of a sandbox: xterm.js over the WebSocket of a PTY, which outlives the page.

import { by, element, show } from "./dom.js";

/** The id of the PTY that this page uses, so that a reload, or another tab, finds it again. */
const ID = "page";

/** The subprotocol of the PTY: what its terminal shows is binary, and what is about it is text. */
const PROTOCOL = "sandbox.pty.v1";

/** Bytes that wait to be shown. A program that prints faster for long loses some, and the page stays usable. */
const WAITING_BYTES = 16 * 1024 * 1024;

const NOT_EMBEDDED =
  "This build of `sandbox` has no terminal for browsers. `cargo xtask web` builds one that has; " +
  "until then: sandbox pty open -s ";

/** Loads xterm.js, unless this build has none. */
let loading;
function load() {
  loading ??= (async () => {
    // Before xterm.js makes its first element.
    await import("./styles.js");
    const [xterm, fit] = await Promise.all([import("/page/xterm/xterm.js"), import("/page/xterm/fit.js")]);
    const sheet = element("link", { rel: "stylesheet", href: "/page/xterm/xterm.css" });
    await new Promise((done) => {
      sheet.onload = sheet.onerror = done;
      document.head.append(sheet);
    });
    return { Terminal: xterm.Terminal, FitAddon: fit.FitAddon };
  })();
  return loading.catch(() => null);
}

export class TerminalView {
  /** Opens the terminal of a sandbox below `#screen`. */
  constructor(api, sandbox) {
    this.api = api;
    this.sandbox = sandbox;
    this.waiting = 0;
    this.lost = 0;
    this.isClosed = false;
    this.begin().catch((error) => this.fail(error));
  }

  async begin() {
    show(by("screen-note"), "Connecting\u2026");
    const parts = await load();
    if (this.isClosed) {
      return;
    }
    if (!parts) {
      show(by("screen-note"), NOT_EMBEDDED + this.sandbox.name);
      return;
    }
    this.terminal = new parts.Terminal({
      cursorBlink: true,
      fontFamily: "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace",
      fontSize: 13,
      scrollback: 5_000,
      theme: theme(),
    });
    this.fitting = new parts.FitAddon();
    this.terminal.loadAddon(this.fitting);
    this.terminal.open(by("screen"));
    this.fitting.fit();
    this.terminal.onData((text) => this.type(text));
    this.terminal.onBinary((text) => this.send(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
    this.terminal.onResize(() => this.resize());
    this.observer = new ResizeObserver(() => requestAnimationFrame(() => this.isClosed || this.fitting.fit()));
    this.observer.observe(by("screen"));
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.onchange = () => (this.terminal.options.theme = theme());
    await this.connect();
  }

  /** Connects to the PTY, which is created unless it runs. */
  async connect() {
    const { cols, rows } = this.terminal;
    const { sessions } = await this.api.toolbox(this.sandbox.id, "GET", "process/pty");
    if (!sessions.some((session) => session.id === ID && session.active)) {
      const created = this.api.toolbox(this.sandbox.id, "POST", "process/pty", { body: { id: ID, cols, rows } });
      // Another tab may have been faster.
      await created.catch((error) => {
        if (error.status !== 409) {
          throw error;
        }
      });
    }
    const socket = await this.api.socket(this.sandbox.id, `process/pty/${ID}/connect`, PROTOCOL);
    if (this.isClosed) {
      socket.close();
      return;
    }
    this.socket = socket;
    this.end = null;
    socket.onopen = () => {
      show(by("screen-note"), null);
      this.terminal.focus();
      // It may have had another size.
      this.resize();
    };
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.control(JSON.parse(data)) : this.write(data));
    socket.onclose = () => this.closed();
  }

  control({ status, exitCode, bytes }) {
    if (status === "exited") {
      this.end = exitCode ?? "an unknown code";
    } else if (status === "gap") {
      // CAN ends an escape sequence that was cut.
      this.terminal.write(`\x18\x1b[m\r\n[${bytes} bytes of output were not kept]\r\n`);
    }
  }

  write(data) {
    const { byteLength } = data;
    if (this.waiting + byteLength > WAITING_BYTES) {
      this.lost += byteLength;
      return;
    }
    if (this.lost > 0) {
      this.terminal.write(`\x18\x1b[m\r\n[${this.lost} bytes of output were not shown]\r\n`);
      this.lost = 0;
    }
    this.waiting += byteLength;
    this.terminal.write(new Uint8Array(data), () => (this.waiting -= byteLength));
  }

  type(text) {
    if (this.socket?.readyState === WebSocket.OPEN) {
      this.send(new TextEncoder().encode(text));
    } else if (text === "\r" && this.isOver) {
      this.isOver = false;
      this.terminal.reset();
      this.connect().catch((error) => this.fail(error));
    }
  }

  send(bytes) {
    if (this.socket?.readyState === WebSocket.OPEN) {
      this.socket.send(bytes);
    }
  }

  /** Tells the PTY the size; the last one wins, and only one request is under way. */
  async resize() {
    this.isSized = false;
    if (this.sizing) {
      return;
    }
    this.sizing = true;
    while (!this.isSized && this.socket?.readyState === WebSocket.OPEN) {
      this.isSized = true;
      const { cols, rows } = this.terminal;
      // One that has just ended has no size.
      await this.api.toolbox(this.sandbox.id, "POST", `process/pty/${ID}/resize`, { body: { cols, rows } }).catch(() => {});
    }
    this.sizing = false;
  }

  closed() {
    if (this.isClosed) {
      return;
    }
    const what = this.end === null ? "The connection has ended." : `The shell has exited with ${this.end}.`;
    show(by("screen-note"), `${what} Press Enter in the terminal for another one.`);
    this.isOver = true;
  }

  fail(error) {
    if (!this.isClosed) {
      show(by("screen-note"), `No terminal: ${error.message}`);
      this.isOver = true;
    }
  }

  /** Leaves the terminal; its shell runs on. */
  close() {
    this.isClosed = true;
    this.observer?.disconnect();
    if (this.dark) {
      this.dark.onchange = null;
    }
    this.socket?.close();
    this.terminal?.dispose();
    by("screen").replaceChildren();
    show(by("screen-note"), null);
  }
}

/** Returns the colors of the terminal, which are the page's. */
function theme() {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
  const named = names.flatMap((name) => [
    [name, color(`term-${name}`)],
    [`bright${name[0].toUpperCase()}${name.slice(1)}`, color(`term-bright-${name}`) || color(`term-${name}`)],
  ]);
  return {
    background: color("term-back"),
    foreground: color("term-text"),
    cursor: color("accent"),
    selectionBackground: color("term-selection"),
    ...Object.fromEntries(named),
  };
}
