// The API of the control plane, and the toolbox of its sandboxes.

/** A response that is none of success; `status` is 0 if there was no response. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** A client with the key, which travels in a header and nowhere else. */
export class Api {
  constructor(key) {
    this.key = key;
  }

  async call(method, path, { body, signal } = {}) {
    const headers = { Authorization: `Bearer ${this.key}` };
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
    }
    let response;
    let text;
    try {
      response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal, cache: "no-store" });
      text = await response.text();
    } catch (error) {
      if (error.name === "AbortError") {
        throw error;
      }
      throw new Refused(0, "the control plane does not respond");
    }
    const value = parse(text);
    if (!response.ok) {
      throw new Refused(response.status, value?.message ?? `the control plane responded with ${response.status}`);
    }
    return value;
  }

  /** Returns all sandboxes, the newest first. */
  async sandboxes() {
    const found = [];
    let cursor = "";
    do {
      const query = new URLSearchParams({ limit: "200", ...(cursor && { cursor }) });
      const page = await this.call("GET", `/api/sandbox?${query}`);
      found.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor);
    return found;
  }

  create() {
    return this.call("POST", "/api/sandbox", { body: {} });
  }

  start(id) {
    return this.call("POST", `${sandbox(id)}/start`);
  }

  stop(id) {
    return this.call("POST", `${sandbox(id)}/stop`);
  }

  remove(id) {
    return this.call("DELETE", sandbox(id));
  }

  toolbox(id, method, path, options) {
    return this.call(method, `${toolbox(id)}/${path}`, options);
  }

  /** Opens a WebSocket of a sandbox. It has no headers, so a ticket, which is valid once, stands for the key. */
  async socket(id, path, protocol) {
    const ticket = await this.call("POST", `${sandbox(id)}/ticket`);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${toolbox(id)}/${path}`, [protocol, ticket.protocol]);
    socket.binaryType = "arraybuffer";
    return socket;
  }
}

const sandbox = (id) => `/api/sandbox/${encodeURIComponent(id)}`;

const toolbox = (id) => `/toolbox/${encodeURIComponent(id)}`;

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
