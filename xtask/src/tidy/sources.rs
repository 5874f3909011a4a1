//! Source files introduce themselves, stay small, allow `unsafe` in one place, and owe nothing.

use super::tree::File;
use super::{Finding, Tree, code};

/// In two parts, so that this file does not contain it.
const LINT: &str = concat!("unsafe_", "code");

/// The only place where the lint that denies `unsafe` is lifted.
const HOME_OF_UNSAFE: &str = "crates/sandbox-engine/src/sys/mod.rs";

/// Files in which a promise to help something later would stand.
const SOURCES: [&str; 9] = ["js", "mjs", "proto", "py", "rs", "sh", "toml", "ts", "yml"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| !file.is_generated()) {
        if file.has_extension(&["rs"]) {
            check_rust(file, &mut findings);
        }
        if file.has_extension(&SOURCES) || file.path.starts_with(".ci/") {
            check_promises(file, &mut findings);
        }
    }
    findings
}

fn check_rust(file: &File, findings: &mut Vec<Finding>) {
    let mut report = |line, what: String, help: &str| {
        findings.push(Finding::new(&file.path, line, what, help));
    };
    if !file.text.starts_with("//!") {
        let help = "begin with a `//!` line that says what the file holds";
        report(1, "does not say what it is".to_owned(), help);
    }
    let limit = longest(&file.path);
    let lines = file.text.lines().count();
    if lines > limit {
        let help = "move one concept to a file of its own";
        report(
            limit + 1,
            format!("{lines} lines; {limit} are allowed"),
            help,
        );
    }
    if file.path != HOME_OF_UNSAFE {
        for (number, line) in (1..).zip(code::only(&file.text).lines()) {
            if line.contains(LINT) && !line.contains("forbid") {
                let what = format!("the lint `{LINT}` is lifted outside its one home");
                let help = format!("put unsafe code below {HOME_OF_UNSAFE}, in a safe function");
                report(number, what, &help);
            }
        }
    }
}

fn longest(path: &str) -> usize {
    match path {
        _ if path.ends_with("src/lib.rs") => 250,
        _ if path.ends_with("src/main.rs") => 120,
        _ => 800,
    }
}

fn check_promises(file: &File, findings: &mut Vec<Finding>) {
    for (number, line) in file.lines() {
        for word in [concat!("TO", "DO"), concat!("FIX", "ME")] {
            let kept = line.replace(&format!("{word}(#"), "");
            if code::has_word(&kept, word) {
                let help = format!("do it, or open an issue and write `{word}(#123): ...`");
                findings.push(Finding::new(
                    &file.path,
                    number,
                    format!("{word} without an issue"),
                    help,
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str, expect: &[(usize, &str)]) {
        let findings = check(&Tree::of(&[(path, text)]));
        let found: Vec<_> = findings
            .iter()
            .map(|one| (one.line, one.what.as_str()))
            .collect();
        assert_eq!(found, expect, "{path}");
    }

    #[test]
    fn files_introduce_themselves() {
        check_one("a/b.rs", "//! B.\n", &[]);
        check_one("a/b.rs", "fn b() {}\n", &[(1, "does not say what it is")]);
        check_one("a/generated/b.rs", "fn b() {}\n", &[]);
        check_one("a/b.md", "text\n", &[]);
    }

    #[test]
    fn files_stay_small() {
        let lines = |count| "//! A.\n".repeat(count);
        check_one("a/src/main.rs", &lines(120), &[]);
        check_one(
            "a/src/main.rs",
            &lines(121),
            &[(121, "121 lines; 120 are allowed")],
        );
        check_one(
            "a/src/lib.rs",
            &lines(251),
            &[(251, "251 lines; 250 are allowed")],
        );
        check_one(
            "a/b.rs",
            &lines(801),
            &[(801, "801 lines; 800 are allowed")],
        );
    }

    #[test]
    fn unsafe_has_one_home() {
        let text = format!("//! {LINT}\n#![forbid({LINT})]\n#![expect({LINT})]\n");
        let expect = format!("the lint `{LINT}` is lifted outside its one home");
        check_one("crates/a/src/b.rs", &text, &[(3, &expect)]);
        check_one(HOME_OF_UNSAFE, &text, &[]);
    }

    #[test]
    fn promises_name_an_issue() {
        let word = concat!("TO", "DO");
        let text = format!("# {word}: later\n# {word}(#12): later\nA{word}S = 1\n");
        check_one("a/b.py", &text, &[(1, &format!("{word} without an issue"))]);
        check_one("a/b.md", &text, &[]);
    }
}
