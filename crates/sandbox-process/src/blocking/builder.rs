//! Builders whose last method waits.

/// Defines a builder of the name of an async one: its options, and the method that waits for it.
///
/// `|waiter, done| ..` makes of what the async builder gives what the method returns.
macro_rules! builder {
    (
        $(#[$doc:meta])*
        $name:ident [$($option:ident)*]
        $(#[$finish_doc:meta])*
        $finish:ident -> $output:ty = |$waiter:ident, $done:ident| $made:expr
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        #[must_use = "nothing happens before its last method is called"]
        pub struct $name {
            pub(super) inner: crate::$name,
            pub(super) waiter: std::sync::Arc<super::waiting::Waiter>,
        }

        impl $name {
            $(option!($option);)*

            $(#[$finish_doc])*
            ///
            /// # Errors
            ///
            #[doc = concat!("Those of [`crate::", stringify!($name), "`].")]
            pub fn $finish(self) -> Result<$output, crate::Error> {
                let $waiter = self.waiter;
                let inner = self.inner;
                let $done = $waiter.block_on(async { inner.await })?;
                Ok($made)
            }
        }
    };
}

/// An option of a builder, by the name that it has there.
macro_rules! option {
    (cwd) => {
        /// Sets the working directory, relative to the daemon's. Default: the daemon's.
        pub fn cwd(mut self, path: impl AsRef<std::path::Path>) -> Self {
            self.inner = self.inner.cwd(path);
            self
        }
    };
    (env) => {
        /// Sets an environment variable, on top of those that the daemon has.
        pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
            self.inner = self.inner.env(name, value);
            self
        }

        /// Sets several environment variables, on top of those that the daemon has.
        pub fn envs<I, K, V>(mut self, variables: I) -> Self
        where
            I: IntoIterator<Item = (K, V)>,
            K: Into<String>,
            V: Into<String>,
        {
            self.inner = self.inner.envs(variables);
            self
        }
    };
    (isolation) => {
        /// Isolates it from the daemon's machine. *Extension*. Default: the daemon's, none unless it was started with one.
        pub fn isolation(mut self, isolation: crate::Isolation) -> Self {
            self.inner = self.inner.isolation(isolation);
            self
        }
    };
    (timeout) => {
        /// Sets a time limit.
        pub fn timeout(mut self, limit: std::time::Duration) -> Self {
            self.inner = self.inner.timeout(limit);
            self
        }
    };
    (soft_timeout) => {
        /// Sets a soft time limit, after which the command runs on in the background.
        pub fn soft_timeout(mut self, limit: std::time::Duration) -> Self {
            self.inner = self.inner.soft_timeout(limit);
            self
        }
    };
    (limits) => {
        /// Limits the memory of all processes together, in bytes.
        pub fn memory_limit(mut self, bytes: u64) -> Self {
            self.inner = self.inner.memory_limit(bytes);
            self
        }

        /// Limits the number of processes and threads at a time.
        pub fn process_limit(mut self, processes: u32) -> Self {
            self.inner = self.inner.process_limit(processes);
            self
        }

        /// Limits the processor time of all processes together, in processors.
        pub fn cpu_limit(mut self, cpus: f64) -> Self {
            self.inner = self.inner.cpu_limit(cpus);
            self
        }

        /// Limits the size of each file that a process writes, in bytes.
        pub fn file_size_limit(mut self, bytes: u64) -> Self {
            self.inner = self.inner.file_size_limit(bytes);
            self
        }

        /// Limits the open descriptors of each process.
        pub fn open_files_limit(mut self, files: u32) -> Self {
            self.inner = self.inner.open_files_limit(files);
            self
        }
    };
    (merge_stderr) => {
        /// Sends stderr where stdout goes. Default: they are separate.
        pub fn merge_stderr(mut self) -> Self {
            self.inner = self.inner.merge_stderr();
            self
        }
    };
    (user) => {
        /// Runs the command as this user. *Extension*, and only if the daemon runs as root.
        pub fn user(mut self, name: impl Into<String>) -> Self {
            self.inner = self.inner.user(name);
            self
        }
    };
    (id) => {
        /// Sets the id of the command. *Extension*. Default: a random one.
        pub fn id(mut self, id: impl Into<String>) -> Self {
            self.inner = self.inner.id(id);
            self
        }
    };
    (size) => {
        /// Sets the size of the terminal. Default: 24 lines of 80 characters.
        pub fn size(mut self, size: crate::PtySize) -> Self {
            self.inner = self.inner.size(size);
            self
        }
    };
    (language) => {
        /// Sets the language. Default: Python.
        pub fn language(mut self, language: crate::Language) -> Self {
            self.inner = self.inner.language(language);
            self
        }
    };
}
