//! Tables of programs, each run cold, warm, and warm again.
//!
//! A table is a text: `#### NAME [FLAG] | WHY IT IS HERE`, then the program. Flags: `cold` it starts cold, as the look at
//! the text finds (unit tests of the engine hold that against these tables), `numpy` and `pyplot` the server for it has
//! imported these.

use sandbox_engine::code::Language;
use tokio::task::JoinSet;

use super::{Pair, Seen, program, split, until_forked};

/// One program of a table.
#[derive(Debug, Clone, Copy)]
struct Case {
    /// With its flags.
    name: &'static str,
    code: &'static str,
}

impl Case {
    fn has(&self, flag: &str) -> bool {
        self.name.contains(flag)
    }
}

/// Returns the programs of a table.
fn cases(table: &'static str) -> Vec<Case> {
    let table = table.strip_prefix("#### ").unwrap();
    let cases = table.split("\n#### ").map(|part| {
        let (head, code) = part.split_once('\n').unwrap_or((part, ""));
        let (name, reason) = head.split_once(" | ").expect(head);
        assert!(!reason.is_empty(), "{name} has no reason to be here");
        Case { name, code }
    });
    cases.collect()
}

/// Runs each program cold and then warm, and fails with the names of those that differ, and how they do.
async fn check(language: Language, table: &'static str, shards: usize, pair: fn() -> Pair) {
    let cases = cases(table);
    let mut names: Vec<_> = cases.iter().map(|case| case.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "two programs have one name");
    let mut running = JoinSet::new();
    for first in 0..shards {
        let cases: Vec<_> = cases.iter().skip(first).step_by(shards).copied().collect();
        running.spawn(async move {
            let pair = pair();
            let mut differences = Vec::new();
            for case in cases {
                differences.extend(pair.difference(language, case).await);
            }
            pair.end().await;
            differences
        });
    }
    let differences = running.join_all().await.concat();
    let count = differences.len();
    assert_eq!(count, 0, "\n{}", differences.join("\n"));
}

impl Pair {
    /// How the warm runs of a program differ from its cold one.
    async fn difference(&self, language: Language, case: Case) -> Option<String> {
        let expect = self.see(&self.cold, program(language, case.code)).await;
        for round in 1..=WARM_RUNS {
            let found = match language {
                Language::Python => {
                    until_forked(&self.warm, like(case)).await;
                    self.see(&self.warm, program(language, case.code)).await
                }
                _ => {
                    let program = program(language, case.code);
                    let (is_taken, outcome) = self.takes(program, split()).await;
                    if is_taken == case.has("[cold]") {
                        return Some(format!("{}: took the spare: {is_taken}", case.name));
                    }
                    Seen::of(&outcome, self.path())
                }
            };
            if found != expect {
                let name = case.name;
                return Some(format!("{name}, warm run {round}:\n{expect:?}\n{found:?}"));
            }
        }
        None
    }
}

/// What programs begin with that have the same server as this one.
fn like(case: Case) -> &'static str {
    match () {
        () if case.has("[numpy]") => "import numpy",
        () if case.has("[pyplot]") => "import matplotlib.pyplot",
        () => "",
    }
}

#[tokio::test]
async fn python_programs_are_the_same_cold_and_warm() {
    check(Language::Python, PYTHON, SHARDS, Pair::new).await;
}

#[tokio::test]
async fn javascript_programs_are_the_same_cold_and_warm() {
    check(Language::JavaScript, JAVASCRIPT, SHARDS, Pair::new).await;
}

#[tokio::test]
async fn drawing_programs_are_the_same_cold_and_warm() {
    if std::env::var_os("SANDBOX_TEST_PYTHON").is_none() {
        println!("passed over: SANDBOX_TEST_PYTHON names no interpreter with matplotlib");
        return;
    }
    // The longest of all tests here, and the last to end: alone in the end, it would use one core.
    check(Language::Python, DRAWING, SHARDS, super::drawing).await;
}

/// A comparison that finds no difference must be one that could.
#[tokio::test]
async fn a_difference_is_found() {
    let pair = Pair::new();
    let see = async |code: &str| pair.see(&pair.cold, program(Language::Python, code)).await;
    let same = "open('left.txt', 'w').write('a'); print(object(), 0x1f)";
    assert_eq!(see(same).await, see(same).await);
    for (one, other) in [
        ("print(1)", "print(2)"),
        ("print(1)", "import sys; print(1, file=sys.stderr)"),
        ("", "import sys; sys.exit(1)"),
        (
            "import sys; sys.exit(9)",
            "import os; os.kill(os.getpid(), 9)",
        ),
        ("", "open('left.txt', 'w')"),
        ("open('left.txt', 'w')", "open('left.txt', 'w').write('a')"),
        ("open('left.txt', 'w')", "open('other.txt', 'w')"),
        ("", "import os; os.mkdir('left')"),
    ] {
        assert_ne!(see(one).await, see(other).await, "{one}\n{other}");
    }
    assert_eq!(see("").await, see("pass").await, "nothing is left of a run");
    pair.end().await;
}

const PYTHON: &str = include_str!("programs/python.txt");
const DRAWING: &str = include_str!("programs/drawing.txt");
const JAVASCRIPT: &str = include_str!("programs/javascript.txt");

/// How many programs of a table run at a time, each in a directory of its own with engines of its own.
const SHARDS: usize = 3;

/// The first after a cold one may find what that one has left.
const WARM_RUNS: usize = 2;
