// Events of the control plane, by Socket.IO over a WebSocket: after each, what is shown may be old.

/** Longest pause until a connection that ended is opened again. */
const LONGEST_PAUSE = 15_000;

/**
 * Follows the events until the returned function is called. Calls `changed` when it is connected and at each event, and `connected` with
 * whether it is.
 */
export function follow(key, changed, connected) {
  let socket;
  let timer;
  let pause = 500;
  let isOver = false;

  function open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    socket = new WebSocket(`${scheme}://${location.host}/api/socket.io/?EIO=4&transport=websocket`);
    socket.onmessage = ({ data }) => receive(String(data));
    socket.onclose = () => {
      if (isOver) {
        return;
      }
      connected(false);
      timer = setTimeout(open, pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    };
  }

  // The first digit is Engine.IO's, the second Socket.IO's.
  function receive(message) {
    if (message.startsWith("0")) {
      socket.send(`40${JSON.stringify({ token: key })}`);
    } else if (message === "2") {
      socket.send("3");
    } else if (message.startsWith("40")) {
      pause = 500;
      connected(true);
      changed();
    } else if (message.startsWith("42")) {
      changed();
    } else if (message.startsWith("44")) {
      // The key is not valid any more, which the next request shows.
      changed();
    }
  }

  open();
  return () => {
    isOver = true;
    clearTimeout(timer);
    socket.close();
  };
}
