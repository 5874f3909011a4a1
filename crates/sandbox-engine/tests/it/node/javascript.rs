//! JavaScript programs.

use sandbox_engine::Engine;
use sandbox_engine::code::Language;

use super::{Case, by_engine, by_node, directory};

#[tokio::test]
async fn scripts_do_what_node_does_with_a_file() {
    compare(SCRIPTS, "compared.js").await;
}

#[tokio::test]
#[cfg_attr(
    not(feature = "typescript"),
    ignore = "needs the parser of the feature `typescript`"
)]
async fn modules_do_what_node_does_with_a_file() {
    compare(MODULES, "compared.mjs").await;
}

async fn compare(cases: &[Case], name: &str) {
    let directory = directory();
    let directory = directory.path();
    let engine = Engine::builder().work_dir(directory).build().unwrap();
    let before = names(directory);
    let mut wrong = Vec::new();
    for Case { why, code } in cases {
        let expect = by_node(directory, &[], name, code);
        let did = by_engine(&engine, directory, Language::JavaScript, code).await;
        if did != expect {
            wrong.push(format!("{why}: {code}\n  {did:#?}\nNode.js {expect:#?}"));
        }
        assert_eq!(names(directory), before, "left in the directory by {code}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    engine.shutdown().await;
}

fn names(directory: &std::path::Path) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_package_type_is_obeyed() {
    let directory = directory();
    let directory = directory.path();
    let engine = Engine::builder().work_dir(directory).build().unwrap();
    for kind in ["module", "commonjs"] {
        let manifest = format!("{{\"type\": \"{kind}\"}}");
        std::fs::write(directory.join("package.json"), manifest).unwrap();
        for code in [
            "console.log(typeof require, this)",
            "require('fs')",
            "const a = 1; console.log(a, typeof module)",
        ] {
            let expect = by_node(directory, &[], "compared.js", code);
            let did = by_engine(&engine, directory, Language::JavaScript, code).await;
            assert_eq!(did, expect, "{kind}: {code}");
        }
    }
    engine.shutdown().await;
}

/// A directory in which nothing can be written shows nothing of a program's path, but its modules are found.
#[tokio::test]
#[cfg_attr(
    not(feature = "typescript"),
    ignore = "needs the parser of the feature `typescript`"
)]
async fn a_directory_that_cannot_be_written_runs_programs() {
    let engine = Engine::builder().work_dir("/proc").build().unwrap();
    for (code, expect) in [
        (
            "console.log(__dirname, require.main === module)",
            "/proc true\n",
        ),
        (
            "import fs from 'fs'; console.log(import.meta.url, typeof fs.statSync)",
            "file:///proc/%5Bprogram%5D.mjs function\n",
        ),
    ] {
        let did = by_engine(&engine, "/proc".as_ref(), Language::JavaScript, code).await;
        assert_eq!(did.out, expect.replace("/proc", "DIRECTORY"), "{did:?}");
        assert_eq!((did.err.as_str(), did.code), ("", 0), "{code}");
    }
    let missing = "import x from 'no-such-package'";
    let did = by_engine(&engine, "/proc".as_ref(), Language::JavaScript, missing).await;
    assert!(
        did.err.contains("Cannot find package 'no-such-package'"),
        "{did:?}"
    );
    assert!(!did.err.contains("data:text"), "{did:?}");
    assert_eq!(did.code, 1);
    engine.shutdown().await;
}

const fn case(why: &'static str, code: &'static str) -> Case {
    Case { why, code }
}

const SCRIPTS: &[Case] = &[
    case("nothing", ""),
    case(
        "the main module is this one",
        "if (require.main === module) console.log('main', module.id, module.parent, module.loaded)",
    ),
    case("the module object", "console.log(module)"),
    case(
        "paths",
        "console.log(__filename, __dirname, require.main.filename, process.mainModule.filename, module.path)",
    ),
    case(
        "where packages are looked for",
        "console.log(module.paths, require.resolve.paths('x'))",
    ),
    case(
        "the cache has this module alone",
        "console.log(Object.keys(require.cache), require.cache[__filename] === module)",
    ),
    case(
        "no globals but Node.js's own",
        "console.log(Reflect.ownKeys(globalThis), typeof fs, typeof path)",
    ),
    case(
        "nothing of the start is left in the process",
        "console.log(process.execArgv, process._eval, process.argv.length, process.argv[1], process.argv0, process.title)",
    ),
    case(
        "what belongs to the loader is as it is",
        "const M = require('module'); console.log(Object.keys(M), Object.getOwnPropertyDescriptor(M, 'runMain').writable, Object.keys(M.prototype), Object.keys(M._pathCache).length, Object.keys(M._extensions))",
    ),
    case(
        "`fs` is as it is",
        "const fs = require('fs'); console.log(fs.readFileSync.name, fs.realpathSync.name, fs.realpathSync.native.name, Object.getOwnPropertyDescriptor(fs, 'readFileSync').writable)",
    ),
    case(
        "`this` is what is exported",
        "console.log(this === module.exports, arguments.length, typeof arguments[1], new.target)",
    ),
    case(
        "sloppy mode",
        "undeclared = 1; console.log(undeclared, (function () { return this === globalThis })())",
    ),
    case(
        "return at the top",
        "console.log(1); return; console.log(2)",
    ),
    case("an error at the top", "\n\nthrow new Error('boom')"),
    case(
        "an error in a function",
        "function f() { throw new TypeError('deep') }\nf()",
    ),
    case(
        "an error with a cause and properties",
        "throw Object.assign(new Error('a', { cause: new RangeError('b') }), { code: 'E_A' })",
    ),
    case("what is thrown need not be an error", "throw { a: 1 }"),
    case("null can be thrown", "throw null"),
    case("a syntax error", "let a = 1\nlet ="),
    case(
        "a syntax error with the words of a module",
        "import 'fs';\nlet =",
    ),
    case("a reference error", "\nnone.such()"),
    case(
        "a whole stack",
        "Error.stackTraceLimit = Infinity; console.log(new Error('s').stack)",
    ),
    case("a trace", "function f() { console.trace('here') } f()"),
    case(
        "structured stacks",
        "Error.prepareStackTrace = (_, sites) => sites.map((s) => [s.getFileName(), s.getFunctionName(), s.getLineNumber(), s.isToplevel()]); console.log(new Error().stack)",
    ),
    case(
        "a captured stack",
        "const o = {}; Error.captureStackTrace(o); console.log(o.stack)",
    ),
    case(
        "a stack of an asynchronous function",
        "async function f() { await 1; throw new Error('later') }\nasync function g() { await f() }\ng()",
    ),
    case(
        "a stack of a timer",
        "setTimeout(function late() { throw new Error('t') }, 1)",
    ),
    case(
        "a stack of a tick",
        "process.nextTick(() => { console.log(new Error('n').stack) })",
    ),
    case(
        "a stack of an immediate",
        "setImmediate(() => { console.log(new Error('i').stack) })",
    ),
    case(
        "a stack of a microtask",
        "queueMicrotask(() => { console.log(new Error('m').stack) })",
    ),
    case(
        "a rejection that is not handled",
        "\nPromise.reject(new Error('r'))",
    ),
    case("a rejection with no error", "Promise.reject(3)"),
    case(
        "uncaught errors are handled",
        "process.on('uncaughtException', (e, origin) => console.log(origin, e.stack)); throw new Error('u')",
    ),
    case(
        "unhandled rejections are handled",
        "process.on('unhandledRejection', (e) => console.log(e.stack)); Promise.reject(new Error('u'))",
    ),
    case(
        "a monitor sees what is uncaught",
        "process.on('uncaughtExceptionMonitor', (e) => console.log('seen', e.message)); throw new Error('u')",
    ),
    case(
        "listeners are the program's own",
        "console.log(process.eventNames(), process.listenerCount('exit'), process.listenerCount('uncaughtException'))",
    ),
    case(
        "an error in code of `vm`",
        "require('vm').runInThisContext('\\nthrow new Error(\"v\")', 'other.js')",
    ),
    case(
        "a stack in code of `vm`",
        "console.log(require('vm').runInNewContext('new Error(\"v\").stack'))",
    ),
    case("an error in `eval`", "eval('throw new Error(\"e\")')"),
    case("an error of a module beside", "require('./throws').deep()"),
    case("a module that is not there", "require('./none')"),
    case("a package that is not there", "require('no-such-package')"),
    case(
        "a package that is not there, imported",
        "import('no-such-package')",
    ),
    case(
        "a package that is not there, caught",
        "try { require('no-such-package') } catch (e) { console.log(e.code, e.requireStack, e.stack) }",
    ),
    case(
        "a broken package",
        "try { require('broken') } catch (e) { console.log(e.code, e.path, e.message) }",
    ),
    case(
        "modules beside",
        "console.log(require('./beside'), require('./folder').name, require('./data').z, module.children.length)",
    ),
    case(
        "a module knows who loaded it",
        "console.log(require('./beside').parent)",
    ),
    case(
        "packages",
        "console.log(require('umd').chunk(1), require('transpiled').default)",
    ),
    case(
        "resolution",
        "console.log(require.resolve('./beside'), require.resolve('umd'))",
    ),
    case(
        "it can load itself",
        "console.log(require(__filename) === module.exports, require(__filename))",
    ),
    case(
        "an import of a module",
        "import('./beside.mjs').then((m) => console.log(m.y, m))",
    ),
    case(
        "an import of itself",
        "exports.a = 1; import(__filename).then((m) => console.log(m.default, m.a))",
    ),
    case(
        "an import of CommonJS",
        "import('umd').then((m) => console.log(typeof m.default.chunk, m.chunk))",
    ),
    case(
        "the file can be read",
        "console.log(require('fs').readFileSync(__filename, 'utf8').length)",
    ),
    case(
        "a thread of the same file",
        "const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');\nif (isMainThread) new Worker(__filename, { workerData: 2 }).on('message', (m) => console.log(m)).on('exit', (c) => console.log('exit', c));\nelse parentPort.postMessage([workerData, require.main === module, process.execArgv, Object.keys(require.cache).length]);",
    ),
    case(
        "a thread of a text",
        "const { Worker } = require('worker_threads');\nnew Worker('console.log(process.execArgv, process.argv.length); throw new Error(\"w\")', { eval: true }).on('error', (e) => console.log(e.message))",
    ),
    case(
        "a process of the same file",
        "if (process.argv[2]) { process.send([process.argv.length, require.main === module, process.execArgv]); process.disconnect() }\nelse require('child_process').fork(__filename, ['child']).on('message', (m) => console.log(m)).on('exit', (c) => console.log(c))",
    ),
    case(
        "a process of the same file by name",
        "const { execFileSync } = require('child_process');\nif (process.env.INNER) console.log('inner', require.main === module);\nelse console.log(String(execFileSync(process.execPath, [__filename], { env: { ...process.env, INNER: '1' } })))",
    ),
    case(
        "a process of the first argument",
        "const { spawnSync } = require('child_process');\nif (process.env.INNER) console.log('inner');\nelse console.log(String(spawnSync(process.argv[0], [process.argv[1]], { env: { ...process.env, INNER: '1' } }).stdout))",
    ),
    case(
        "a process of the same file by a shell",
        "const { execSync } = require('child_process');\nif (process.env.INNER) console.log('inner');\nelse console.log(String(execSync(`node '${__filename}'`, { env: { ...process.env, INNER: '1' } })))",
    ),
    case(
        "a cluster",
        "const cluster = require('cluster');\nif (cluster.isPrimary) { cluster.fork({ K: 'v' }).on('message', (m) => console.log(m)).on('exit', (c) => console.log('exit', c)) }\nelse { process.send(['worker', process.env.K, process.argv.length]); process.disconnect() }",
    ),
    case(
        "another file's process",
        "require('child_process').fork('./child.js', ['a'])",
    ),
    case("an exit code", "process.exitCode = 7"),
    case(
        "an exit",
        "process.on('exit', (c) => console.log('exit', c)); process.exit(4)",
    ),
    case(
        "the end of the loop",
        "let n = 0; process.on('beforeExit', () => { if (n++ === 0) setTimeout(() => console.log('more'), 1) }); process.on('exit', (c) => console.log(c, n))",
    ),
    case(
        "a promise that is never settled ends nothing",
        "(async () => { console.log(1); await new Promise(() => {}); console.log(2) })()",
    ),
    case(
        "order of ticks and microtasks",
        "setImmediate(() => console.log('immediate')); setTimeout(() => console.log('timeout'), 0); process.nextTick(() => console.log('tick')); Promise.resolve().then(() => console.log('micro')); console.log('main')",
    ),
    case(
        "input is at its end",
        "process.stdin.on('data', () => console.log('data')).on('end', () => console.log('end')).resume()",
    ),
    case("a warning", "process.emitWarning('careful')"),
    case("a deprecation", "new Buffer(1)"),
    case("an unknown `using`", "{ using x = null; }"),
    case("an assertion", "require('assert').strictEqual(1, 2)"),
    case("an assertion of a value", "require('assert')(0 === 1)"),
    case(
        "the tests of Node.js",
        "const { test } = require('node:test'); test('a', () => {}); process.on('exit', () => console.log('done'))\nprocess.stdout.write = (t, ...r) => { const d = r.at(-1); if (typeof d === 'function') d(); return true }",
    ),
    case(
        "a source map is not looked at",
        "console.log(process.sourceMapsEnabled); throw new Error('x')\n//# sourceMappingURL=none.js.map",
    ),
    case(
        "a line that runs from a shell",
        "#!/usr/bin/env node\nconsole.log('bang')",
    ),
    case("a byte order mark", "\u{feff}console.log('bom')"),
    case(
        "line ends of another system",
        "console.log(1)\r\nthrow new Error('crlf')\r\n",
    ),
    case(
        "letters beyond ASCII",
        "console.log('\u{e9}\u{1f600}'); throw new Error('\u{e9}')",
    ),
];

const MODULES: &[Case] = &[
    case(
        "an assertion",
        "import assert from 'assert';\nassert(0 === 1)",
    ),
    case("an export alone", "export {}"),
    case(
        "there is no CommonJS",
        "export {}; console.log(typeof require, typeof module, typeof exports, typeof __filename, this)",
    ),
    case(
        "paths",
        "console.log(import.meta.url, import.meta.filename, import.meta.dirname)",
    ),
    case(
        "the path in the arguments is this one's",
        "import { fileURLToPath } from 'url'; import { realpathSync } from 'fs'; console.log(realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))",
    ),
    case(
        "the main module by its address",
        "import { pathToFileURL } from 'url'; if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log('main')",
    ),
    case(
        "no file of ours is seen",
        "import fs from 'fs'; console.log(fs.readdirSync('.').filter((n) => n.startsWith('.program')), process.execArgv)",
    ),
    case(
        "modules beside",
        "import d, { y } from './beside.mjs'; import c from './beside.js'; import { x } from './beside.js'; console.log(d, y, c, x)",
    ),
    case(
        "packages",
        "import umd from 'umd'; import esm, { named } from 'esm'; import * as t from 'transpiled'; console.log(umd.chunk(1), esm, named, t)",
    ),
    case(
        "names that no scan finds",
        "import { chunk } from 'umd'; chunk()",
    ),
    case(
        "JSON",
        "import data from './data.json' with { type: 'json' }; console.log(data)",
    ),
    case(
        "JSON without its type",
        "import data from './data.json'; console.log(data)",
    ),
    case("extensions are needed", "import './beside'"),
    case(
        "a package that is not there",
        "import x from 'no-such-package'; x()",
    ),
    case(
        "a package that is not there, later",
        "await import('no-such-package')",
    ),
    case("a module that is not there", "import './none.mjs'"),
    case(
        "a name that is not there",
        "import { none } from './beside.mjs'",
    ),
    case("an error at the top", "import 'fs';\nthrow new Error('m')"),
    case(
        "an error after a wait",
        "await 1;\nfunction f() { throw new Error('later') }\nf()",
    ),
    case("a rejection", "await Promise.reject(new TypeError('r'))"),
    case(
        "an error of a module beside",
        "import { deep } from './throws.js'; deep()",
    ),
    case("a syntax error", "export {};\nlet ="),
    case(
        "a wait that never ends",
        "console.log('begun'); await new Promise(() => {}); console.log('done')",
    ),
    case(
        "a wait that never ends, with an exit code",
        "process.exitCode = 5; await new Promise(() => {})",
    ),
    case(
        "a wait that never ends in a loop",
        "for await (const x of { [Symbol.asyncIterator]() { return { next: () => new Promise(() => {}) } } }) ;",
    ),
    case(
        "a question that nobody answers",
        "import readline from 'node:readline/promises';\nconst ask = readline.createInterface({ input: process.stdin, output: process.stdout });\nconsole.log('got', await ask.question('name? '))",
    ),
    case(
        "the exit of a module that never ends",
        "process.on('exit', (c) => console.log('exit', c)); await new Promise(() => {})",
    ),
    case("an exit", "await 1; process.exit(3)"),
    case(
        "order",
        "console.log(1); await null; console.log(2); process.nextTick(() => console.log('tick')); queueMicrotask(() => console.log('micro'))",
    ),
    case(
        "a thread of the same file",
        "import { Worker, isMainThread, parentPort } from 'worker_threads';\nif (isMainThread) new Worker(new URL(import.meta.url)).on('message', (m) => console.log(m)); else parentPort.postMessage(['thread', process.execArgv]);",
    ),
    case(
        "a process of the same file",
        "import { fork } from 'child_process'; import { fileURLToPath } from 'url';\nif (process.argv[2]) { process.send(process.argv.length); process.disconnect() } else fork(fileURLToPath(import.meta.url), ['c']).on('message', (m) => console.log(m))",
    ),
    case(
        "`require` is made",
        "import { createRequire } from 'module'; const require = createRequire(import.meta.url); console.log(require('./beside').x, require('umd').chunk(1))",
    ),
    case(
        "what is beside by its address",
        "import fs from 'fs'; console.log(fs.readFileSync(new URL('./data.json', import.meta.url), 'utf8'))",
    ),
    case(
        "resolution",
        "console.log(import.meta.resolve('./beside.mjs'), import.meta.resolve('esm'))",
    ),
    case(
        "stacks",
        "export {}; Error.stackTraceLimit = Infinity; function f() { return new Error('s').stack } console.log(f())",
    ),
    case("a trace", "export {}; console.trace('t')"),
    case(
        "listeners are the program's own",
        "export {}; console.log(process.eventNames().includes('uncaughtException'), process.listenerCount('SIGINT'))",
    ),
    case(
        "an import of itself",
        "export const a = 1; console.log(await import(import.meta.url))",
    ),
    case(
        "globals",
        "export {}; console.log(Reflect.ownKeys(globalThis))",
    ),
];
