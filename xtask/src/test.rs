//! `cargo xtask test`: everything that must hold, step by step; it goes on after a failure and adds up at the end.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::LazyLock;
use std::time::Duration;

use crate::conformance::{self, Judged, Report};
use crate::jobs::{self, Job};
use crate::leaks::Watch;
use crate::load::Load;
use crate::python::Environment;
use crate::sh::{self, Result};
use crate::suite::Failure;
use crate::{
    api, attack, instructions, programs, python, sdk, suite, system, tidy, typescript, web,
};

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Beginnings of names of steps; empty for all.
    pub(crate) names: Vec<String>,
    /// Only prints the names.
    pub(crate) list: bool,
    /// Only prints the Debian packages that steps need and this machine lacks.
    pub(crate) missing: bool,
    /// Whether a step that is skipped has failed.
    pub(crate) complete: bool,
}

/// Runs the steps that are wanted.
pub(crate) fn run(wanted: &Wanted) -> Result<ExitCode> {
    if wanted.missing {
        let needs = [system::TOOLS, system::BUILD, system::BROWSER, system::COUNT];
        let missing = needs.map(system::missing);
        sh::say(&missing.concat().join("\n"));
        return Ok(ExitCode::SUCCESS);
    }
    let mut tally = Tally::new(wanted);
    let watch = Watch::begin()?;
    tally.step("format", || {
        sh::run(&mut sh::cargo(["fmt", "--all", "--check"]))
    });
    tally.step("tidy", tidy::check);
    tally.step("clippy", || {
        let mut clippy = sh::cargo(["clippy", "--workspace", "--all-targets"]);
        sh::run(clippy.args(STRICT))
    });
    tally.step("tools", || match &system::missing(system::TOOLS)[..] {
        [] => Ok(()),
        missing => Err(system::help(missing).into()),
    });
    let python = LazyLock::new(|| {
        let python = python::plotting().prepare();
        python.map_err(|error| error.to_string())
    });
    let python = || match &*python {
        Ok(python) => Ok(python.as_path()),
        Err(error) => Err(error.as_str()),
    };
    tally.step("python", || Ok(python().map(drop)?));
    // The tests build what the SDKs and the attacks run. To build it alone would compile all that it depends on once
    // more, since other features are asked for.
    let mut judged = if wanted.list {
        Judged::default()
    } else {
        Judged::ours(conformance::report_path())?
    };
    judged.is_built = wanted.names.is_empty();
    let mut unsteady = Vec::new();
    tally.step("tests", || {
        unsteady = suite::run(&watch, || {
            let mut command = sh::cargo(["test", "--workspace", "--no-fail-fast"]);
            judged.tell(&mut command);
            equip(&mut command, python());
            // What keeps it from being downloaded is reported where it is needed.
            let _ = web::embed(&mut command, "sandbox-cli/web");
            command
        })?;
        Ok(())
    });
    tally.unsteady.append(&mut unsteady);
    let mut jobs = builds(judged.is_built);
    jobs.extend(charts(&mut tally));
    jobs.extend(referees(&mut tally, &judged, &python)?);
    jobs.extend(browser(&mut tally, python, judged.is_built));
    tally.together(&watch, jobs);
    match &system::missing(system::COUNT)[..] {
        [] => tally.step("instructions", instructions::check),
        missing => tally.skip("instructions", &system::help(missing)),
    }
    if wanted.names.is_empty() {
        // It compares the page with what all the steps before have reported.
        tally.step("compatibility", || {
            conformance::check_page(&Report::read(&conformance::report_path())?)
        });
    }
    tally.finish()
}

/// The attacks on the daemon, and builds that run beside them.
fn builds(is_built: bool) -> Vec<Job<'static>> {
    let mut jobs = vec![Job::new("attacks", move || {
        attack::suite(&attack::Wanted {
            is_built,
            ..attack::Wanted::default()
        })
    })];
    jobs.extend(ALONE.iter().map(Alone::job));
    jobs.extend(PORTABLE.map(portable));
    jobs.push(Job::build("docs", || {
        let mut doc = sh::cargo(["doc", "--workspace", "--no-deps", "--lib"]);
        for program in PROGRAMS {
            doc.args(["--bin", program]);
        }
        // One example, so that the features are those of tests, with which clippy has checked all that this depends on.
        doc.args(["--example", "exec"]);
        doc.env("RUSTDOCFLAGS", "-D warnings");
        Ok(doc)
    }));
    jobs.push(Job::build("api", || Ok(api::command())));
    jobs
}

/// The page of the control plane in a browser, unless this machine has none. `python` returns the interpreter that draws.
fn browser<'a>(
    tally: &mut Tally<'_>,
    python: impl Fn() -> Result<&'a Path, &'a str> + Send + Sync + 'a,
    is_built: bool,
) -> Option<Job<'a>> {
    let name = "browser";
    match &system::missing(system::BROWSER)[..] {
        [] => Some(Job::new(name, move || web::suite(python()?, is_built))),
        missing => {
            tally.skip(name, &system::help(missing));
            None
        }
    }
}

/// Official SDKs, and published programs.
fn referees<'a>(
    tally: &mut Tally<'_>,
    judged: &'a Judged,
    python: &'a (impl Fn() -> Result<&'a Path, &'a str> + Sync),
) -> Result<Vec<Job<'a>>> {
    let mut jobs = Vec::new();
    for version in sdk::versions()? {
        let name = format!("sdk: {}", version.name);
        jobs.push(Job::new(name, move || version.suites(python()?, judged)));
    }
    for package in typescript::sdks()? {
        let name = format!("sdk: {}", package.title);
        jobs.push(Job::new(name, move || package.suites(python()?, judged)));
    }
    for program in programs::all()? {
        let name = format!("programs: {}", program.name);
        match program.missing() {
            None => jobs.push(Job::new(name, move || program.calls(python()?, judged))),
            Some(help) => tally.pass_over(&name, &help),
        }
    }
    Ok(jobs)
}

/// Prepares a command that runs tests.
fn equip(command: &mut Command, python: Result<&Path, &str>) {
    if let Ok(python) = python {
        // An interpreter with numpy and matplotlib, for the tests that draw.
        command.env("SANDBOX_TEST_PYTHON", python);
    }
    // Of a backtrace the last lines would be all that a log of CI has room for.
    command.env("RUST_BACKTRACE", "0");
    // Tests wait more than they compute.
    command.env("RUST_TEST_THREADS", (2 * jobs::cores()).to_string());
}

/// The suites of what the engine runs inside Python, the longest first.
fn charts(tally: &mut Tally<'_>) -> Vec<Job<'static>> {
    let suite = |environment: fn() -> Environment, modules: &'static [&'static str]| {
        move || {
            let mut suite = sh::command(environment().prepare()?);
            // A line for each test, so that one that hangs is told from one that goes on.
            suite.args(["-m", "unittest", "-v"]).args(modules);
            suite.current_dir(sh::root().join(PYTHON_TESTS));
            Ok(suite)
        }
    };
    let (testing, oldest) = (python::testing, python::oldest);
    let mut jobs = vec![
        Job::new("charts", suite(testing, &["test_capture"])),
        Job::new(
            "boot and kinds of charts",
            suite(
                testing,
                &["test_boot", "test_leave", "test_faults", "test_kinds"],
            ),
        ),
    ];
    let name = "charts of the oldest matplotlib";
    let missing = if oldest().is_ready() {
        Vec::new()
    } else {
        system::missing(system::BUILD)
    };
    match &missing[..] {
        [] => jobs.push(Job::new(
            name,
            suite(oldest, &["test_kinds", "test_faults"]),
        )),
        missing => tally.skip(name, &system::help(missing)),
    }
    jobs
}

const PYTHON_TESTS: &str = "crates/sandbox-engine/python/tests";

/// Programs whose documentation is not that of a library with the same name.
const PROGRAMS: [&str; 5] = ["drops", "sandbox", "xtask", "xtask-api", "xtask-codegen"];

/// What makes clippy fail.
const STRICT: [&str; 3] = ["--", "-D", "warnings"];

/// What the whole workspace, built together with all features, cannot show: that packages build with few, and without those
/// that others ask of their dependencies. Without the tests, whose dependencies ask for features as well.
const ALONE: &[Alone] = &[
    Alone(CODECS, &["--no-default-features"]),
    Alone(&["sandbox-engine"], &[]),
    Alone(&["sandbox-files"], &[]),
    Alone(&["sandbox-transport"], &["--no-default-features"]),
    Alone(&["sandbox-daemon"], &["--no-default-features"]),
    Alone(&["sandbox-process"], &["--no-default-features"]),
    Alone(&["sandbox-control"], &[]),
    Alone(&["sandbox-cli"], &["--no-default-features"]),
];

/// Packages, and options of clippy.
struct Alone(&'static [&'static str], &'static [&'static str]);

/// The client's crates, as they are on a system that is not Unix, for which nothing can be built here: `--cfg sandbox_portable`
/// leaves out what is Unix's.
const PORTABLE: [&str; 3] = ["sandbox-wire", "sandbox-transport", "sandbox-process"];

fn portable(package: &'static str) -> Job<'static> {
    Job::build(format!("portable: {package}"), move || {
        let mut rustc = sh::cargo(["rustc", "--lib", "--profile", "check", "--package", package]);
        if package == "sandbox-process" {
            rustc.arg("--no-default-features");
        }
        rustc.args(["--", "--cfg", "sandbox_portable", "-D", "warnings"]);
        Ok(rustc)
    })
}

impl Alone {
    fn job(&self) -> Job<'_> {
        let Self(packages, options) = self;
        let name = [&["alone:"], *packages, *options].concat().join(" ");
        Job::build(name, move || {
            let mut clippy = sh::cargo(["clippy"]);
            for package in *packages {
                clippy.args(["--package", package]);
            }
            clippy.args(*options).args(STRICT);
            Ok(clippy)
        })
    }
}

const CODECS: &[&str] = &["sandbox-logcodec", "sandbox-charts", "sandbox-wire"];

/// What passed and what failed.
struct Tally<'a> {
    wanted: &'a Wanted,
    passed: usize,
    /// Names of steps that this machine cannot run, each with what to do about it.
    skipped: Vec<(String, String)>,
    /// Names of steps, each with its error.
    failed: Vec<(String, String)>,
    /// What failed among others and passed alone.
    unsteady: Vec<Failure>,
    started: Load,
}

impl<'a> Tally<'a> {
    fn new(wanted: &'a Wanted) -> Self {
        Self {
            wanted,
            passed: 0,
            skipped: Vec::new(),
            failed: Vec::new(),
            unsteady: Vec::new(),
            started: Load::now(),
        }
    }

    fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        if !self.is_wanted(name) {
            return;
        }
        sh::say(&format!("\n==> {name}"));
        let before = Load::now();
        let result = work().map_err(|error| error.to_string());
        self.count(name, &before.since(), result);
    }

    /// Runs steps side by side. Those that fail run once more, alone.
    fn together(&mut self, watch: &Watch, mut jobs: Vec<Job<'_>>) {
        jobs.retain(|job| self.is_wanted(&job.name));
        if jobs.is_empty() {
            return;
        }
        let mut failed = Vec::new();
        let before = Load::now();
        let ((), clean) = watch.around(|directory| {
            jobs::run(&jobs, directory, |done| {
                sh::say(&format!("\n==> {}\n{}", done.job.name, done.output));
                if done.result.is_err() {
                    failed.push(done);
                } else {
                    self.count(&done.job.name, &seconds(done.took), done.result);
                }
            });
        });
        sh::say(&format!("\nwhat ran side by side took {}", before.since()));
        let is_many = failed.len() > suite::MOST_AGAIN;
        if failed.is_empty() || is_many {
            self.step("nothing is left", || clean);
        }
        for first in failed {
            let job = first.job;
            if is_many {
                self.count(&job.name, &seconds(first.took), first.result);
                continue;
            }
            sh::say(&format!("\n==> {}, once more, alone", job.name));
            let (again, clean) = watch.around(|directory| job.run(directory));
            sh::say(&again.output);
            let clean = clean.map_err(|error| error.to_string());
            let result = again.result.and(clean);
            if let (Err(output), Ok(())) = (first.result, &result) {
                let name = job.name.clone();
                self.unsteady.push(Failure { name, output });
            }
            self.count(&job.name, &seconds(again.took), result);
        }
    }

    /// Counts a step that this machine cannot run.
    fn skip(&mut self, name: &str, help: &str) {
        if !self.is_wanted(name) {
            return;
        }
        if self.wanted.complete {
            return self.count(name, "0 s", Err(help.to_owned()));
        }
        self.pass_over(name, help);
    }

    /// Notes a step that need not run everywhere, and that this machine cannot run.
    fn pass_over(&mut self, name: &str, help: &str) {
        if !self.is_wanted(name) {
            return;
        }
        sh::say(&format!("\n{name}: skipped: {help}"));
        self.skipped.push((name.to_owned(), help.to_owned()));
    }

    /// Whether a step runs. If the steps are only listed, it prints the name of one that would.
    fn is_wanted(&self, name: &str) -> bool {
        let Wanted { names, list, .. } = self.wanted;
        let is_wanted =
            names.is_empty() || names.iter().any(|prefix| name.starts_with(prefix.as_str()));
        if is_wanted && *list {
            sh::say(name);
        }
        is_wanted && !list
    }

    fn count(&mut self, name: &str, took: &str, result: Result<(), String>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                sh::say(&format!("{name}: passed in {took}"));
            }
            Err(error) => {
                sh::complain(&format!("error: {error}"));
                sh::say(&format!("{name}: FAILED after {took}"));
                self.failed.push((name.to_owned(), error));
            }
        }
    }

    /// The last line is `N passed, N failed`.
    fn finish(self) -> Result<ExitCode> {
        if self.wanted.list {
            return Ok(ExitCode::SUCCESS);
        }
        if self.passed + self.failed.len() + self.skipped.len() == 0 {
            let names = self.wanted.names.join(", ");
            return Err(format!("no step's name begins with {names}").into());
        }
        for failure in &self.unsteady {
            sh::say(&format!(
                "\nunsteady: failed among others, passed alone:\n{failure}"
            ));
        }
        sh::say(&format!("\nall steps took {}", self.started.since()));
        for (name, help) in &self.skipped {
            sh::say(&format!("skipped: {name}: {help}"));
        }
        for (name, error) in &self.failed {
            sh::say(&format!("failed: {name}: {error}"));
        }
        sh::say(&self.summary());
        Ok(if self.failed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn summary(&self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed.len())
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    static ALL: Wanted = Wanted {
        names: Vec::new(),
        list: false,
        missing: false,
        complete: false,
    };

    #[test]
    fn a_failure_is_counted_and_the_rest_goes_on() {
        let mut tally = Tally::new(&ALL);
        tally.step("one", || Ok(()));
        tally.step("two", || Err("no".into()));
        tally.step("three", || Ok(()));
        assert_eq!(tally.summary(), "2 passed, 1 failed");
        assert_eq!(tally.failed, [("two".to_owned(), "no".to_owned())]);
        assert_eq!(tally.finish().unwrap(), ExitCode::FAILURE);
    }

    /// Set in the process of its own that the test runs in: a process has one place for temporary files.
    const INSIDE: &str = "XTASK_TEST_TOGETHER";

    #[test]
    fn a_suite_that_fails_runs_again_alone() {
        if std::env::var_os(INSIDE).is_none() {
            let name = "test::tests::a_suite_that_fails_runs_again_alone";
            let mut again = sh::command(std::env::current_exe().unwrap());
            return sh::run(again.args([name, "--exact"]).env(INSIDE, "1")).unwrap();
        }
        let mark = sh::target().join(format!("xtask-again-{}", std::process::id()));
        let shell = |name: &str, script: &'static str| {
            let mark = mark.clone();
            Job::new(name, move || {
                let mut command = sh::command("sh");
                command.args(["-c", script, "sh"]).arg(&mark);
                Ok(command)
            })
        };
        let jobs = vec![
            shell("unsteady", "rmdir \"$1\" || { mkdir \"$1\"; exit 3; }"),
            shell("broken", "exit 4"),
            shell("good", "exit 0"),
        ];
        let mut tally = Tally::new(&ALL);
        tally.together(&Watch::begin().unwrap(), jobs);
        assert_eq!(tally.summary(), "2 passed, 1 failed");
        let [(name, error)] = &tally.failed[..] else {
            panic!("{:?}", tally.failed);
        };
        assert!(name == "broken" && error.contains("exit status: 4"));
        let [unsteady] = &tally.unsteady[..] else {
            panic!("{:?}", tally.unsteady);
        };
        assert!(unsteady.name == "unsteady" && unsteady.output.contains("exit status: 3"));
    }

    #[test]
    fn only_what_is_wanted_runs() {
        let wanted = Wanted {
            names: vec!["t".to_owned()],
            ..Wanted::default()
        };
        let mut tally = Tally::new(&wanted);
        tally.step("one", || Err("not wanted".into()));
        tally.step("two", || Ok(()));
        assert_eq!(tally.summary(), "1 passed, 0 failed");
        assert_eq!(tally.finish().unwrap(), ExitCode::SUCCESS);
        assert!(Tally::new(&wanted).finish().is_err());
        let list = Wanted {
            list: true,
            ..Wanted::default()
        };
        let mut tally = Tally::new(&list);
        tally.step("one", || Err("only listed".into()));
        assert_eq!(tally.finish().unwrap(), ExitCode::SUCCESS);
    }

    #[test]
    fn what_cannot_run_is_skipped_or_fails_where_all_must_run() {
        let mut tally = Tally::new(&ALL);
        tally.skip("one", "install it");
        assert_eq!(tally.summary(), "0 passed, 0 failed");
        assert_eq!(tally.finish().unwrap(), ExitCode::SUCCESS);
        let complete = Wanted {
            complete: true,
            ..Wanted::default()
        };
        let mut tally = Tally::new(&complete);
        tally.skip("one", "install it");
        assert_eq!(tally.summary(), "0 passed, 1 failed");
        assert_eq!(tally.finish().unwrap(), ExitCode::FAILURE);
    }
}
