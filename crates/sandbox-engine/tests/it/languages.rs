//! Programs in every language but Python, which has tests of its own.

use std::time::Duration;

use sandbox_engine::code::{CodeError, Language, Program, RuntimeError};
use sandbox_engine::{Engine, Outcome, OutputMode, RunOptions, Termination};

use crate::guard::{engine, text};

async fn run_in(engine: &Engine, language: &str, code: &str, argv: &[&str]) -> Outcome {
    let program = Program {
        language: Language::from_name(language).unwrap(),
        code: code.to_owned(),
        argv: argv.iter().map(|&argument| argument.to_owned()).collect(),
    };
    let options = RunOptions {
        output: OutputMode::Merged,
        env: vec![("K".into(), "a v".into())],
        ..RunOptions::default()
    };
    let run = engine.run_code(program, options);
    let outcome = tokio::time::timeout(Duration::from_secs(60), run).await;
    outcome
        .unwrap_or_else(|_| panic!("{language}: hangs: {code}"))
        .unwrap()
}

#[track_caller]
fn check(outcome: &Outcome, code: i32, output: &str) {
    assert_eq!(text(outcome), output);
    assert_eq!(outcome.termination, Termination::Exited { code });
}

#[tokio::test]
async fn javascript_runs_as_a_file_here_would() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("beside.js"), "exports.x = 42").unwrap();
    std::fs::write(directory.path().join("beside.mjs"), "export const y = 43").unwrap();
    let engine = Engine::builder()
        .shell("/bin/bash")
        .work_dir(directory.path())
        .build()
        .unwrap();
    let js = async |code: &str, argv: &[&str]| run_in(&engine, "javascript", code, argv).await;

    let did = js(
        "console.log(process.argv.length, JSON.stringify(process.argv.slice(1)))",
        &["a b", "-e", "$x"],
    )
    .await;
    check(&did, 0, "4 [\"a b\",\"-e\",\"$x\"]\n");
    check(
        &js(
            "console.log(process.env.K, typeof require, typeof module, typeof __filename)",
            &[],
        )
        .await,
        0,
        "a v function object string\n",
    );
    check(
        &js(
            "console.log(require('./beside').x, require.main === module)",
            &[],
        )
        .await,
        0,
        "42 true\n",
    );
    check(&js("import { y } from './beside.mjs'; import fs from 'fs';\nawait 1; console.log(y, typeof fs.readFileSync)", &[]).await, 0, "43 function\n");
    check(
        &js(
            "console.log(JSON.stringify(require('fs').readFileSync(0, 'utf8')))",
            &[],
        )
        .await,
        0,
        "\"\"\n",
    );
    check(
        &js("console.error('e'); console.log('o'); process.exit(4)", &[]).await,
        4,
        "e\no\n",
    );
    let own = "const fs = require('fs'); for (const fd of fs.readdirSync('/proc/self/fd')) \
        try { const at = fs.readlinkSync('/proc/self/fd/' + fd); if (at.includes('memfd')) console.log(at) } catch {}";
    check(&js(own, &[]).await, 0, "");
    // What it starts is started as by any program.
    let forks = "if (process.argv[2] === 'child') console.log('in child'); else require('child_process').fork('./child.js', ['child'])";
    std::fs::write(
        directory.path().join("child.js"),
        "console.log('in child', process.execArgv.length)",
    )
    .unwrap();
    check(&js(forks, &[]).await, 0, "in child 0\n");

    for (code, line) in [
        ("\n\nthrow new Error('boom')", "[program].js:3"),
        ("let a = 1\nlet =", "[program].js:2"),
        ("\nPromise.reject(new Error('r'))", "[program].js:2"),
        ("import 'fs';\nthrow new Error('m')", MODULE_LINE),
    ] {
        let did = js(code, &[]).await;
        assert_eq!(
            did.termination,
            Termination::Exited { code: 1 },
            "{code}: {}",
            text(&did)
        );
        assert!(text(&did).contains(line), "{code}: {}", text(&did));
    }
    let big = format!("console.log({:?}.length)", "x".repeat(3 << 20));
    check(&js(&big, &[]).await, 0, "3145728\n");
}

#[cfg(feature = "typescript")]
#[tokio::test]
async fn typescript_is_javascript_with_types() {
    let engine = engine();
    let ts = async |code: &str| run_in(&engine, "typescript", code, &["a", "b c"]).await;
    check(
        &ts("enum E { A = 2 }\nconst x: number = E.A; console.log(x, process.argv.slice(1))").await,
        0,
        "2 [ 'a', 'b c' ]\n",
    );
    check(
        &ts("import * as path from 'path'; console.log(path.basename('/a/b'))").await,
        0,
        "b\n",
    );
    check(
        &ts("import path = require('path'); console.log(path.basename('/a/b'))").await,
        0,
        "b\n",
    );
    check(
        &ts("const x: number = 'a' as any as string; console.log(x, process.env.K)").await,
        0,
        "a a v\n",
    );
    let decorated = "function dec(target: any, key: string) { console.log('decorated', key) }\n\
        namespace N { export const x = 1 }\n\
        class C { @dec f() {} constructor(private y: number) { console.log(this.y + N.x) } }\n\
        await Promise.resolve(); new C(2)";
    check(&ts(decorated).await, 0, "decorated f\n3\n");
    check(&ts("process.exit(5)").await, 5, "");

    // Errors point to what was written.
    let code = "interface Gone {\n  a: number\n}\nenum E { A }\nfunction f(x: Gone): never {\n  throw new Error('boom')\n}\nf({ a: 1 })";
    let did = ts(code).await;
    assert_eq!(did.termination, Termination::Exited { code: 1 });
    assert!(text(&did).contains("[program].ts:6:"), "{}", text(&did));
    let did = ts("let a = 1\nlet = : number").await;
    assert_eq!(did.termination, Termination::Exited { code: 1 });
    assert!(text(&did).starts_with("[program].ts:2:"), "{}", text(&did));
}

#[tokio::test]
async fn scripts_are_files() {
    let did = run_in(
        &engine(),
        "bash",
        "echo $0 | grep -c main.sh; printf '<%s>' \"$@\" \"$K\"; exit 3",
        &["a b", "-x"],
    )
    .await;
    check(&did, 3, "1\n<a b><-x><a v>");
}

#[tokio::test]
async fn a_missing_runtime_says_what_to_install() {
    for (language, install) in [
        ("javascript", "nodejs"),
        ("ruby", "ruby"),
        ("r", "r-base-core"),
        ("bash", "bash"),
        ("deno", "deno"),
        ("bun", "bun"),
    ] {
        let program = Program {
            language: Language::from_name(language).unwrap(),
            code: "1".to_owned(),
            argv: Vec::new(),
        };
        let options = RunOptions {
            env: vec![("PATH".into(), "/none".into())],
            ..RunOptions::default()
        };
        let error = engine().run_code(program, options).await.unwrap_err();
        assert!(
            matches!(error, CodeError::Runtime(RuntimeError::Missing { .. })),
            "{error:?}"
        );
        assert!(error.to_string().contains(install), "{error}");
    }
    for unknown in ["", "cobol", "py", "PYTHON"] {
        assert_eq!(Language::from_name(unknown), None);
    }
}

/// The second line of a module.
const MODULE_LINE: &str = if cfg!(feature = "typescript") {
    ".program.mjs:2"
} else {
    // Node.js itself looks at the text.
    ".program.js:2"
};
