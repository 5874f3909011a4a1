//! Each bound in a `limits.rs` is a row of LIMITS.md with the same value and a test that exists, and each row is a bound.
//!
//! A row is `| 64 MiB | `crate_name::limits::NAME` | what happens beyond it | `test_name` |`; several tests are
//! separated by commas. The tests that sentences of LIMITS.md and SECURITY.md name exist, too.

use std::time::Duration;

use super::tree::File;
use super::{Finding, Tree, code};

const DOCUMENT: &str = "LIMITS.md";

/// The documents that name tests of what they promise.
const PROMISES: [&str; 2] = [DOCUMENT, "SECURITY.md"];

/// What a bound or a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    /// Bytes, or how many of something.
    Count(u128),
    Time(Duration),
}

/// A constant of a `limits.rs`.
#[derive(Debug)]
struct Bound<'a> {
    file: &'a File,
    line: usize,
    /// `crate_name::limits::NAME`.
    path: String,
    /// `None` if the expression is beyond [`evaluate`].
    amount: Option<Amount>,
}

/// A row of the document.
#[derive(Debug)]
struct Row<'a> {
    line: usize,
    amount: Option<Amount>,
    constant: &'a str,
    tests: Vec<&'a str>,
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let bounds: Vec<_> = tree.files.iter().flat_map(bounds).collect();
    let Some(document) = tree.get(DOCUMENT) else {
        let missing = |bound: &Bound<'_>| bound.finding("is in no LIMITS.md", "write one");
        return bounds.iter().map(missing).collect();
    };
    let rows: Vec<_> = document
        .lines()
        .filter_map(|(line, text)| row(line, text))
        .collect();
    let mut findings = promises(tree);
    for bound in &bounds {
        if bound.amount.is_none() {
            let help = "write a product of integers, or `Duration::from_secs(..)` of one";
            findings.push(bound.finding("has a value that tidy cannot read", help));
        }
        if !rows.iter().any(|row| row.constant == bound.path) {
            let row = format!(
                "| .. | `{}` | what happens beyond it | `test` |",
                bound.path
            );
            findings.push(bound.finding("has no row in LIMITS.md", &format!("add `{row}`")));
        }
    }
    for row in &rows {
        let mut report = |what: String, help: &str| {
            findings.push(Finding::new(DOCUMENT, row.line, what, help));
        };
        let constant = row.constant;
        match bounds.iter().find(|bound| bound.path == constant) {
            None => report(
                format!("there is no constant `{constant}`"),
                "name one of a crate's `limits.rs` in the second column, or drop the row",
            ),
            Some(bound) if row.amount != bound.amount => {
                let what = format!("`{constant}` has another value");
                report(
                    what,
                    &format!("write that of {}:{}", bound.file.path, bound.line),
                );
            }
            Some(_) => {}
        }
        if row.tests.is_empty() {
            let what = format!("no test proves `{constant}`");
            report(what, "name one in the fourth column, in backquotes");
        }
        for test in row.tests.iter().filter(|test| !exists(tree, test)) {
            report(
                format!("there is no test `{test}`"),
                "name a function that proves the bound",
            );
        }
    }
    findings
}

/// Checks that the tests that are named in sentences exist: names of at least four words in backquotes.
fn promises(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in PROMISES {
        let lines = tree.get(name).into_iter().flat_map(File::lines);
        // The rows of LIMITS.md have a check of their own.
        for (line, text) in lines.filter(|(_, text)| name != DOCUMENT || !text.starts_with('|')) {
            let words = text.split('`').skip(1).step_by(2);
            let is_test = |word: &&str| {
                let is_plain =
                    |byte: u8| byte.is_ascii_lowercase() || b"_0123456789".contains(&byte);
                word.matches('_').count() > 2 && word.bytes().all(is_plain)
            };
            for test in words.filter(is_test).filter(|test| !exists(tree, test)) {
                let what = format!("there is no test `{test}`");
                findings.push(Finding::new(
                    name,
                    line,
                    what,
                    "name a function that tests the promise",
                ));
            }
        }
    }
    findings
}

impl Bound<'_> {
    fn finding(&self, what: &str, help: &str) -> Finding {
        Finding::new(
            &self.file.path,
            self.line,
            format!("`{}` {what}", self.path),
            help,
        )
    }
}

/// The constants of a file, if it is a `crates/*/src/limits.rs`.
fn bounds(file: &File) -> Vec<Bound<'_>> {
    let parts: Vec<_> = file.path.split('/').collect();
    let ["crates", crate_name, "src", "limits.rs"] = parts[..] else {
        return Vec::new();
    };
    let crate_name = crate_name.replace('-', "_");
    let text = code::only(&file.text);
    let bound = |(at, marker): (usize, &str)| {
        let rest = &text[at + marker.len()..];
        let (name, rest) = rest.split_once(':')?;
        let (_, rest) = rest.split_once('=')?;
        let (value, _) = rest.split_once(';')?;
        Some(Bound {
            file,
            line: text[..at].matches('\n').count() + 1,
            path: format!("{crate_name}::limits::{}", name.trim()),
            amount: evaluate(value),
        })
    };
    text.match_indices("pub const ").filter_map(bound).collect()
}

/// A product of integers, or a `Duration` made from one.
fn evaluate(expression: &str) -> Option<Amount> {
    let expression = expression.trim();
    let units = [
        ("secs", 1_000),
        ("millis", 1),
        ("mins", 60_000),
        ("hours", 3_600_000),
    ];
    for (name, factor) in units {
        let prefix = format!("Duration::from_{name}(");
        if let Some(argument) = expression.strip_prefix(&prefix) {
            return millis(product(argument.strip_suffix(')')?)?, factor);
        }
    }
    product(expression).map(Amount::Count)
}

fn product(expression: &str) -> Option<u128> {
    let factor = |text: &str| text.trim().replace('_', "").parse::<u128>().ok();
    expression
        .split('*')
        .map(factor)
        .try_fold(1_u128, |product, factor| product.checked_mul(factor?))
}

fn millis(number: u128, factor: u128) -> Option<Amount> {
    let millis = u64::try_from(number.checked_mul(factor)?).ok()?;
    Some(Amount::Time(Duration::from_millis(millis)))
}

/// A line of a table, unless it is its head.
fn row(line: usize, text: &str) -> Option<Row<'_>> {
    let cells: Vec<_> = text.strip_prefix('|')?.split('|').map(str::trim).collect();
    let cell = |index: usize| cells.get(index).copied().unwrap_or_default();
    if cell(0).starts_with("--") || cell(1).eq_ignore_ascii_case("constant") {
        return None;
    }
    Some(Row {
        line,
        amount: amount(cell(0)),
        constant: cell(1).trim_matches('`'),
        tests: cell(3)
            .split(',')
            .map(|test| test.trim().trim_matches('`'))
            .filter(|test| !test.is_empty())
            .collect(),
    })
}

/// A number, and its unit if it has one: of time, of bytes, or a word for what is counted.
fn amount(value: &str) -> Option<Amount> {
    let (number, unit) = value.split_once(' ').unwrap_or((value, ""));
    let number = product(number)?;
    let count = |factor| number.checked_mul(factor).map(Amount::Count);
    match unit.trim() {
        "KiB" => count(1 << 10),
        "MiB" => count(1 << 20),
        "GiB" => count(1 << 30),
        "ms" => millis(number, 1),
        "s" => millis(number, 1_000),
        "min" => millis(number, 60_000),
        "h" => millis(number, 3_600_000),
        _ => count(1),
    }
}

fn exists(tree: &Tree, test: &str) -> bool {
    let (rust, python) = (format!("fn {test}("), format!("def {test}("));
    let defines = |file: &File| {
        if file.has_extension(&["rs"]) {
            file.text.contains(&rust)
        } else {
            file.has_extension(&["py"]) && file.text.contains(&python)
        }
    };
    tree.files.iter().any(defines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::assert_found;

    const CODE: &str = "//! Bounds.\n/// Bytes; `pub const X: u8 = 1;` is no bound.\n\
        pub const BYTES: usize = 64 * 1024 * 1024;\n\
        pub const WAIT: Duration = Duration::from_secs(24 * 60 * 60);\n";

    fn check_document(rows: &str, expect: &[&str]) {
        let document =
            format!("| Value | Constant | Beyond it | Test |\n|---|---|---|---|\n{rows}");
        let tree = Tree::of(&[
            ("crates/a-b/src/limits.rs", CODE),
            (
                "crates/a-b/tests/it/x.rs",
                "fn bytes_end() {}\nfn waits_end() {}\n",
            ),
            (DOCUMENT, &document),
        ]);
        assert_found(&check(&tree), expect);
    }

    const BYTES: &str = "| 64 MiB | `a_b::limits::BYTES` | Cut. | `bytes_end` |\n";
    const WAIT: &str = "| 24 h | `a_b::limits::WAIT` | An error. | `bytes_end`, `waits_end` |\n";

    #[test]
    fn rows_and_constants_agree() {
        check_document(&format!("{BYTES}{WAIT}"), &[]);
    }

    #[test]
    fn what_is_missing_on_either_side_is_found() {
        check_document(BYTES, &["`a_b::limits::WAIT` has no row in LIMITS.md"]);
        let other = BYTES.replace("BYTES", "OTHER");
        let rows = format!("{BYTES}{WAIT}{other}");
        check_document(&rows, &["there is no constant `a_b::limits::OTHER`"]);
        let tree = Tree::of(&[("crates/a-b/src/limits.rs", CODE)]);
        assert_eq!(check(&tree).len(), 2);
    }

    #[test]
    fn wrong_values_and_tests_are_found() {
        let wrong = ["| 64 KiB", "| 65 MiB", "| 64 s", "| x MiB", "| 64", "| "];
        for wrong in wrong {
            let rows = format!("{WAIT}{}", BYTES.replace("| 64 MiB", wrong));
            check_document(&rows, &["`a_b::limits::BYTES` has another value"]);
        }
        let rows = format!("{WAIT}{}", BYTES.replace("bytes_end", "bytes"));
        check_document(&rows, &["there is no test `bytes`"]);
        let rows = format!("{WAIT}{}", BYTES.replace("`bytes_end`", ""));
        check_document(&rows, &["no test proves `a_b::limits::BYTES`"]);
    }

    #[test]
    fn tests_of_promises_exist() {
        let tree = Tree::of(&[
            (DOCUMENT, "Deep texts: `deep_text_is_refused`, `no_word`.\n"),
            ("SECURITY.md", "| `it_is_none_here` |\nSee `tests/it.rs`.\n"),
            ("crates/a/src/a.rs", "fn deep_text_is_refused() {}\n"),
        ]);
        assert_found(&check(&tree), &["there is no test `it_is_none_here`"]);
    }

    #[test]
    fn values_are_evaluated() {
        let time = |millis| Some(Amount::Time(Duration::from_millis(millis)));
        assert_eq!(evaluate(" 1_000 "), Some(Amount::Count(1000)));
        assert_eq!(evaluate("2 * 3"), Some(Amount::Count(6)));
        assert_eq!(evaluate("Duration::from_millis(250)"), time(250));
        assert_eq!(evaluate("Duration::from_mins(2)"), time(120_000));
        assert_eq!(evaluate("OTHER"), None);
        assert_eq!(evaluate("Duration::from_secs(u64::MAX)"), None);
    }
}
