// The ends of a piece of code: by itself, by an interrupt, by an exit.

// Leads back to the event loop, from wherever the end became known.
const { port1: ended, port2: back } = new MessageChannel();

const end = (how) => {
  if (run.phase !== 'user' || run.cut) return;
  back.postMessage(run.number);
  run.cut = how;
};

// What was rejected meanwhile has been told by now.
ended.on('message', (number) => {
  if (number !== run.number || run.phase !== 'user') return;
  const { before, cut, failure, value } = run;
  run.phase = 'ours';
  if (cut !== 'done') givenUp.push(latestPromise);
  for (const [name, old] of before) {
    if (old === undefined) delete process.env[name];
    else process.env[name] = old;
  }
  post('Runtime.releaseObjectGroup', { objectGroup: GROUP });
  post('Runtime.discardConsoleEntries');
  if (cut === 'interrupted') tell('E', 'KeyboardInterrupt', '', 'KeyboardInterrupt\n');
  else if (failure) tell('E', ...failure);
  else if (value && cut === 'done') tell('V', ...value);
  run.phase = 'idle';
  tell('D');
});

const stackNow = () => {
  const { stackTraceLimit, prepareStackTrace } = Error;
  Error.stackTraceLimit = Infinity;
  Error.prepareStackTrace = (_, sites) => sites.map((site) => site.getFunctionName());
  const { stack } = new Error();
  Error.prepareStackTrace = prepareStackTrace;
  Error.stackTraceLimit = stackTraceLimit;
  return stack;
};

// Node.js does not survive the termination of what it calls from there.
const mayTerminate = (stack) => !stack.includes('processImmediate');

// Called through the inspector, possibly on top of a program that is busy.
const interrupt = (number) => {
  if (number !== run.number || run.phase !== 'user' || run.cut) return;
  if (isHeld) {
    isInterrupted = true;
    return;
  }
  const stack = stackNow();
  // Nothing but `stackNow`, this, and what the inspector evaluates.
  const isBusy = stack.length > 3;
  if (isBusy && !mayTerminate(stack)) return;
  end('interrupted');
  if (isBusy) post('Runtime.terminateExecution');
};

class Exit extends Error {}

const { exit } = process;

// The context is deleted: the process ends as any other, so that listeners of 'exit' run.
const leave = () => {
  run.phase = 'idle';
  process.exit = exit;
  process.exit();
};

// The code ends there, as a process would: no `finally` runs. The context stays.
process.exit = () => {
  end('exit');
  if (!mayTerminate(stackNow())) throw new Exit('process.exit() was called');
  post('Runtime.terminateExecution');
  for (;;);
};

const uncaught = (event, words) => (error) => {
  if (process.listenerCount(event) > 1 || error instanceof Exit) return;
  process.stderr.write(`${words}${describe(error, '')[2]}`);
};
process.on('uncaughtException', uncaught('uncaughtException', 'Uncaught '));
process.on('unhandledRejection', uncaught('unhandledRejection', 'Uncaught (in promise) '));
// Comes with every interrupt, for the children.
process.on('SIGINT', () => {});
