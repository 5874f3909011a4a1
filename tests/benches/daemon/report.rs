//! The table: as text, as JSON, and as the page `docs/BENCHMARKS.md`, which README quotes.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::measure::Row;
use crate::reasons;

/// Rows that are measured together.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Row>,
    /// Why there are no rows.
    pub(crate) failure: Option<&'static str>,
    pub(crate) took: Duration,
}

/// Where and of what the numbers are.
pub(crate) struct About {
    /// The daemon, with its version.
    daemon: String,
    machine: String,
    load: String,
}

impl About {
    pub(crate) fn new(daemon: String) -> Self {
        let processors = std::thread::available_parallelism().map_or(0, usize::from);
        let release = read("/proc/sys/kernel/osrelease");
        let model = read("/proc/cpuinfo");
        let model = model.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == "model name").then(|| value.trim().to_owned())
        });
        Self {
            daemon,
            machine: format!(
                "{processors} processors ({}), Linux {release}",
                model.unwrap_or_else(|| "unknown model".to_owned())
            ),
            load: load(),
        }
    }
}

fn load() -> String {
    let averages = read("/proc/loadavg");
    averages.split(' ').next().unwrap_or_default().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The result of a run.
pub(crate) struct Report {
    about: About,
    pub(crate) groups: Vec<Group>,
    load_at_end: String,
}

impl Report {
    pub(crate) fn new(about: About, groups: Vec<Group>) -> Self {
        Self {
            about,
            groups,
            load_at_end: load(),
        }
    }

    /// Returns the rows as lines of text.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n{}\n", self.about.daemon, self.about.machine);
        let mut line = |cells: [String; 7]| {
            let [name, value, spread, limit, ratio, goal, reached] = cells;
            let _ = writeln!(
                text,
                "{name:<52}{value:>11}{spread:>24}{limit:>11}{ratio:>8}{goal:>18} {reached}"
            );
        };
        let head = ["", "ours", "p25 to p75", "limit", "ratio", "goal", ""];
        line(head.map(str::to_owned));
        for group in &self.groups {
            let failed = group
                .failure
                .map_or_else(String::new, |why| format!(": {why}"));
            let name = format!("{}{failed} ({:.0?})", group.name, group.took);
            line([name, empty(), empty(), empty(), empty(), empty(), empty()]);
            for row in &group.rows {
                let [name, rest @ ..] = cells(row);
                let [a, b, c, d, e, f] = rest;
                line([format!("  {name}"), a, b, c, d, e, f]);
            }
        }
        text
    }

    /// Returns the rows for programs: times in seconds, rates in units in a second.
    pub(crate) fn json(&self) -> Value {
        let row = |row: &Row| {
            let limit = row.limit.as_ref();
            json!({
                "name": row.name,
                "unit": row.unit.name(),
                "rounds": row.ours.len(),
                "value": row.value(),
                "median": row.ours.median(),
                "p25": row.ours.quantile(0.25),
                "p75": row.ours.quantile(0.75),
                "p99": row.ours.quantile(0.99),
                "limit": limit.map(|(what, _)| json!({ "what": what, "value": row.bound() })),
                "ratio": row.ratio(),
                "goal": row.goal_text(),
                "reached": row.is_reached(),
                "absent": row.absent,
            })
        };
        let groups = self.groups.iter().map(|group| {
            json!({
                "name": group.name,
                "failure": group.failure,
                "seconds": group.took.as_secs_f64(),
                "rows": group.rows.iter().map(row).collect::<Vec<_>>(),
            })
        });
        json!({
            "daemon": self.about.daemon,
            "machine": self.about.machine,
            "load": [self.about.load, self.load_at_end],
            "groups": groups.collect::<Vec<_>>(),
        })
    }

    /// Writes the page, and the table in README, of the repository.
    pub(crate) fn write(&self, root: &Path) -> std::io::Result<()> {
        std::fs::write(root.join("docs/BENCHMARKS.md"), self.page())?;
        let path = root.join("README.md");
        let readme = std::fs::read_to_string(&path)?;
        let parts = readme.split_once(BEGIN).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(END)?;
            Some([before, after])
        });
        let [before, after] = parts.ok_or_else(|| {
            std::io::Error::other(format!("README.md has no {} and {END}", BEGIN.trim()))
        })?;
        let quoted = self.table(|row| reasons::is_quoted(&row.name));
        std::fs::write(path, format!("{before}{BEGIN}{quoted}{END}{after}"))
    }

    fn page(&self) -> String {
        let About {
            daemon,
            machine,
            load,
        } = &self.about;
        let mut page = format!(
            "{METHOD}\n- Daemon: {daemon}\n- Machine: {machine}\n- Load average of the machine: {load} at the start, {} at the \
             end\n\n{}",
            self.load_at_end,
            self.table(|_| true),
        );
        page.push_str("\n## Missed goals\n\n");
        let rows = self.groups.iter().flat_map(|group| &group.rows);
        let missed: Vec<_> = rows.filter(|row| row.is_reached() == Some(false)).collect();
        for (reason, names) in reasons::of(&missed) {
            let _ = writeln!(page, "- **{}**: {reason}", names.join("; "));
        }
        page.push_str(AGAINST);
        page
    }

    /// Returns a table of the rows that are wanted.
    fn table(&self, is_wanted: impl Fn(&Row) -> bool) -> String {
        let mut table = String::from(
            "| operation | ours | p25 to p75 | limit | its value | ratio | goal | |\n\
             |---|--:|--:|---|--:|--:|--:|---|\n",
        );
        for group in &self.groups {
            let rows: Vec<_> = group.rows.iter().filter(|row| is_wanted(row)).collect();
            if let Some(failure) = group.failure {
                let _ = writeln!(table, "| **{}** | {failure} | | | | | | |", group.name);
            } else if !rows.is_empty() {
                let _ = writeln!(table, "| **{}** | | | | | | | |", group.name);
            }
            for row in rows {
                let [name, value, spread, limit, ratio, goal, reached] = cells(row);
                let what = row.limit.as_ref().map_or("", |(what, _)| what);
                let _ = writeln!(
                    table,
                    "| {name} | {value} | {spread} | {what} | {limit} | {ratio} | {goal} | {reached} |"
                );
            }
        }
        table
    }
}

const BEGIN: &str = "<!-- written by `cargo xtask bench daemon --write` -->\n";
const END: &str = "<!-- end -->";

const METHOD: &str = include_str!("method.md");
const AGAINST: &str = include_str!("against.md");

fn cells(row: &Row) -> [String; 7] {
    if let Some(why) = row.absent {
        let empty = empty();
        return [
            row.name.clone(),
            "-".to_owned(),
            empty.clone(),
            empty.clone(),
            empty.clone(),
            empty,
            format!("not measured: {why}"),
        ];
    }
    let unit = row.unit;
    let [low, high] = [0.25, 0.75].map(|share| unit.text(row.ours.quantile(share)));
    let spread = match row.ours.len() {
        1 => empty(),
        _ => format!("{low} to {high}"),
    };
    let reached = row
        .is_reached()
        .map_or("", |reached| if reached { "met" } else { "missed" });
    let ratio = row.ratio().filter(|ratio| ratio.is_finite());
    [
        row.name.clone(),
        unit.text(row.value()),
        spread,
        row.bound().map_or_else(empty, |bound| unit.text(bound)),
        ratio.map_or_else(empty, |ratio| format!("{ratio:.2}x")),
        row.goal_text(),
        reached.to_owned(),
    ]
}

fn empty() -> String {
    String::new()
}
