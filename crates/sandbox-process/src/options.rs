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
