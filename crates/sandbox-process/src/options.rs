//! The options that several builders share, each with its one documentation.
//!
//! Each macro defines methods in the `impl` block of a builder; its argument is the field that holds the value.

/// `cwd`.
macro_rules! cwd_option {
    ($($field:tt).+) => {
        /// Sets the working directory, relative to the daemon's. Default: the daemon's.
        ///
        /// Requests are text: a path that is not UTF-8 is an error of kind
        /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when the builder is awaited.
        pub fn cwd(mut self, path: impl AsRef<std::path::Path>) -> Self {
            self.$($field).+ = Some(path.as_ref().to_owned());
            self
        }
    };
}

/// `env` and `envs`.
macro_rules! env_options {
    ($($field:tt).+) => {
        /// Sets an environment variable, on top of those that the daemon has.
        pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
            self.$($field).+.insert(name.into(), value.into());
            self
        }

        /// Sets several environment variables, on top of those that the daemon has.
        pub fn envs<I, K, V>(mut self, variables: I) -> Self
        where
            I: IntoIterator<Item = (K, V)>,
            K: Into<String>,
            V: Into<String>,
        {
            let variables = variables.into_iter();
            let variables = variables.map(|(name, value)| (name.into(), value.into()));
            self.$($field).+.extend(variables);
            self
        }
    };
}

/// `isolation`.
macro_rules! isolation_option {
    ($($field:tt).+) => {
        /// Isolates it from the daemon's machine. *Extension*. Default: the daemon's, none unless it was started with one.
        ///
        /// A daemon whose system does not allow that fails with the code `ISOLATION_UNAVAILABLE`, and names what would help; one
        /// that knows no isolation, with an error of kind [`Unsupported`](crate::ErrorKind::Unsupported). Nothing is run then.
        pub fn isolation(mut self, isolation: crate::Isolation) -> Self {
            self.$($field).+ = Some(isolation);
            self
        }
    };
}

/// `soft_timeout`.
macro_rules! soft_timeout_option {
    ($($field:tt).+) => {
        /// Sets a soft time limit: if the command still runs then, its outcome is
        /// [`StillRunning`](crate::Termination::StillRunning) with what it has written so far, and the command runs on in the
        /// daemon, with its isolation and its limits. *Extension*. Default: none.
        ///
        /// [`Process::background`](crate::Process::background) returns a handle to it. A time limit still ends the command, and must
        /// be longer. A command that is [spawned](Self::spawn) cannot have a soft limit. Both are errors of kind
        /// [`InvalidInput`](crate::ErrorKind::InvalidInput).
        ///
        /// # Examples
        ///
        /// ```
        /// # #[cfg(feature = "embedded")]
        /// # #[tokio::main]
        /// # async fn main() -> Result<(), sandbox_process::Error> {
        /// use std::time::Duration;
        ///
        /// let process = sandbox_process::Process::local().await?;
        /// let mut outcome = process
        ///     .exec("echo begin; sleep 1; echo end")
        ///     .soft_timeout(Duration::from_millis(200))
        ///     .await?;
        /// if let Some(id) = outcome.still_running() {
        ///     outcome = process.background(id).wait().await?;
        /// }
        /// assert_eq!(outcome.stdout, "begin\nend\n");
        /// # Ok(())
        /// # }
        /// # #[cfg(not(feature = "embedded"))]
        /// # fn main() {}
        /// ```
        pub fn soft_timeout(mut self, limit: std::time::Duration) -> Self {
            self.$($field).+ = Some(limit);
            self
        }
    };
}

/// `timeout`.
macro_rules! timeout_option {
    ($($field:tt).+) => {
        /// Sets a time limit, after which the daemon kills the run with all its processes. Default: none.
        ///
        /// A run that is killed by its limit is an outcome whose termination is
        /// [`TimedOut`](crate::Termination::TimedOut). Limits are exact to a millisecond with this project's daemon; for others
        /// they are rounded up to whole seconds.
        pub fn timeout(mut self, limit: std::time::Duration) -> Self {
            self.$($field).+ = Some(limit);
            self
        }
    };
}

/// `memory_limit`, `process_limit`, `cpu_limit`, `file_size_limit` and `open_files_limit`.
macro_rules! limit_options {
    ($($field:tt).+) => {
        /// Limits the memory of all processes together, in bytes; at least 1 MiB. *Extension* of this project's daemon.
        ///
        /// When there is no more, the kernel kills one of the processes. What ends by that has the termination
        /// [`LimitExceeded`](crate::Termination::LimitExceeded). Files that the system caches for the processes count.
        ///
        /// A limit may not be larger than the daemon's own, which is the default. A daemon that cannot enforce it starts nothing,
        /// and returns an error with the code `RESOURCE_LIMIT_UNAVAILABLE`. The same is true of the other limits.
        pub fn memory_limit(mut self, bytes: u64) -> Self {
            self.$($field).+.memory_bytes = Some(bytes);
            self
        }

        /// Limits the number of processes and threads at a time; at least 1. A fork beyond it fails. *Extension*.
        pub fn process_limit(mut self, processes: u32) -> Self {
            self.$($field).+.processes = Some(processes);
            self
        }

        /// Limits the processor time of all processes together, in processors: 1.5 is one and a half. At least 0.01, in steps
        /// of 0.001. They wait when they have used their share of 100 ms. *Extension*.
        pub fn cpu_limit(mut self, cpus: f64) -> Self {
            self.$($field).+.millicpus = Some(crate::client::millicpus(cpus));
            self
        }

        /// Limits the size of each file that a process writes, in bytes. A process that exceeds it is ended by the signal
        /// `XFSZ`, or gets an error if it ignores that. *Extension*.
        pub fn file_size_limit(mut self, bytes: u64) -> Self {
            self.$($field).+.file_bytes = Some(bytes);
            self
        }

        /// Limits the open descriptors of each process; at least 32. *Extension*.
        pub fn open_files_limit(mut self, files: u32) -> Self {
            self.$($field).+.open_files = Some(files);
            self
        }
    };
}
