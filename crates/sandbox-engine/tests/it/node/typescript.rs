//! TypeScript programs do what Node.js does with what TypeScript's own compiler makes of them.
//!
//! `tests/data/typescript/programs.txt` has each program with what the compiler has made of it, and `imports.txt` programs of
//! several files; `compile.mjs` beside them writes that anew.

use std::path::Path;

use sandbox_engine::Engine;
use sandbox_engine::code::Language;
use sandbox_engine::limits::{LOCAL_MODULE_BYTES, LOCAL_MODULES};

use super::{Did, by_engine, by_node, directory};

const PROGRAMS: &str = include_str!("../../data/typescript/programs.txt");

const IMPORTS: &str = include_str!("../../data/typescript/imports.txt");

#[tokio::test]
async fn typescript_does_what_its_compiler_makes_of_it() {
    let directory = directory();
    let directory = directory.path();
    let engine = Engine::builder().work_dir(directory).build().unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for section in PROGRAMS.split("\n=== ") {
        let (source, compiled) = section.split_once("--- compiled\n").unwrap();
        let (why, code) = source.split_once('\n').unwrap();
        let name = if why.contains("!module ") {
            "compared.mjs"
        } else {
            "compared.js"
        };
        std::fs::write(directory.join("compared.ts"), code).unwrap();
        let expect = by_node(directory, &["--enable-source-maps"], name, compiled);
        let expect = with_help(directory, expect);
        std::fs::remove_file(directory.join("compared.ts")).unwrap();
        let did = by_engine(&engine, directory, Language::TypeScript, code).await;
        if without_columns(&did) != without_columns(&expect) {
            wrong.push(format!("{why}: {code}\n  {did:#?}\ncompiled {expect:#?}"));
        }
        count += 1;
    }
    engine.shutdown().await;
    assert!(count >= 90, "{count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Adds the line by which the engine has Node.js report a package that is not there: a program that imports a package reads
/// of a module otherwise, and of `require`, which it does not call.
fn with_help(directory: &Path, did: Did) -> Did {
    let name = did.err.split_once("Error: Cannot find module '");
    let Some((name, _)) = name.and_then(|(_, rest)| rest.split_once('\'')) else {
        return did;
    };
    let parts = if name.starts_with('@') { 2 } else { 1 };
    let name = name.split('/').take(parts).collect::<Vec<_>>().join("/");
    if name.starts_with('.') || directory.join("node_modules").join(&name).exists() {
        return did;
    }
    let help = format!("Cannot find package '{name}': install it with `npm install {name}`");
    let err = did
        .err
        .replace(" ]\n}\n", &format!(" ],\n  help: \"{help}\"\n}}\n"));
    Did { err, ..did }
}

/// Compilers do not agree on where in a line a call is, and the marks under a quoted line show it.
fn without_columns(did: &Did) -> Did {
    let plain = |text: &str| {
        let lines = text
            .lines()
            .filter(|line| !line.trim_matches([' ', '^']).is_empty());
        let lines = lines.map(|line| match line.rsplit_once(':') {
            Some((place, column)) if column.trim_end_matches(')').parse::<u32>().is_ok() => {
                place.trim_end()
            }
            _ => line.trim_end(),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    Did {
        out: plain(&did.out),
        err: plain(&did.err),
        code: did.code,
    }
}

#[tokio::test]
async fn a_tsconfig_is_obeyed() {
    let directory = directory();
    let directory = directory.path();
    let engine = Engine::builder().work_dir(directory).build().unwrap();
    let code = "const d: any = (...a: any[]) => console.log(a.length); class A { @d m() {} x?: number }\n\
        console.log(Object.keys(new A()));";
    for (options, expect) in [
        ("{}", "2\n[]\n"),
        ("{\"experimentalDecorators\": true}", "3\n[]\n"),
        (
            "{\"experimentalDecorators\": true, \"target\": \"es2022\"}",
            "3\n[ 'x' ]\n",
        ),
    ] {
        let text = format!("{{ // a comment\n\"compilerOptions\": {options}, }}");
        std::fs::write(directory.join("tsconfig.json"), text).unwrap();
        let did = by_engine(&engine, directory, Language::TypeScript, code).await;
        assert_eq!(
            (did.out.as_str(), did.code),
            (expect, 0),
            "{options}: {did:?}"
        );
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn what_a_program_imports_is_translated() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for section in IMPORTS.split("\n=== ") {
        let (why, files) = section.split_once('\n').unwrap();
        let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let files: Vec<_> = format!("\n{files}")
            .split("\n--- ")
            .skip(1)
            .map(|file| file.split_once('\n').unwrap())
            .map(|(name, text)| (name.to_owned(), format!("{text}\n")))
            .collect();
        for (name, text) in &files {
            // Lines are quoted from the sources, which are beside what they were compiled to.
            let place = name.strip_prefix("compiled ").unwrap_or(name);
            write(other.path(), place, text);
            if name != "compared.ts" && !name.starts_with("compiled ") {
                write(own.path(), name, text);
            }
        }
        let text = |wanted: &str| {
            let found = files.iter().find(|(name, _)| name == wanted);
            found.unwrap().1.clone()
        };
        let (code, compiled) = (&text("compared.ts"), &text("compiled compared.js"));
        let options = ["--enable-source-maps"];
        let expect = by_node(other.path(), &options, "compared.js", compiled);
        let engine = Engine::builder().work_dir(own.path()).build().unwrap();
        let did = by_engine(&engine, own.path(), Language::TypeScript, code).await;
        engine.shutdown().await;
        if without_columns(&did) != without_columns(&expect) {
            wrong.push(format!("{why}: {code}\n  {did:#?}\ncompiled {expect:#?}"));
        }
        count += 1;
    }
    assert!(count >= 8, "{count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test]
async fn an_import_that_cannot_be_read_is_reported_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    write(
        directory,
        "lib/bad.ts",
        "export const a = 1;\nlet = : number",
    );
    write(directory, "waits.ts", "await 1");
    write(directory, "uses.ts", "import './lib/bad'");
    std::fs::write(directory.join("bytes.ts"), b"\xff").unwrap();
    let engine = Engine::builder().work_dir(directory).build().unwrap();
    for (code, report) in [
        (
            "import { a } from './lib/bad'; console.log(a)",
            "lib/bad.ts:2:",
        ),
        ("import './uses'", "lib/bad.ts:2:"),
        ("import './waits'", "waits.ts: a file that is imported"),
        (
            "import './bytes'",
            "bytes.ts: stream did not contain valid UTF-8",
        ),
    ] {
        let did = by_engine(&engine, directory, Language::TypeScript, code).await;
        assert!(
            did.err.starts_with(report) && did.code == 1,
            "{code}: {did:?}"
        );
    }
    // What is not required is not read.
    let code = "import type { A } from './lib/bad'; console.log(1 as A)";
    let did = by_engine(&engine, directory, Language::TypeScript, code).await;
    assert_eq!((did.out.as_str(), did.code), ("1\n", 0), "{did:?}");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_module_requires_typescript_and_paths_without_an_extension() {
    let directory = directory();
    let directory = directory.path();
    write(
        directory,
        "lib/a.ts",
        "import './b'; export let count: number = 0; export const add = () => { count++ };\n\
        export default class { static x = 1 }",
    );
    write(directory, "lib/b.ts", "interface A {}\nexport {}");
    let engine = Engine::builder().work_dir(directory).build().unwrap();
    let code = "import A, { count, add } from './lib/a';\nimport * as all from './lib/a.ts';\nimport { x } from './beside';\n\
        import data from './data.json';\nimport { y } from './beside.mjs';\nadd();\n\
        const later = await import('./lib/a');\n\
        console.log(A.x, count, all.add === add, x, data, y, later.count, typeof require('./folder').name);\n\
        require('./lib/a');";
    for code in [
        code.to_owned(),
        // A module that makes its own `require`.
        format!("import {{ createRequire }} from 'module'; {code}\nconst require = createRequire(import.meta.url);")
            .replace(", typeof require('./folder').name", ", 'string'")
            .replace("require('./lib/a');", ""),
    ] {
        let did = by_engine(&engine, directory, Language::TypeScript, &code).await;
        assert_eq!(did.out, "1 1 true 42 { z: 44 } 43 1 string\n", "{did:?}");
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn imported_files_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for number in 0..=LOCAL_MODULES {
        let next = format!("import './m{}';", number + 1);
        write(directory, &format!("m{number}.ts"), &next);
    }
    let large = format!("// {}\n", "x".repeat(LOCAL_MODULE_BYTES / 2));
    write(directory, "half.ts", &large);
    write(directory, "other.ts", &large);
    let engine = Engine::builder().work_dir(directory).build().unwrap();
    for (code, report) in [
        (
            "import './m0'",
            format!(
                "m{LOCAL_MODULES}.ts: the program imports more than {LOCAL_MODULES} TypeScript files\n"
            ),
        ),
        (
            "import './half'; import './other'",
            format!(
                "other.ts: the program imports more than {LOCAL_MODULE_BYTES} bytes of TypeScript\n"
            ),
        ),
    ] {
        let did = by_engine(&engine, directory, Language::TypeScript, code).await;
        assert_eq!((did.err, did.code), (report, 1));
    }
    // The last file that there may be imports one that is not there.
    std::fs::remove_file(directory.join(format!("m{LOCAL_MODULES}.ts"))).unwrap();
    let code = "try { require('./m0') } catch (e: any) { console.log(e.code) }";
    let did = by_engine(&engine, directory, Language::TypeScript, code).await;
    assert_eq!(
        (did.out.as_str(), did.code),
        ("MODULE_NOT_FOUND\n", 0),
        "{did:?}"
    );
    engine.shutdown().await;
}

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
