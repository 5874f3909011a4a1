//! `cargo test`, with what failed named at the end.
//!
//! A log of CI is cut at its beginning, so the reason of a failure has to stand in its last lines. A test that fails among
//! all the others and passes alone is unsteady: the run goes on, and its last lines name it with what it printed, for it is
//! a fault of the test or of the code.

use std::process::Command;

use crate::leaks::{self, Watch};
use crate::sh::{self, Result};

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// As libtest writes it.
    pub(crate) name: String,
    /// What it printed.
    pub(crate) output: String,
}

/// Runs `cargo test`, and what failed once more, alone. Returns the tests that passed only then.
///
/// # Errors
///
/// The error contains the output of each test that failed twice.
pub(crate) fn run(watch: &Watch, command: impl Fn() -> Command) -> Result<Vec<Failure>> {
    let (printed, clean) = watch.around(|directory| {
        let mut text = String::new();
        let passed = sh::follow(leaks::equip(&mut command(), directory), |line| {
            sh::say(line);
            text.push_str(line);
            text.push('\n');
        });
        (passed, text)
    });
    let (passed, text) = printed;
    let Err(error) = passed else {
        return clean.map(|()| Vec::new());
    };
    let failures = failures(&text);
    // A test that fails may leave something, which is not held against the others; alone it has to leave nothing.
    let error = match clean {
        Ok(()) => error.to_string(),
        Err(left) => format!("{error}\n{left}"),
    };
    let hung = unfinished(&text);
    if !hung.is_empty() || failures.is_empty() || failures.len() > MOST_AGAIN {
        let hung = hung.iter().map(|name| format!("\nnot ended: {name}"));
        let error = format!("{error}{}", hung.collect::<String>());
        return Err(describe(&error, &failures).into());
    }
    let names = failures.iter().map(|failure| failure.name.as_str());
    let names: Vec<&str> = names.collect();
    sh::say(&format!("\nonce more, alone: {}", names.join(", ")));
    let mut again = command();
    again
        .args(["--", "--exact", "--test-threads=1"])
        .args(names);
    match watch.run(&mut again) {
        Ok(()) => Ok(failures),
        Err(again) => Err(describe(&format!("{error}\n{again}"), &failures).into()),
    }
}

/// The most failures that are taken for unsteady tests; with more, the code is broken.
pub(crate) const MOST_AGAIN: usize = 3;

/// The last bytes of a test's output that are repeated.
const LONGEST_OUTPUT: usize = 8 << 10;

/// The tests that libtest reports as failed, each with what it printed.
fn failures(text: &str) -> Vec<Failure> {
    let mut failures: Vec<Failure> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        let name = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"));
        if let Some(name) = name {
            let (name, output) = (name.to_owned(), String::new());
            failures.push(Failure { name, output });
            is_inside = true;
        } else if line == "failures:" {
            is_inside = false;
        } else if let (true, Some(failure)) = (is_inside, failures.last_mut()) {
            failure.output.push_str(line);
            failure.output.push('\n');
        }
    }
    failures
}

/// The tests that libtest reports as slow, and of which it reports no end.
fn unfinished(text: &str) -> Vec<&str> {
    let mut slow = Vec::new();
    for test in text.lines().filter_map(|line| line.strip_prefix("test ")) {
        if let Some((name, _)) = test.split_once(" has been running for over ") {
            slow.push(name);
        } else if let Some((ended, _)) = test.split_once(" ... ") {
            slow.retain(|name| *name != ended);
        }
    }
    slow
}

/// The error of a run, and what its failed tests printed.
fn describe(error: &str, failures: &[Failure]) -> String {
    let failures = failures.iter().map(ToString::to_string);
    std::iter::once(error.to_owned())
        .chain(failures)
        .collect::<Vec<_>>()
        .join("\n")
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let output = self.output.trim();
        let mut start = output.len().saturating_sub(LONGEST_OUTPUT);
        while !output.is_char_boundary(start) {
            start += 1;
        }
        write!(f, "---- {} ----\n{}", self.name, &output[start..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test a::passes ... ok
test a::fails ... FAILED
test b ... FAILED

failures:

---- a::fails stdout ----

thread 'a::fails' panicked at src/a.rs:1:2:
why
---- b stdout ----
because

failures:
    a::fails
    b

test result: FAILED. 1 passed; 2 failed; 0 ignored
";

    #[test]
    fn failures_are_found_with_their_output() {
        let found = failures(OUTPUT);
        let names: Vec<_> = found.iter().map(|failure| &*failure.name).collect();
        assert_eq!(names, ["a::fails", "b"]);
        assert!(found[0].output.contains("a.rs:1:2:\nwhy\n"), "{found:?}");
        assert_eq!(found[1].output, "because\n\n");
        assert_eq!(found[1].to_string(), "---- b ----\nbecause");
        assert_eq!(failures("test a ... ok\n"), []);
    }

    #[test]
    fn tests_without_an_end_are_found() {
        let text = "test a has been running for over 60 seconds\n\
                    test b::c has been running for over 60 seconds\n\
                    test a ... ok\n";
        assert_eq!(unfinished(text), ["b::c"]);
        assert_eq!(unfinished(OUTPUT), [""; 0]);
    }

    /// A program in the place of `cargo test`: it prints a failure unless it is given names.
    fn tests(again: &str) -> impl Fn() -> Command {
        let script = format!("if [ $# -gt 0 ]; then {again}; fi; printf '%s' \"$OUTPUT\"; exit 1");
        move || {
            let mut command = sh::command("sh");
            command.args(["-c", &script, "sh"]).env("OUTPUT", OUTPUT);
            command
        }
    }

    /// One test, since a process has one place for temporary files.
    #[test]
    fn what_passes_alone_is_unsteady_and_what_fails_twice_is_an_error() {
        let watch = Watch::begin().unwrap();
        let named = "test \"$*\" = '-- --exact --test-threads=1 a::fails b' && exit 0; exit 9";
        let unsteady = run(&watch, tests(named)).unwrap();
        assert_eq!(unsteady, failures(OUTPUT));

        let error = run(&watch, tests("exit 3")).unwrap_err().to_string();
        assert!(
            error.contains("exit status: 3\n---- a::fails ----"),
            "{error}"
        );
        assert!(error.ends_with("because"), "{error}");
        let error = run(&watch, || sh::command("false"))
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("exit status: 1"), "{error}");
    }
}
