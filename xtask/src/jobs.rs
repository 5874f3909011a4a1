//! Steps that run side by side. The output of each is printed at its end.
//!
//! One more job runs than there are cores, since most wait half of their time. Only one of them is a build: cargo locks
//! the build directory, so that a second one would wait for the first, and it uses every core by itself.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::leaks;
use crate::sh::{self, Result};

/// A step, and what prepares its command.
pub(crate) struct Job<'a> {
    pub(crate) name: String,
    /// Whether it is a build by cargo.
    is_build: bool,
    prepare: Box<dyn Fn() -> Result<Command> + Send + Sync + 'a>,
}

/// What became of a job.
pub(crate) struct Done<'a> {
    pub(crate) job: &'a Job<'a>,
    pub(crate) output: String,
    pub(crate) result: Result<(), String>,
    pub(crate) took: Duration,
}

impl<'a> Job<'a> {
    pub(crate) fn new(
        name: impl Into<String>,
        prepare: impl Fn() -> Result<Command> + Send + Sync + 'a,
    ) -> Self {
        Self {
            name: name.into(),
            is_build: false,
            prepare: Box::new(prepare),
        }
    }

    /// Returns a job that builds by cargo: no other one of these runs at the same time.
    pub(crate) fn build(
        name: impl Into<String>,
        prepare: impl Fn() -> Result<Command> + Send + Sync + 'a,
    ) -> Self {
        Self {
            is_build: true,
            ..Self::new(name, prepare)
        }
    }

    /// Runs it with its temporary files in `directory`.
    pub(crate) fn run(&self, directory: &Path) -> Done<'_> {
        let (mut output, started) = (String::new(), Instant::now());
        let result = (self.prepare)().and_then(|mut command| {
            sh::follow_and_quote(leaks::equip(&mut command, directory), |line| {
                let _ = writeln!(output, "{line}");
            })
        });
        Done {
            job: self,
            output,
            result: result.map_err(|error| error.to_string()),
            took: started.elapsed(),
        }
    }
}

/// Runs the jobs with their temporary files in `directory`; `each` gets one when it has ended.
pub(crate) fn run<'a>(jobs: &'a [Job<'a>], directory: &Path, each: impl FnMut(Done<'a>) + Send) {
    let queue = Mutex::new(Queue {
        waiting: jobs.iter().collect(),
        is_building: false,
    });
    let each = Mutex::new(each);
    thread::scope(|scope| {
        for _ in 0..=cores() {
            scope.spawn(|| {
                while let Some(job) = with(&queue, Queue::next) {
                    let done = job.run(directory);
                    if job.is_build {
                        with(&queue, |queue| queue.is_building = false);
                    }
                    with(&each, |each| each(done));
                }
            });
        }
    });
}

/// The jobs that have not started.
struct Queue<'a> {
    waiting: Vec<&'a Job<'a>>,
    is_building: bool,
}

impl<'a> Queue<'a> {
    /// Returns the next job that may start. If only builds are left while one runs, there is none: the worker that runs that one
    /// comes back for the others.
    fn next(&mut self) -> Option<&'a Job<'a>> {
        let may_start = |job: &&Job<'_>| !(job.is_build && self.is_building);
        let job = self
            .waiting
            .remove(self.waiting.iter().position(may_start)?);
        self.is_building |= job.is_build;
        Some(job)
    }
}

fn with<T, R>(shared: &Mutex<T>, work: impl FnOnce(&mut T) -> R) -> R {
    work(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

/// How many threads run at once.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_run_one_after_another_and_other_jobs_beside_them() {
        let job = |name: &'static str| Job::new(name, || Err("never run".into()));
        let build = |name: &'static str| Job::build(name, || Err("never run".into()));
        let jobs = [build("a"), build("b"), job("c")];
        let mut queue = Queue {
            waiting: jobs.iter().collect(),
            is_building: false,
        };
        let mut next = |has_built: bool| {
            queue.is_building &= !has_built;
            queue.next().map(|job| job.name.as_str())
        };
        assert_eq!(next(false), Some("a"));
        assert_eq!(next(false), Some("c"));
        assert_eq!(next(false), None);
        assert_eq!(next(true), Some("b"));
        assert_eq!(next(true), None);
    }

    #[test]
    fn every_job_is_run_and_its_output_is_its_own() {
        let shell = |script: &'static str| {
            Job::new(script, move || {
                let mut command = sh::command("sh");
                command.args(["-c", script]);
                Ok(command)
            })
        };
        let jobs = [
            shell("echo a; echo b >&2"),
            shell("echo $TMPDIR; exit 3"),
            Job::new("none", || Err("no command".into())),
        ];
        let mut all = Vec::new();
        run(&jobs, Path::new("/here"), |done| all.push(done));
        all.sort_by(|one, other| one.output.cmp(&other.output));
        let outputs: Vec<_> = all.iter().map(|done| &*done.output).collect();
        assert_eq!(outputs, ["", "/here\n", "a\nb\n"]);
        assert_eq!(all[0].result.as_ref().unwrap_err(), "no command");
        assert!(
            all[1]
                .result
                .as_ref()
                .unwrap_err()
                .contains("exit status: 3")
        );
        assert!(all[2].result.is_ok());
    }
}
