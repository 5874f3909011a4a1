// Requests, read by a thread of their own.

const reader = new Worker(`
  'use strict';
  const inspector = require('inspector');
  const net = require('net');
  const { parentPort, workerData: { requests, cells, handle } } = require('worker_threads');
  let number = 0;
  let arrived = [];
  let size = 0;
  const ask = (expression) => {
    const session = new inspector.Session();
    session.connectToMainThread();
    session.post('Runtime.evaluate', { expression }, () => session.disconnect());
  };
  const take = (body) => {
    const kind = String.fromCharCode(body[0]);
    if (kind === 'S') {
      Atomics.add(cells, 0, 1);
      Atomics.notify(cells, 0);
    } else if (kind === 'I') {
      ask(handle + '.interrupt(' + number + ')');
    } else if (kind === 'R') {
      const fields = [];
      for (let at = 1; at < body.length;) {
        const length = body.readUInt32LE(at);
        fields.push(body.toString('utf8', at + 4, at + 4 + length));
        at += 4 + length;
      }
      const [code, shows, ...variables] = fields;
      number += 1;
      parentPort.postMessage({ code, shows: shows !== '', variables, number });
    }
  };
  const socket = new net.Socket({ fd: requests, readable: true, writable: false });
  socket.on('data', (bytes) => {
    arrived.push(bytes);
    size += bytes.length;
    while (size >= 4) {
      if (arrived[0].length < 4) arrived = [Buffer.concat(arrived)];
      const length = arrived[0].readUInt32LE(0);
      if (size < 4 + length) return;
      const whole = Buffer.concat(arrived);
      take(whole.subarray(4, 4 + length));
      size -= 4 + length;
      arrived = [whole.subarray(4 + length)];
    }
  });
  // Nothing more is to be run. The engine gives the program a second; without an engine nothing else ends a busy one.
  socket.on('end', () => {
    parentPort.postMessage('end');
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 2000);
  });
  parentPort.postMessage('begun');`, {
  eval: true,
  env: {},
  execArgv: [],
  workerData: { requests, cells, handle: handleText },
});
reader.on('error', () => process.reallyExit(70));
reader.on('message', (message) => {
  if (message === 'begun') tell('B');
  else if (message === 'end') leave();
  else begin(message);
});
