// The page of the control plane in a browser. Each case goes on where the one before it has ended.

import assert from 'node:assert/strict';

import { Chromium } from './chromium.mjs';
import { KEY, Plane } from './plane.mjs';

// Longest time that a case may take, in milliseconds.
const LIMIT = 120_000;

const late = () =>
  new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`did not end within ${LIMIT / 1000} s`)), LIMIT).unref();
  });

const cases = [];
const test = (name, run) => cases.push({ name, run });

const hostile = { '<img src=x onerror=alert(1)>': '<b id=bold>"\'&amp;</b>' };

// Functions that run in the page.
const row = (id) => document.querySelector(`#list li[data-id="${id}"]`)?.innerText;
const isIn = (id, state) => document.querySelector(`#list li[data-id="${id}"]`)?.dataset.state === state;
const screen = (text) => document.querySelector('.xterm-rows')?.textContent.includes(text);
const shows = (selector, text) => document.querySelector(selector)?.innerText.includes(text);

test('the page asks for the key, and refuses another one', async ({ page, plane }) => {
  await page.open(`${plane.url}/`);
  await page.until(() => document.activeElement?.id === 'key');
  await page.picture('login');
  await page.type('not-the-key');
  await page.enter();
  await page.until(shows, '#problem', 'This is not the key');
  // The browser reports the 401.
  const problems = page.takeProblems();
  assert.ok(problems.every((problem) => problem.includes('401')), problems.join('\n'));
});

test('with the key it shows the sandboxes, whose texts are no HTML', async ({ page, sandbox }) => {
  await page.type(KEY);
  await page.enter();
  const shown = await page.until(row, sandbox.id);
  for (const part of ['web', 'started', ...Object.entries(hostile).flat(), 'Stop', 'Delete']) {
    assert.ok(shown.includes(part), `${part}: ${shown}`);
  }
  assert.match(shown, /\b\d+ s\b/);
  assert.equal(await page.eval(() => document.querySelectorAll('#list img, #list b').length), 0);
  await page.until(shows, '#connection', 'live');
});

test('what others create appears by itself', async ({ page, plane }) => {
  const other = await plane.create({ name: 'other' });
  await page.until(row, other.id);
  await plane.call('DELETE', `/api/sandbox/${other.id}`);
  await page.until((id) => !document.querySelector(`#list li[data-id="${id}"]`), other.id);
});

test('a terminal runs in the sandbox, and has its size', async ({ page, sandbox }) => {
  await page.press(`li[data-id="${sandbox.id}"] .name`);
  await page.until(() => document.activeElement?.classList.contains('xterm-helper-textarea'));
  await page.until((note) => document.querySelector(note).hidden, '#screen-note');
  await page.type('echo "$GREETING-$((40 + 2))"; stty size; printf "\\033[32mgr\\303\\274n\\033[m\\n"');
  await page.enter();
  await page.until(screen, 'hello-42');
  await page.until(screen, 'grün');
  // The sheets of xterm.js apply although the policy forbids the elements that it makes.
  const color = await page.eval(() => {
    const spans = [...document.querySelectorAll('.xterm-rows span')];
    return getComputedStyle(spans.find((span) => span.textContent.startsWith('grün'))).color;
  });
  assert.match(color, /^rgb/);
  assert.notEqual(color, await page.eval(() => getComputedStyle(document.body).color));
  const size = () => page.eval(() => document.querySelector('.xterm-rows').textContent.match(/(\d+) (\d+)\s*grün/)?.slice(1));
  const [rows, columns] = (await size()).map(Number);
  assert.ok(rows > 20 && columns > 80, `${rows} x ${columns}`);
  await page.picture('terminal');
  await page.size(1000, 600);
  await page.until((before) => document.querySelector('.xterm-rows').children.length < before, rows);
  await page.type('until [ "$(stty size)" != "' + `${rows} ${columns}` + '" ]; do :; done; echo re"sized"');
  await page.enter();
  await page.until(screen, 'resized');
  await page.size(1280, 800);
});

test('a terminal is found again after a reload', async ({ page, sandbox }) => {
  await page.type('clear; NAME=kept; echo still-"here"');
  await page.enter();
  await page.until(screen, 'still-here');
  await page.reload();
  await page.until(row, sandbox.id);
  await page.press(`li[data-id="${sandbox.id}"] .name`);
  await page.until(screen, 'still-here');
  await page.until((note) => document.querySelector(note).hidden, '#screen-note');
  await page.until(() => document.activeElement?.classList.contains('xterm-helper-textarea'));
  await page.type('echo "<$NAME>"');
  await page.enter();
  await page.until(screen, '<kept>');
});

test('a program that prints without end leaves the page usable', async ({ page }) => {
  await page.type('head -c 30000000 /dev/zero | tr "\\0" "x" | fold -w 60; echo; echo en"ded"');
  await page.enter();
  await page.until(screen, 'ended');
  await page.type('exit 3');
  await page.enter();
  await page.until(shows, '#screen-note', 'exited with 3');
  await page.enter();
  await page.until((note) => document.querySelector(note).hidden, '#screen-note');
  await page.type('echo ag"ain"');
  await page.enter();
  await page.until(screen, 'again');
});

test('a program is run, and its charts are shown', async ({ page }) => {
  await page.press('#tab-python');
  await page.press('#run');
  await page.until(shows, '#run-note', 'exit code 0, 1 chart');
  const width = () => document.querySelector('#charts img')?.naturalWidth;
  assert.ok((await page.until(width)) > 100);
  assert.ok(await page.eval(shows, '#charts figcaption', 'Runs per day'));
  await page.picture('charts');
  await page.eval(() => (document.querySelector('#program').value = 'print("<b>bold</b>")\nraise SystemExit(4)'));
  await page.press('#run');
  await page.until(shows, '#run-note', 'exit code 4, no chart');
  assert.ok(await page.eval(shows, '#output', '<b>bold</b>'));
  assert.equal(await page.eval(() => document.querySelectorAll('#charts figure').length), 1);
});

test('a program that takes long need not be waited for', async ({ page }) => {
  await page.eval(() => (document.querySelector('#program').value = 'import time\ntime.sleep(600)'));
  await page.press('#run');
  await page.until(shows, '#run-note', 'Running');
  await page.press('#cancel');
  await page.until(shows, '#run-note', 'not waited for; it ends within 120 s');
  await page.eval(() => (document.querySelector('#program').value = 'print("an" + "other")'));
  await page.press('#run');
  await page.until(shows, '#output', 'another');
});

test('it looks well on a narrow screen and in the dark', async ({ page }) => {
  const overflows = () => document.documentElement.scrollWidth > document.documentElement.clientWidth;
  for (const [width, height] of [[1280, 800], [400, 800]]) {
    await page.size(width, height);
    for (const scheme of ['light', 'dark']) {
      await page.scheme(scheme);
      for (const tab of ['python', 'terminal']) {
        await page.press(`#tab-${tab}`);
        if (tab === 'terminal') await page.until(screen, 'again');
        assert.equal(await page.eval(overflows), false, `${tab} at ${width}`);
        await page.picture(`${tab}-${width}-${scheme}`);
      }
      if (width === 400) {
        await page.press('#back');
        assert.equal(await page.eval(overflows), false, `list at ${width}`);
        await page.picture(`list-${width}-${scheme}`);
        await page.press('#list .name');
        await page.until((note) => document.querySelector(note).hidden, '#screen-note');
      }
    }
  }
  await page.scheme('light');
  await page.size(1280, 800);
});

test('a sandbox is stopped, started and deleted', async ({ page, sandbox }) => {
  const button = (number) => `li[data-id="${sandbox.id}"] .actions button:nth-child(${number})`;
  await page.press(button(2));
  await page.until(isIn, sandbox.id, 'stopped');
  await page.until(shows, '#screen-note', 'is stopped. Start it');
  await page.press(button(1));
  await page.until(isIn, sandbox.id, 'started');
  await page.until((note) => document.querySelector(note).hidden, '#screen-note');
  await page.press(button(3));
  await page.until((selector) => document.querySelector(selector).innerText === 'Really?', button(3));
  assert.ok(await page.eval(isIn, sandbox.id, 'started'));
  await page.press(button(3));
  await page.until((id) => !document.querySelector(`#list li[data-id="${id}"]`), sandbox.id);
  await page.until(() => document.querySelector('#chosen').hidden);
});

test('a sandbox is created by a button', async ({ page, plane }) => {
  await page.press('#create');
  await page.until((note) => document.querySelector('.xterm-rows') && document.querySelector(note).hidden, '#screen-note');
  const { items } = await plane.call('GET', '/api/sandbox');
  await plane.call('DELETE', `/api/sandbox/${items[0].id}`);
  await page.until(() => document.querySelector('#empty').innerText.includes('There is no sandbox'));
});

test('the key is in no URL, cookie or other tab, and is forgotten', async ({ browser, page, plane }) => {
  assert.ok(page.urls.some((url) => url.startsWith('ws:') && url.includes('/process/pty/')));
  for (const url of page.urls) {
    assert.ok(url.startsWith(plane.url) || url.startsWith(plane.url.replace('http', 'ws')) || url.startsWith('data:image/png'), url);
    assert.ok(!url.includes(KEY) && !/ticket\./i.test(url), url);
  }
  const kept = () => page.eval(() => [document.cookie, localStorage.length, sessionStorage.length]);
  assert.deepEqual(await kept(), ['', 0, 1]);
  const other = await browser.page();
  await other.open(`${plane.url}/`);
  await other.until(() => document.activeElement?.id === 'key');
  await other.close();
  await page.press('#forget');
  await page.until(() => !document.querySelector('#login').hidden);
  assert.deepEqual(await kept(), ['', 0, 0]);
});

test('the policy holds: no script of a text runs, and no other page frames this one', async ({ page, plane }) => {
  const refused = await page.eval(() => {
    try {
      document.body.innerHTML = '<img src=x onerror="document.title = 1">';
      return 'allowed';
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(refused, 'TypeError');
  const framed = await page.eval(async (url) => {
    const frame = document.createElement('iframe');
    document.body.append(frame);
    frame.src = `${url}/healthz`;
    await new Promise((done) => (frame.onload = frame.onerror = done));
    try {
      return frame.contentDocument?.body?.innerText ?? 'blocked';
    } catch {
      return 'blocked';
    }
  }, plane.url);
  assert.equal(framed, 'blocked');
  const violations = page.takeProblems();
  assert.ok(violations.some((text) => text.includes('violation frame-src')), violations.join('\n'));
});

const plane = await Plane.start();
const browser = await Chromium.launch();
let failed = 0;
try {
  const page = await browser.page();
  await page.size(1280, 800);
  const sandbox = await plane.create({ name: 'web', labels: hostile, env: { GREETING: 'hello', PS1: '$ ' } });
  for (const { name, run } of cases) {
    const began = performance.now();
    let error;
    try {
      await Promise.race([run({ browser, page, plane, sandbox }), late()]);
      // The size of a terminal that is being ended: the page ignores the error, and the browser reports it at any time after.
      const problems = page.takeProblems().filter((problem) => !problem.includes('/process/pty/page/resize'));
      assert.deepEqual(problems, [], 'problems that the browser reported');
    } catch (caught) {
      error = caught;
    }
    const seconds = ((performance.now() - began) / 1000).toFixed(2);
    console.log(`${error ? 'FAILED' : 'passed'} ${seconds} s  ${name}`);
    if (error) {
      console.log(error.stack);
      failed += 1;
      // The next case would begin elsewhere.
      break;
    }
  }
} finally {
  await browser.close();
  await plane.close();
}
process.exitCode = failed ? 1 : 0;
