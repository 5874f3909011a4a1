// @langchain/daytona, the backend of deepagents for TypeScript, on SDK 0.143.

import assert from 'node:assert/strict';

import { main } from '../harness.mjs';

await main('@langchain/daytona', async (program, modules) => {
  const { DaytonaSandbox } = await modules.load('@langchain/daytona');
  const text = (bytes) => new TextDecoder().decode(bytes);
  const bytes = (string) => new TextEncoder().encode(string);
  const labels = { purpose: 'test' };
  let backend;
  await program.call('create', async () => {
    const initialFiles = { '/home/daytona/first.txt': 'first' };
    backend = await DaytonaSandbox.create({ envVars: { NAME: 'a b' }, labels, initialFiles, autoStopInterval: 7, timeout: 30 });
    assert.equal(backend.instance.state, 'started');
  });
  await program.call('execute', async () => {
    const ran = await backend.execute('echo "$NAME"; cat first.txt; echo err >&2; exit 3');
    assert.equal(ran.exitCode, 3);
    assert.match(ran.output, /^a b\nfirst/);
    assert.match(ran.output, /err/);
  });
  await program.call('execute: timeout', async () => {
    const hasty = await DaytonaSandbox.fromId(backend.id, { timeout: 1 });
    await assert.rejects(hasty.execute('sleep 60'));
  });
  await program.call('uploadFiles', async () => {
    const files = [['/home/daytona/deep/er.txt', bytes('one\ntwo\n')], ['/home/daytona/bin', Uint8Array.from({ length: 256 }, (_, i) => i)]];
    assert.deepEqual((await backend.uploadFiles(files)).map(({ error }) => error), [null, null]);
    const [refused] = await backend.uploadFiles([['/proc/none/file', bytes('')]]);
    assert.notEqual(refused.error, null);
  });
  await program.call('downloadFiles', async () => {
    const [one, none, binary] = await backend.downloadFiles(['/home/daytona/deep/er.txt', '/home/daytona/none', '/home/daytona/bin']);
    assert.equal(text(one.content), 'one\ntwo\n');
    assert.equal(none.error, 'file_not_found');
    assert.deepEqual([...binary.content], Array.from({ length: 256 }, (_, i) => i));
  });
  await program.call('ls', async () => {
    const listed = await backend.ls('/home/daytona/deep');
    assert.deepEqual(listed.files.map(({ path }) => path), ['/home/daytona/deep/er.txt']);
  });
  await program.call('write', async () => {
    assert.equal((await backend.write('/home/daytona/new.py', 'print(1)\n')).error, undefined);
  });
  await program.call('read', async () => {
    const read = await backend.read('/home/daytona/deep/er.txt', 1);
    assert.match(read.content, /two/);
  });
  await program.call('edit', async () => {
    const edited = await backend.edit('/home/daytona/deep/er.txt', 'two', '2');
    assert.equal(edited.error, undefined);
    assert.equal(text((await backend.downloadFiles(['/home/daytona/deep/er.txt']))[0].content), 'one\n2\n');
  });
  await program.call('grep', async () => {
    const found = await backend.grep('print', '/home/daytona');
    assert.deepEqual(found.matches.map(({ path }) => path), ['/home/daytona/new.py']);
  });
  await program.call('glob', async () => {
    const found = await backend.glob('**/*.py', '/home/daytona');
    assert.deepEqual(found.files.map(({ path }) => path.replace('/home/daytona/', '')), ['new.py']);
  });
  await program.call('getWorkDir', async () => assert.equal(await backend.getWorkDir(), '/home/daytona'));
  await program.call('getUserHomeDir', async () => assert.equal(await backend.getUserHomeDir(), '/home/daytona'));
  await program.call('stop, start', async () => {
    await backend.stop();
    await assert.rejects(backend.execute('true'));
    await backend.start();
    assert.equal((await backend.execute('cat first.txt')).output.trim(), 'first');
  });
  await program.call('connect', async () => {
    const again = await DaytonaSandbox.fromId(backend.id);
    assert.equal((await again.execute('cat first.txt')).output.trim(), 'first');
    await assert.rejects(DaytonaSandbox.fromId('no-such-sandbox'));
  });
  await program.call('deleteAll', async () => {
    assert.equal(await DaytonaSandbox.deleteAll({ purpose: 'other' }), 0);
    const other = await DaytonaSandbox.create({ labels });
    assert.equal(await DaytonaSandbox.deleteAll(labels), 2);
    await assert.rejects(other.execute('true'));
  });
  await program.call('close', async () => {
    const last = await DaytonaSandbox.create();
    await last.close();
    assert.equal(last.isRunning, false);
  });
});
