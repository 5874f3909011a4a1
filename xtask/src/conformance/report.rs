//! The report that the suites write: a line of JSON for each case.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::sh::Result;

/// What became of the cases.
#[derive(Debug, Default)]
pub(crate) struct Report {
    cases: Vec<Case>,
}

/// One case, with one of the methods that it is about.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Who asks: an SDK with its version, or the recorded exchanges.
    pub(crate) sdk: String,
    /// What it is about in general.
    pub(crate) area: String,
    pub(crate) method: String,
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    /// Not asked, and why.
    Absent(String),
}

/// What became of all cases of a method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// Why cases were not asked.
    pub(crate) absent: BTreeSet<String>,
    pub(crate) absences: usize,
}

/// One for each method and SDK; methods are known by their area, too.
pub(crate) type Tallies = BTreeMap<(String, String), BTreeMap<String, Tally>>;

/// What the exchanges call themselves.
pub(crate) const EXCHANGES: &str = "exchanges";

/// What the calls of published programs are about.
const PROGRAMS: &str = "programs";

impl Report {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Self::parse(&super::read(path)?)
    }

    /// Of a case that was run again the last line counts.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut cases = BTreeMap::new();
        for line in text.lines() {
            let case = serde_json::from_str(line).ok().and_then(|line| case(&line));
            let case = case.ok_or_else(|| format!("not a line of a report: {line}"))?;
            let Case {
                sdk,
                area,
                method,
                name,
                ..
            } = case.clone();
            cases.insert((sdk, area, method, name), case);
        }
        let cases = cases.into_values().collect();
        Ok(Self { cases })
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = &Case> {
        let cases = self.cases.iter();
        cases.filter(|case| case.outcome == Outcome::Failed)
    }

    /// The SDKs by their language, each from its newest version down.
    pub(crate) fn sdks(&self) -> BTreeMap<String, Vec<String>> {
        let mut languages = BTreeMap::<_, Vec<_>>::new();
        for name in self.names() {
            let language = name.split(' ').next().unwrap_or_default();
            languages.entry(language.to_owned()).or_default().push(name);
        }
        languages
    }

    fn names(&self) -> Vec<String> {
        let others = [EXCHANGES, PROGRAMS];
        let cases = self.cases.iter();
        let cases = cases.filter(|case| !others.contains(&case.area.as_str()));
        let names: BTreeSet<_> = cases.map(|case| case.sdk.clone()).collect();
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_by_cached_key(|name| {
            let (kind, version) = name.rsplit_once(' ').unwrap_or((name, ""));
            let numbers = version.split('.').map(|part| part.parse::<u32>().ok());
            (
                kind.to_owned(),
                std::cmp::Reverse(numbers.collect::<Vec<_>>()),
            )
        });
        names
    }

    /// The calls of published programs: the program with its version, the call, and its result.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let cases = self.cases.iter().filter(|case| case.area == PROGRAMS);
        cases.map(|case| {
            let program = case.sdk.strip_prefix("program ").unwrap_or(&case.sdk);
            (program, case.method.as_str(), case.name.as_str())
        })
    }

    /// By area and method, then by SDK.
    pub(crate) fn tallies(&self) -> Tallies {
        let mut tallies = Tallies::new();
        for case in &self.cases {
            let method = tallies
                .entry((case.area.clone(), case.method.clone()))
                .or_default();
            let tally = method.entry(case.sdk.clone()).or_default();
            match &case.outcome {
                Outcome::Passed => tally.passed += 1,
                Outcome::Failed => tally.failed += 1,
                Outcome::Absent(reason) => {
                    tally.absences += 1;
                    tally.absent.insert(reason.clone());
                }
            }
        }
        tallies
    }

    /// For a terminal.
    pub(crate) fn table(&self) -> String {
        let tallies = self.tallies();
        let mut tables = Vec::new();
        for sdks in self.sdks().into_values() {
            let mut rows = vec![[vec![String::new()], sdks.clone()].concat()];
            for ((area, method), tallies) in &tallies {
                let cells = sdks.iter().map(|sdk| tallies.get(sdk).map(Tally::tell));
                let cells: Vec<_> = cells.collect();
                if cells.iter().any(Option::is_some) {
                    let cells = cells.into_iter().map(Option::unwrap_or_default);
                    rows.push([vec![format!("{area}: {method}")], cells.collect()].concat());
                }
            }
            tables.push(align(&rows));
        }
        let head = [
            "recorded exchanges",
            "as they should be",
            "not",
            "not asked",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for ((_, method), tallies) in tallies.iter().filter(|((area, _), _)| area == EXCHANGES) {
            for tally in tallies.values() {
                let counts = [tally.passed, tally.failed, tally.absences];
                let counts = counts.iter().map(ToString::to_string).collect();
                rows.push([vec![method.clone()], counts].concat());
            }
        }
        tables.push(align(&rows));
        let mut text = String::new();
        for case in self.failures() {
            let Case {
                sdk, method, name, ..
            } = case;
            let _ = writeln!(text, "failed: {sdk}, {method}: {name}");
        }
        format!("{text}\n{}", tables.join("\n"))
    }
}

impl Tally {
    fn tell(&self) -> String {
        match self {
            Self {
                failed: 0,
                passed: 0,
                ..
            } => "absent".to_owned(),
            Self {
                failed: 0, passed, ..
            } => format!("{passed} passed"),
            Self { failed, passed, .. } => format!("{failed} of {} FAILED", failed + passed),
        }
    }
}

fn case(line: &Value) -> Option<Case> {
    let text = |field: &str| line[field].as_str().map(str::to_owned);
    Some(Case {
        sdk: text("sdk")?,
        area: text("area")?,
        method: text("method")?,
        name: text("case")?,
        outcome: match line["result"].as_str()? {
            "passed" => Outcome::Passed,
            "failed" => Outcome::Failed,
            "absent" => Outcome::Absent(text("reason").unwrap_or_default()),
            _ => return None,
        },
    })
}

/// Columns of equal width.
fn align(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let _ = write!(line, "{cell:<width$}  ", width = width(column));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"sdk":"python daytona 0.9.1","area":"process","method":"exec","case":"a","result":"passed","seconds":1}
{"sdk":"python daytona 0.10.0","area":"process","method":"exec","case":"a","result":"failed","seconds":1}
{"sdk":"python daytona 0.9.1","area":"pty","method":"kill","case":"b","result":"absent","reason":"the method came later"}
{"sdk":"recorded exchanges","area":"exchanges","method":"session","case":"c","result":"passed"}
{"sdk":"program agno 3.1.10","area":"programs","method":"run_code","case":"yes","result":"passed"}"#;

    #[test]
    fn cases_are_added_up() {
        let report = Report::parse(TEXT).unwrap();
        let sdks = report.sdks();
        assert_eq!(
            sdks["python"],
            ["python daytona 0.10.0", "python daytona 0.9.1"]
        );
        assert_eq!(sdks.len(), 1);
        let calls: Vec<_> = report.calls().collect();
        assert_eq!(calls, [("agno 3.1.10", "run_code", "yes")]);
        assert_eq!(report.failures().count(), 1);
        let table = report.table();
        for expect in [
            "failed: python daytona 0.10.0, exec: a\n",
            "process: exec  1 of 1 FAILED          1 passed\n",
            "pty: kill                             absent\n",
            "session             1                  0    0\n",
        ] {
            assert!(table.contains(expect), "{expect:?} in\n{table}");
        }
        assert!(Report::parse("{}").is_err());
        let again = TEXT.replace("\"failed\"", "\"passed\"");
        let report = Report::parse(&[TEXT, &again].join("\n")).unwrap();
        assert_eq!(report.failures().count(), 0);
        assert!(report.table().contains("process: exec  1 passed"));
    }
}
