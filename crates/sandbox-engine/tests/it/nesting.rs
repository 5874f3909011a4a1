//! Programs that nest deeply, in every way in which texts nest: each ends as Node.js ends it, or with an error of its own,
//! and this process, which has the engine in it, goes on.

use std::fmt::Write;
use std::time::Duration;

use sandbox_engine::code::{Language, Program};
use sandbox_engine::interpreter::{ContextOptions, Ending, ExecuteOptions};
use sandbox_engine::{Engine, Outcome, OutputMode, RunOptions, Termination};

use crate::guard::{engine, text};

async fn run(engine: &Engine, language: Language, code: &str) -> Outcome {
    let program = Program {
        language,
        code: code.to_owned(),
        argv: Vec::new(),
    };
    let options = RunOptions {
        output: OutputMode::Merged,
        ..RunOptions::default()
    };
    let run = engine.run_code(program, options);
    let outcome = tokio::time::timeout(Duration::from_secs(120), run).await;
    outcome.expect("an end").unwrap()
}

/// Opening text, innermost text, closing text; and whether it may nest without end.
type Shape = (&'static str, &'static str, &'static str, bool);

/// What JavaScript and TypeScript have in common.
const SHAPES: &[Shape] = &[
    ("[", "", "]", false),
    ("(", "1", ")", false),
    ("{", "", "}", false),
    ("x={a:", "1", "}", false),
    ("!", "1", "", false),
    ("- ", "1", "", false),
    ("1?1:", "1", "", false),
    ("1?", "1", ":1", false),
    ("", "1", "+1", true),
    ("", "'a'", "+'b'", true),
    ("if(0){}else ", "{}", "", false),
    ("if(0){}else{", "", "}", false),
    ("`${", "1", "}`", false),
    ("a=>", "1", "", false),
    ("", "if(0)a", ".b()", false),
    ("", "if(0)a", ".b", false),
    ("", "if(0)a", "?.b", false),
    ("", "if(0)a", "[0]", false),
    ("function f(){", "", "}", false),
    ("if(0)for(;;)", ";", "", false),
    ("a:", ";", "", false),
    ("", "1", ",1", true),
];

/// What only TypeScript has, and what is no program in either.
const TYPES: &[Shape] = &[
    ("let a: ", "Array<1>", "", false),
    ("let a: Array<", "1", ">", false),
    ("type A = Array<", "1", ">", false),
    ("(", "", "", false),
    ("[", "", "", false),
    ("class A{", "", "", false),
    ("namespace a{", "", "}", false),
    ("namespace a{export let b=1;", "b++", "}", false),
    ("", "1", " as any", false),
    ("", "1", "!", false),
    ("@a ", "class B{}", "", false),
    ("<any>", "1", "", false),
    ("f<", "1", ">", false),
];

/// What Node.js reads in any version.
const SHORT: usize = 500;

/// Four times what the hungriest parser gets through on the 2 MiB of a thread; `cargo xtask attack` goes further.
const DEEP: usize = 10_000;

fn nested((open, inner, close, _): Shape, levels: usize) -> String {
    // Labels and functions may not be declared twice in one place.
    let inner = if open == "a:" { "" } else { inner };
    let mut code = String::new();
    for level in 0..levels {
        match open {
            "a:" => write!(code, "a{level}:").unwrap(),
            open => code.push_str(open),
        }
    }
    code.push_str(if open == "a:" { ";" } else { inner });
    code.push_str(&close.repeat(levels));
    code
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_programs_end_as_node_ends_them() {
    let engine = engine();
    for &shape in SHAPES {
        for (language, levels) in [
            (Language::JavaScript, SHORT),
            (Language::TypeScript, SHORT),
            // JavaScript without a word of modules is read by Node.js alone.
            (Language::TypeScript, DEEP),
        ] {
            let outcome = run(&engine, language, &nested(shape, levels)).await;
            let output = text(&outcome);
            let place = format!("{shape:?} {levels} {language:?}: {output}");
            let code = outcome.termination.exit_code();
            let is_good = code == Some(0);
            // How deep Node.js reads depends on its version; a translation may lack levels, as of parentheses.
            let may_fail = levels == DEEP && !shape.3;
            assert!(is_good || (code == Some(1) && may_fail), "{place}");
            assert_eq!(is_good, output.is_empty(), "{place}");
        }
    }
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_types_are_no_more_than_an_error() {
    let engine = engine();
    for &shape in TYPES {
        for levels in [200, DEEP] {
            let outcome = run(&engine, Language::TypeScript, &nested(shape, levels)).await;
            let output = text(&outcome);
            let place = format!("{shape:?} {levels}: {output}");
            let code = outcome.termination.exit_code();
            assert!(matches!(code, Some(0 | 1)), "{place}");
            assert_eq!(code == Some(0), output.is_empty(), "{place}");
        }
    }
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_as_large_as_a_message_may_be_one_nesting() {
    let engine = engine();
    let outcome = run(&engine, Language::TypeScript, &"[".repeat(16 << 20)).await;
    assert_eq!(
        text(&outcome),
        "SyntaxError: the program is nested too deeply\n"
    );
    assert_eq!(outcome.termination, Termination::Exited { code: 1 });
    // A word of modules has it parsed; Node.js says what is wrong.
    let code = format!("import 'fs';\n{}", "[".repeat(1 << 20));
    let outcome = run(&engine, Language::JavaScript, &code).await;
    assert_eq!(outcome.termination, Termination::Exited { code: 1 });
    assert!(text(&outcome).contains("Error"), "{}", text(&outcome));
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contexts_go_on_after_deep_code() {
    let engine = engine();
    for language in [Language::TypeScript, Language::JavaScript] {
        let made = engine
            .contexts()
            .create(language, ContextOptions::default());
        let context = made.await.unwrap();
        for start in ["", "import 'fs';\n"] {
            for open in ["[", "a=>", "!", "1?", "x={a:"] {
                let code = format!("{start}{}", open.repeat(100_000));
                let execution = context.execute(&code, ExecuteOptions::default()).unwrap();
                let ended = tokio::time::timeout(Duration::from_secs(120), execution.ended());
                let ended = ended.await.expect("an end");
                assert_eq!(ended.ending, Ending::Completed, "{language:?} {open}");
                let failure = ended.failure.as_ref().expect("a failure");
                assert!(
                    ["SyntaxError", "RangeError"].contains(&failure.name.as_str()),
                    "{language:?} {open}: {failure:?}"
                );
            }
        }
        let sum = format!("1{}", "+1".repeat(100_000));
        let execution = context.execute(&sum, ExecuteOptions::default()).unwrap();
        assert_eq!(execution.ended().await.failure, None, "{language:?}");
    }
    engine.shutdown().await;
}
