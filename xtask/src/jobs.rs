//! Steps that use one core each: as many run at once as there are cores. What each prints is seen at its end.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::leaks;
use crate::sh::{self, Result};

/// A step, and what prepares its command.
pub(crate) struct Job<'a> {
    pub(crate) name: String,
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
            prepare: Box::new(prepare),
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
    let (next, each) = (AtomicUsize::new(0), Mutex::new(each));
    thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let done = job.run(directory);
                    if let Ok(mut each) = each.lock() {
                        each(done);
                    }
                }
            });
        }
    });
}

/// How many threads run at once.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

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
