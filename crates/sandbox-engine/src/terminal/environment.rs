//! The environment of programs on a terminal.

use std::sync::LazyLock;

use crate::environment::Environment;
use crate::sys::{C_UTF8, has_c_utf8};

/// Adapts an environment, in which the variables that a client has `given` are set, to a new terminal.
///
/// `COLUMNS` and `LINES` of the engine's own environment are removed, since they describe another terminal. `TERM` is
/// [`DEFAULT_TERM`] unless a value is given. `LANG` is `C.UTF-8` if no locale is chosen and the system has that one: a
/// terminal is UTF-8, and without a locale programs assume ASCII.
pub(crate) fn adapt(environment: &mut Environment, given: &[(String, String)]) {
    for name in ["COLUMNS", "LINES"] {
        if !given.iter().any(|(other, _)| other == name) {
            environment.remove(name);
        }
    }
    let names_term = |(name, value): &(String, String)| name == TERM && !value.is_empty();
    if !given.iter().any(names_term) {
        environment.set(TERM, DEFAULT_TERM);
    }
    if !names_locale(environment, given) && *HAS_C_UTF8 {
        environment.set(LANG, C_UTF8);
    }
}

/// Returns whether a locale is chosen. An empty value chooses none, unless a client gives it.
fn names_locale(environment: &Environment, given: &[(String, String)]) -> bool {
    let is_locale = |name: &[u8]| name == LANG.as_bytes() || name.starts_with(b"LC_");
    let mut variables = environment.iter();
    variables.any(|(name, value)| is_locale(name.as_encoded_bytes()) && !value.is_empty())
        || given.iter().any(|(name, _)| is_locale(name.as_bytes()))
}

pub(crate) const TERM: &str = "TERM";

/// The kind of terminal that is assumed if a client names none.
pub(crate) const DEFAULT_TERM: &str = "xterm-256color";

const LANG: &str = "LANG";

static HAS_C_UTF8: LazyLock<bool> = LazyLock::new(has_c_utf8);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(inherited: &[(&str, &str)], given: &[(&str, &str)], expect: &[(&str, &str)]) {
        let mut environment = Environment::empty();
        for (name, value) in inherited.iter().chain(given) {
            environment.set(*name, *value);
        }
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        adapt(
            &mut environment,
            &given.iter().map(owned).collect::<Vec<_>>(),
        );
        let found: Vec<_> = environment
            .iter()
            .map(|(name, value)| (name.to_str().unwrap(), value.to_str().unwrap()))
            .collect();
        assert_eq!(found, expect, "{inherited:?} {given:?}");
    }

    #[test]
    fn what_describes_another_terminal_is_not_inherited() {
        let lang = ("LANG", "de");
        let term = (TERM, DEFAULT_TERM);
        check(
            &[lang, ("COLUMNS", "7"), (TERM, "dumb")],
            &[],
            &[lang, term],
        );
        let given = [("COLUMNS", "9"), (TERM, "vt100")];
        check(&[lang, (TERM, "dumb")], &given, &[given[0], lang, given[1]]);
        check(&[lang], &[(TERM, "")], &[lang, term]);
    }

    #[test]
    fn a_locale_that_is_chosen_stays() {
        let term = (TERM, DEFAULT_TERM);
        check(&[], &[("LANG", "")], &[("LANG", ""), term]);
        check(&[("LC_ALL", "C")], &[], &[("LC_ALL", "C"), term]);
        if *HAS_C_UTF8 {
            check(&[("LANG", "")], &[], &[("LANG", C_UTF8), term]);
        }
    }
}
