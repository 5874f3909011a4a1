// Daytona's TypeScript SDK, unmodified, moves files to and from our daemon.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fsLocal from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { fails, unique } from './harness.mjs';
import { Absent, suite } from './runner.mjs';

// A directory for the case, here and there, which are removed behind it.
async function place({ fs, defer }) {
  const name = unique('files');
  await fs.createFolder(name, '755');
  defer(() => fs.deleteFile(name, true));
  const here = fsLocal.mkdtempSync(path.join(os.tmpdir(), 'sandbox-sdk-files-'));
  defer(() => fsLocal.rmSync(here, { recursive: true, force: true }));
  return { at: (file) => `${name}/${file}`, name, here };
}

async function collect(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

// As where there are no files and no streams.
function needsFiles({ manner }) {
  if (manner === 'serverless') throw new Absent('the SDK has no files there');
}

suite('files', (test) => {
  test('bytes arrive as they were sent', ['fs.uploadFile', 'fs.downloadFile'], async (given) => {
    const { fs } = given;
    const { at } = await place(given);
    const bytes = Buffer.from(Array.from({ length: 256 * 2000 }, (_, n) => n % 256));
    for (const content of ['', 'text\n', '\r\n--boundary--\r\n', bytes]) {
      await fs.uploadFile(Buffer.from(content), at('file'));
      // An empty one is nothing to this SDK where there are no streams.
      if (content === '' && given.manner === 'serverless') continue;
      assert.deepEqual(Buffer.from(await fs.downloadFile(at('file'))), Buffer.from(content));
    }
  });

  test('files are streamed from and to this machine', ['fs.uploadFile', 'fs.downloadFile'], async (given) => {
    needsFiles(given);
    const { fs } = given;
    const { at, here } = await place(given);
    const content = randomBytes(3_000_000);
    fsLocal.writeFileSync(path.join(here, 'from'), content);
    await fs.uploadFile(path.join(here, 'from'), at('new/dir/file'));
    await fs.downloadFile(at('new/dir/file'), path.join(here, 'to'));
    assert.deepEqual(fsLocal.readFileSync(path.join(here, 'to')), content);
  });

  test('names are any text', ['fs.uploadFile', 'fs.downloadFile'], async (given) => {
    const { fs } = given;
    const { at } = await place(given);
    for (const name of ['with space', "quote'd;x", 'percent%41+', 'caf\u00e9 \u6f22\u{1f600}']) {
      await fs.uploadFile(Buffer.from(name), at(name));
      assert.equal(Buffer.from(await fs.downloadFile(at(name))).toString(), name);
    }
  });

  test('several files travel together', ['fs.uploadFiles', 'fs.downloadFiles'], async (given) => {
    if (given.manner === 'serverless') given.absentIfOld('of several files the last one is kept where there are no streams');
    const { fs } = given;
    const { at, name } = await place(given);
    await fs.uploadFiles([
      { source: Buffer.from('first'), destination: at('a') },
      { source: Buffer.from('second'), destination: at('b/b') },
    ]);
    const wanted = [at('a'), at('none'), at('b/b'), name].map((source) => ({ source }));
    const [a, none, b, directory] = await fs.downloadFiles(wanted);
    assert.equal(Buffer.from(a.result).toString(), 'first');
    assert.equal(Buffer.from(b.result).toString(), 'second');
    assert.match(none.error, /file not found/);
    // Old SDKs hand out the text alone.
    if (!given.isOld) assert.deepEqual([none.errorDetails.statusCode, none.errorDetails.errorCode], [404, 'FILE_NOT_FOUND']);
    assert.match(directory.error, /is a directory/);
  });

  test('a missing file is its own error', ['fs.downloadFile', 'fs.getFileDetails', 'fs.listFiles'], async (given) => {
    const { fs, sdk } = given;
    const { at } = await place(given);
    const missing = sdk.DaytonaFileNotFoundError ?? sdk.DaytonaNotFoundError;
    await fails(missing, () => fs.downloadFile(at('none')));
    await fails(missing, () => fs.getFileDetails(at('none')));
    await fails(missing, () => fs.listFiles(at('none')));
  });

  test('downloads and uploads are streams', ['fs.downloadFileStream', 'fs.uploadFileStream'], async (given) => {
    needsFiles(given);
    const { fs } = given;
    if (!fs.downloadFileStream) throw new Absent('the methods came later');
    const { at, here } = await place(given);
    const content = randomBytes(2_000_000);
    fsLocal.writeFileSync(path.join(here, 'from'), content);
    let sent = 0;
    const source = fsLocal.createReadStream(path.join(here, 'from'));
    await fs.uploadFileStream(source, at('large'), { onProgress: ({ bytesSent }) => (sent = bytesSent) });
    assert.equal(sent, content.length);
    let seen;
    const stream = await fs.downloadFileStream(at('large'), { onProgress: (progress) => (seen = progress) });
    assert.deepEqual(await collect(stream), content);
    assert.deepEqual(seen, { bytesReceived: content.length, totalBytes: content.length });
    await assert.rejects(fs.downloadFileStream(at('none')), /file not found/);
  });

  test('folders and what is known of files', ['fs.createFolder', 'fs.getFileDetails', 'fs.listFiles'], async (given) => {
    const { fs } = given;
    const { at, name } = await place(given);
    await fs.createFolder(at('a/b'), '700');
    const folder = await fs.getFileDetails(at('a/b'));
    assert.deepEqual([folder.name, folder.isDir, folder.permissions, folder.mode], ['b', true, '0700', 'drwx------']);
    await fs.uploadFile(Buffer.from('12345'), at('file'));
    const file = await fs.getFileDetails(at('file'));
    assert.deepEqual([file.name, file.isDir, file.size], ['file', false, 5]);
    const listed = await fs.listFiles(name);
    assert.deepEqual(listed.map(({ name, isDir }) => [name, isDir]), [['a', true], ['file', false]]);
  });

  test('files are moved, changed and deleted', ['fs.moveFiles', 'fs.setFilePermissions', 'fs.deleteFile'], async (given) => {
    const { fs, sdk, process } = given;
    const { at, name } = await place(given);
    await fs.uploadFile(Buffer.from('#!/bin/sh\necho ran\n'), at('a/run.sh'));
    await fs.moveFiles(at('a/run.sh'), at('run.sh'));
    await fs.setFilePermissions(at('run.sh'), { mode: '755' });
    assert.equal((await process.executeCommand(`./${at('run.sh')}`)).result.trim(), 'ran');
    await fails(sdk.DaytonaError, () => fs.moveFiles(at('none'), at('b')));
    await fails(sdk.DaytonaError, () => fs.deleteFile(at('a')));
    await fs.deleteFile(at('a'), true);
    await fs.deleteFile(at('run.sh'));
    assert.deepEqual(await fs.listFiles(name), []);
  });

  test('text and names are found and replaced', ['fs.findFiles', 'fs.searchFiles', 'fs.replaceInFiles'], async (given) => {
    const { fs } = given;
    const { at, name } = await place(given);
    await fs.uploadFile(Buffer.from('one\ntwo needle\n'), at('src/a.py'));
    await fs.uploadFile(Buffer.from('needle\0'), at('src/binary'));
    const found = await fs.findFiles(name, 'needle');
    assert.deepEqual(found, [{ file: at('src/a.py'), line: 2, content: 'two needle' }]);
    assert.deepEqual((await fs.searchFiles(name, '*.py')).files, [at('src/a.py')]);
    const [good, bad] = await fs.replaceInFiles([at('src/a.py'), at('none')], 'two', '2');
    assert.deepEqual([good.file, good.success], [at('src/a.py'), true]);
    assert.deepEqual([bad.success, bad.error], [false, 'file not found']);
    assert.equal(Buffer.from(await fs.downloadFile(at('src/a.py'))).toString(), 'one\n2 needle\n');
  });
});
