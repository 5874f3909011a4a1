//! TypeScript programs do what Node.js does with what TypeScript's own compiler makes of them.
//!
//! `tests/data/typescript/programs.txt` has each program with what the compiler has made of it; `compile.mjs` beside it
//! writes that anew.

use std::path::Path;

use sandbox_engine::Engine;
use sandbox_engine::code::Language;

use super::{Did, by_engine, by_node, directory};

const PROGRAMS: &str = include_str!("../../data/typescript/programs.txt");

#[tokio::test]
async fn typescript_does_what_its_compiler_makes_of_it() {
    let directory = directory();
    let directory = directory.path();
    let engine = Engine::builder().work_dir(directory).build().unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for section in PROGRAMS.split("\n=== ") {
        let (source, compiled) = section.split_once("--- compiled\n").unwrap();
        let (why, code) = source.split_once('\n').unwrap();
        let name = match why.contains("!module ") {
            true => "compared.mjs",
            false => "compared.js",
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
