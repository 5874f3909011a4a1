//! The table: as text, as JSON, and as the page `docs/BENCHMARKS.md`.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::measure::{Goal, Row, Unit};

/// Where and of what the numbers are.
pub(crate) struct About {
    /// The daemon, with its version.
    pub(crate) daemon: String,
    machine: String,
    load: [String; 2],
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
            load: [load(), String::new()],
        }
    }

    /// Notes how busy the machine is now, at the end.
    pub(crate) fn end(&mut self) {
        self.load[1] = load();
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

/// Returns the rows as lines of text.
pub(crate) fn text(about: &About, rows: &[Row]) -> String {
    let mut text = format!("{}\n{}\n\n", about.daemon, about.machine);
    let head = ["", "median", "p25-p75", "limit", "ratio", "goal", ""];
    let _ = writeln!(
        text,
        "{:<44}{:>12}{:>22}{:>12}{:>8}{:>12} {}",
        head[0], head[1], head[2], head[3], head[4], head[5], head[6]
    );
    for row in rows {
        let [name, median, spread, limit, ratio, goal, reached] = cells(row);
        let _ = writeln!(
            text,
            "{name:<44}{median:>12}{spread:>22}{limit:>12}{ratio:>8}{goal:>12} {reached}"
        );
    }
    text
}

/// Returns the rows for programs: times in seconds, rates in units in a second.
pub(crate) fn json(about: &About, rows: &[Row]) -> Value {
    let rows = rows.iter().map(|row| {
        let limit = row.limit.as_ref();
        json!({
            "name": row.name,
            "unit": match row.unit { Unit::Time => "s", Unit::Bytes => "B/s", Unit::Calls => "1/s" },
            "rounds": row.ours.len(),
            "median": row.ours.median(),
            "p25": row.ours.quantile(0.25),
            "p75": row.ours.quantile(0.75),
            "p99": row.ours.quantile(0.99),
            "limit": limit.map(|(what, samples)| json!({ "what": what, "median": samples.median() })),
            "ratio": row.ratio(),
            "reached": row.is_reached(),
        })
    });
    json!({
        "daemon": about.daemon,
        "machine": about.machine,
        "load": about.load,
        "rows": rows.collect::<Vec<_>>(),
    })
}

/// Returns the page.
pub(crate) fn page(about: &About, rows: &[Row]) -> String {
    let mut page = String::from(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench daemon --write`. Each row is an operation of the daemon through this repository's own client, \
         beside its *limit*: the same work done bare, in turns with it, in the same run. Medians; a ratio is of medians. \
         Times on another machine differ, ratios much less.\n\n",
    );
    let _ = writeln!(page, "- Daemon: {}", about.daemon);
    let _ = writeln!(page, "- Machine: {}", about.machine);
    let [begin, end] = &about.load;
    let _ = writeln!(
        page,
        "- Load average of the machine: {begin} at the start, {end} at the end\n"
    );
    page.push_str("| operation | median | p25 to p75 | limit | its median | ratio | goal | |\n|---|--:|--:|---|--:|--:|--:|---|\n");
    for row in rows {
        let [name, median, spread, limit, ratio, goal, reached] = cells(row);
        let what = row.limit.as_ref().map_or("", |(what, _)| what);
        let _ = writeln!(
            page,
            "| {name} | {median} | {spread} | {what} | {limit} | {ratio} | {goal} | {reached} |"
        );
    }
    page.push_str(
        "\n## Another daemon\n\n\
         `cargo xtask bench daemon --against http://127.0.0.1:2280` measures any daemon with Daytona's toolbox API over HTTP alone \
         (`--token-file FILE` for its token). The limits are measured on the machine where this runs, so run it beside the daemon.\n",
    );
    page
}

fn cells(row: &Row) -> [String; 7] {
    let unit = row.unit;
    let spread = format!(
        "{} to {}",
        number(unit, row.ours.quantile(0.25)),
        number(unit, row.ours.quantile(0.75))
    );
    let limit = row.limit.as_ref();
    let goal = row.goal.map(|goal| match (goal, unit) {
        (Goal::Within(time), _) => number(Unit::Time, time.as_secs_f64()),
        (Goal::Ratio(ratio), Unit::Time) => format!("<= {ratio}x"),
        (Goal::Ratio(ratio), _) => format!(">= {ratio}x"),
    });
    let reached = row.is_reached().map_or("", |reached| match reached {
        true => "met",
        false => "missed",
    });
    [
        row.name.clone(),
        number(unit, row.ours.median()),
        spread,
        limit.map_or_else(String::new, |(_, samples)| number(unit, samples.median())),
        row.ratio()
            .map_or_else(String::new, |ratio| format!("{ratio:.2}x")),
        goal.unwrap_or_default(),
        reached.to_owned(),
    ]
}

fn number(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Time if value < 1e-3 => format!("{:.0} us", value * 1e6),
        Unit::Time => format!("{:.2} ms", value * 1e3),
        Unit::Bytes => format!("{:.0} MB/s", value / 1e6),
        Unit::Calls => format!("{value:.0}/s"),
    }
}
