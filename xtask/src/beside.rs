//! Steps of `cargo xtask test` that run beside the others, in a process of their own: what compiles goes on while what
//! tests waits for the programs that it has started.

use std::fs::{self, File};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::sh::{self, Result};

/// The flag of such a process: it adds to the report and takes the programs as they are built.
pub(crate) const FLAG: &str = "--beside";

/// The process, and what it prints.
pub(crate) struct Beside {
    pub(crate) name: &'static str,
    started: Instant,
    printed: PathBuf,
    end: JoinHandle<Result<(), String>>,
}

impl Beside {
    /// Starts the steps whose name begins with `name`.
    pub(crate) fn start(name: &'static str) -> Result<Self> {
        let file = format!(
            "beside-{}.log",
            name.replace(|c: char| !c.is_alphanumeric(), "-")
        );
        let printed = sh::target().join(file);
        let mut command = sh::command(std::env::current_exe()?);
        command.args(["test", FLAG, name]);
        let output = File::create(&printed)?;
        command.stdout(output.try_clone()?).stderr(output);
        // A child of that thread: this thread's children are what the tests of a step have left behind.
        let end = thread::spawn(move || sh::run(&mut command).map_err(|error| error.to_string()));
        let started = Instant::now();
        Ok(Self {
            name,
            started,
            printed,
            end,
        })
    }

    /// Waits for the end, prints what the process has printed, and fails if one of its steps did.
    pub(crate) fn finish(self) -> Result<()> {
        let end = self.end.join();
        sh::say(&String::from_utf8_lossy(&fs::read(&self.printed)?));
        sh::say(&format!("beside the others: {}", sh::since(self.started)));
        Ok(end.map_err(|_| "its thread panicked")??)
    }
}
