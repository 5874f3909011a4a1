//! The ways to a shell's builtins, and which of them are free of the user's functions.

use super::dialect::{Dialect, Route, may_define};
use crate::environment::Environment;

/// The ways to the builtins in one session.
///
/// Functions are found by their names in the texts of the commands. A function that was defined otherwise, in a file
/// that was sourced, is detected when one of our commands does not begin.
#[derive(Debug)]
pub(super) struct Routes {
    dialect: Dialect,
    suspects: Vec<&'static str>,
    failed: Vec<usize>,
}

impl Routes {
    pub(super) fn new(dialect: Dialect, env: &Environment) -> Self {
        let mut routes = Self {
            dialect,
            suspects: Vec::new(),
            failed: Vec::new(),
        };
        // The encoding in which bash exports functions.
        routes.suspect(|name| env.get(format!("BASH_FUNC_{name}%%")).is_some());
        routes
    }

    /// Records the functions that a command may define.
    pub(super) fn learn(&mut self, text: &str) {
        self.suspect(|name| may_define(text, name));
    }

    fn suspect(&mut self, is_function: impl Fn(&str) -> bool) {
        for name in self.dialect.routes().iter().flat_map(|route| route.needs) {
            if !self.suspects.contains(name) && is_function(name) {
                self.suspects.push(name);
            }
        }
    }

    /// Returns the best way: one that has not failed, and if possible one whose names are not suspected.
    pub(super) fn best(&self) -> &'static Route {
        &self.dialect.routes()[self.best_index()]
    }

    fn best_index(&self) -> usize {
        let routes = self.dialect.routes();
        let left = || (0..routes.len()).filter(|index| !self.failed.contains(index));
        let is_clear = |index: &usize| {
            let mut needs = routes[*index].needs.iter();
            needs.all(|name| !self.suspects.contains(name))
        };
        // One is always left: `fail` clears its list when that has all.
        left().find(is_clear).or_else(|| left().next()).unwrap_or(0)
    }

    /// Records that the best way does not lead to the builtins; returns whether another one is left. If none is, the
    /// next command tries all again.
    pub(super) fn fail(&mut self) -> bool {
        self.failed.push(self.best_index());
        let is_left = self.failed.len() < self.dialect.routes().len();
        if !is_left {
            self.failed.clear();
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_around_functions_is_taken() {
        let mut routes = Routes::new(Dialect::Bash, &Environment::empty());
        assert_eq!(routes.best().prefix, r"\command ");
        routes.learn("command() { :; }");
        assert_eq!(routes.best().exec, Some(r"\exec"));
        routes.learn("exec() { :; }");
        assert_eq!(routes.best().exec, None);
        assert_eq!(routes.best().prefix, r"\builtin command ");
        routes.learn("builtin() { :; }");
        assert_eq!(routes.best().prefix, r"\");
        // All are suspected: the remaining ones are tried, from the first.
        routes.learn("eval() { :; }");
        assert_eq!(routes.best().prefix, r"\command ");
        for _ in 1..Dialect::Bash.routes().len() {
            assert!(routes.fail());
        }
        assert!(!routes.fail());
    }

    #[test]
    fn exported_functions_are_known() {
        let mut env = Environment::empty();
        env.set("BASH_FUNC_command%%", "() { :; }");
        let routes = Routes::new(Dialect::Bash, &env);
        assert_eq!(routes.best().prefix, r"\builtin command ");
    }
}
