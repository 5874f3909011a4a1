// Drives a headless Chromium over a pipe, by its DevTools protocol: a message is JSON that ends with a zero byte.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

// Longest wait for something to appear on a page, in milliseconds.
const PATIENCE = 30_000;

export class Chromium {
  static async launch() {
    const home = fs.mkdtempSync(path.join(os.tmpdir(), 'chromium-'));
    const options = [
      '--headless=new',
      '--remote-debugging-pipe',
      `--user-data-dir=${home}`,
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-breakpad',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-extensions',
      '--no-first-run',
      '--no-proxy-server',
      // Tests run as root in containers, and see only our own page.
      '--no-sandbox',
      'about:blank',
    ];
    const program = process.env.CHROMIUM || 'chromium';
    // A group of its own, which is killed if it does not end by itself.
    const child = spawn(program, options, {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      env: { ...process.env, HOME: home, TMPDIR: home },
      detached: true,
    });
    await once(child, 'spawn');
    return new Chromium(child, home);
  }

  constructor(child, home) {
    this.child = child;
    this.home = home;
    this.calls = new Map();
    this.sessions = new Map();
    this.number = 0;
    this.exited = once(child, 'exit');
    let rest = '';
    child.stdio[4].setEncoding('utf8').on('data', (data) => {
      const messages = (rest + data).split('\0');
      rest = messages.pop();
      messages.forEach((message) => this.receive(JSON.parse(message)));
    });
    child.once('exit', () => {
      for (const { reject } of this.calls.values()) reject(new Error('the browser has ended'));
    });
  }

  receive({ id, method, params, result, error, sessionId }) {
    if (id === undefined) {
      this.sessions.get(sessionId)?.event(method, params);
      return;
    }
    const { resolve, reject } = this.calls.get(id);
    this.calls.delete(id);
    if (error) reject(new Error(error.message));
    else resolve(result);
  }

  call(method, params = {}, sessionId = undefined) {
    const id = ++this.number;
    const answer = new Promise((resolve, reject) => this.calls.set(id, { resolve, reject }));
    this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return answer;
  }

  // Opens a tab.
  async page() {
    const { targetId } = await this.call('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.call('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, sessionId, targetId);
    this.sessions.set(sessionId, page);
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await page.call(`${domain}.enable`);
    await page.call('Page.addScriptToEvaluateOnNewDocument', {
      source: `addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile, lineNumber }) =>
        console.error('violation', violatedDirective, blockedURI, sourceFile, lineNumber));`,
    });
    return page;
  }

  async close() {
    await this.call('Browser.close').catch(() => {});
    const late = setTimeout(() => process.kill(-this.child.pid, 'SIGKILL'), PATIENCE);
    await this.exited;
    clearTimeout(late);
    fs.rmSync(this.home, { recursive: true, force: true, maxRetries: 10 });
  }
}

export class Page {
  constructor(browser, session, target) {
    this.browser = browser;
    this.session = session;
    this.target = target;
    this.urls = [];
    this.problems = [];
    this.loaded = () => {};
  }

  call(method, params) {
    return this.browser.call(method, params, this.session);
  }

  event(method, params) {
    if (method === 'Page.loadEventFired') this.loaded();
    else if (method === 'Network.requestWillBeSent') this.urls.push(params.request.url);
    else if (method === 'Network.webSocketCreated') this.urls.push(params.url);
    else if (method === 'Runtime.exceptionThrown') {
      const { text, exception } = params.exceptionDetails;
      this.problems.push(`${text} ${exception?.description ?? ''}`);
    } else if (method === 'Runtime.consoleAPICalled' && params.type === 'error') {
      this.problems.push(params.args.map(({ value, description }) => value ?? description).join(' '));
    } else if (method === 'Log.entryAdded' && params.entry.level === 'error') {
      this.problems.push(`${params.entry.text} ${params.entry.url ?? ''}`);
    }
  }

  // Returns the problems so far, and forgets them.
  takeProblems() {
    return this.problems.splice(0);
  }

  async load(method, params) {
    const loaded = new Promise((resolve) => (this.loaded = resolve));
    await this.call(method, params);
    await loaded;
  }

  open(url) {
    return this.load('Page.navigate', { url });
  }

  reload() {
    return this.load('Page.reload', {});
  }

  close() {
    return this.browser.call('Target.closeTarget', { targetId: this.target });
  }

  // Evaluates a function in the page, with arguments that are JSON.
  async eval(run, ...values) {
    const expression = `(${run})(...${JSON.stringify(values)})`;
    const params = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = await this.call('Runtime.evaluate', params);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  // Waits until a function in the page returns something true, which is looked at in every frame, and returns it.
  async until(run, ...values) {
    const wait = `async (...values) => {
      const look = ${run};
      const end = performance.now() + ${PATIENCE};
      for (;;) {
        const found = look(...values);
        if (found) return found;
        if (performance.now() > end) {
          throw new Error('this never came: ' + ${JSON.stringify(String(run))} + ' with ' + JSON.stringify(values) +
            '; the page shows: ' + document.body.innerText);
        }
        await new Promise((next) => setTimeout(next, 20));
      }
    }`;
    return this.eval(wait, ...values);
  }

  // Presses the middle of the first visible element that a selector finds.
  async press(selector) {
    const { x, y } = await this.until((wanted) => {
      const found = document.querySelector(wanted);
      const { left, top, width, height } = found?.getBoundingClientRect() ?? {};
      return width > 0 && !found.disabled && { x: left + width / 2, y: top + height / 2 };
    }, selector);
    const at = { x, y, button: 'left', clickCount: 1 };
    await this.call('Input.dispatchMouseEvent', { type: 'mousePressed', ...at });
    await this.call('Input.dispatchMouseEvent', { type: 'mouseReleased', ...at });
  }

  // Types where the focus is.
  type(text) {
    return this.call('Input.insertText', { text });
  }

  async key(key, code, windowsVirtualKeyCode, text) {
    const params = { key, code, windowsVirtualKeyCode };
    await this.call('Input.dispatchKeyEvent', { type: 'keyDown', ...params, text });
    await this.call('Input.dispatchKeyEvent', { type: 'keyUp', ...params });
  }

  enter() {
    return this.key('Enter', 'Enter', 13, '\r');
  }

  size(width, height) {
    const params = { width, height, deviceScaleFactor: 1, mobile: false };
    return this.call('Emulation.setDeviceMetricsOverride', params);
  }

  scheme(value) {
    return this.call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] });
  }

  // Takes a picture, if somebody wants to look at it.
  async picture(name) {
    const directory = process.env.SANDBOX_TEST_PICTURES;
    if (!directory) return;
    const { data } = await this.call('Page.captureScreenshot', { format: 'png' });
    fs.mkdirSync(directory, { recursive: true });
    fs.writeFileSync(path.join(directory, `${name}.png`), Buffer.from(data, 'base64'));
  }
}
