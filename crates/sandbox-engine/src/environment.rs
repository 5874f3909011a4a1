//! The environment of children.

use std::collections::BTreeMap;
use std::ffi::{CString, NulError, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use thiserror::Error;

/// A set of environment variables.
///
/// `Debug` shows names only: values may be secrets.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Environment(BTreeMap<OsString, OsString>);

/// A variable that cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidVariable {
    /// The name is not `[A-Za-z_][A-Za-z0-9_]*`.
    #[error("invalid environment variable name: '{name}'")]
    Name {
        /// The name.
        name: String,
    },
    /// The value has a NUL byte, which the system cannot pass.
    #[error("the value of the environment variable '{name}' contains a NUL byte")]
    Value {
        /// The variable's name.
        name: String,
    },
}

impl Environment {
    /// Creates an environment without variables.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Returns a copy of this process's environment.
    pub fn of_this_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// Sets a variable from untrusted input, after checking its name and value.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidVariable`]; then nothing was set.
    pub fn set_checked(&mut self, name: &str, value: &str) -> Result<(), InvalidVariable> {
        let name_is_valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !name_is_valid {
            return Err(InvalidVariable::Name {
                name: name.to_owned(),
            });
        }
        if value.contains('\0') {
            return Err(InvalidVariable::Value {
                name: name.to_owned(),
            });
        }
        self.set(name, value);
        Ok(())
    }

    /// Sets a variable whose name may have more characters than a shell's, but begins like one.
    pub(crate) fn set_passable(&mut self, name: &str, value: &str) -> Result<(), InvalidVariable> {
        let name_of = || name.to_owned();
        let is_good = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_graphic() && b != b'=');
        if !is_good {
            return Err(InvalidVariable::Name { name: name_of() });
        }
        if value.contains('\0') {
            return Err(InvalidVariable::Value { name: name_of() });
        }
        self.set(name, value);
        Ok(())
    }

    /// Sets variables from untrusted input; a later one replaces an earlier one.
    pub(crate) fn set_all_checked(
        &mut self,
        variables: &[(String, String)],
    ) -> Result<(), InvalidVariable> {
        variables
            .iter()
            .try_for_each(|(name, value)| self.set_checked(name, value))
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.0.insert(name.into(), value.into());
    }

    /// Retains only the variables for which `keep` returns true.
    pub fn retain(&mut self, mut keep: impl FnMut(&OsStr, &OsStr) -> bool) {
        self.0.retain(|name, value| keep(name, value));
    }

    /// Removes a variable.
    pub fn remove(&mut self, name: impl AsRef<OsStr>) {
        self.0.remove(name.as_ref());
    }

    /// Sets all variables of `other`, replacing existing ones.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend(
            other
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
    }

    /// Returns the value of a variable.
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.0.get(name.as_ref()).map(OsString::as_os_str)
    }

    /// Returns an iterator over the variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Returns the variables in the form that `execve(2)` takes.
    ///
    /// # Errors
    ///
    /// Returns [`NulError`] if one contains a NUL.
    pub(crate) fn c_strings(&self) -> Result<Vec<CString>, NulError> {
        let entries = self.iter();
        entries
            .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()))
            .collect()
    }

    /// Parses `name=value` entries, each terminated by a NUL, as in `/proc/PID/environ`.
    pub(crate) fn from_nul_separated(bytes: &[u8]) -> Self {
        let entries = bytes.split(|byte| *byte == 0).filter_map(|entry| {
            let equals = entry.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (&entry[..equals], &entry[equals + 1..]);
            let own = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            Some((own(name), own(value)))
        });
        Self(entries.collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let mut environment = Environment::empty();
        for good in ["A", "_", "a1_B"] {
            environment.set_checked(good, "x=y\n").unwrap();
        }
        for bad in ["", "1A", "A-B", "A=B", "É", "A\0", "a b"] {
            let error = environment.set_checked(bad, "").unwrap_err();
            assert_eq!(
                error,
                InvalidVariable::Name {
                    name: bad.to_owned()
                }
            );
        }
        assert!(matches!(
            environment.set_checked("A", "x\0y"),
            Err(InvalidVariable::Value { .. })
        ));
        assert_eq!(
            environment.get("A"),
            Some(OsStr::new("x=y\n")),
            "a refused value replaces nothing"
        );
    }

    #[test]
    fn names_of_terminals_may_have_more_characters() {
        let mut environment = Environment::empty();
        for good in ["A", "_", "A-B", "a.b"] {
            environment.set_passable(good, "x").unwrap();
        }
        for bad in ["", "1A", "-A", "A=B", "É", "A\0", "a b"] {
            assert!(environment.set_passable(bad, "x").is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_hides_values() {
        let mut environment = Environment::empty();
        environment.set("NAME", "hunter2");
        assert_eq!(format!("{environment:?}"), r#"{"NAME"}"#);
    }

    #[test]
    fn reads_what_proc_shows() {
        let environment = Environment::from_nul_separated(b"A=1\0B=x=y\0junk\0C=\0");
        assert_eq!(environment.get("B"), Some(OsStr::new("x=y")));
        assert_eq!(environment.get("C"), Some(OsStr::new("")));
        assert_eq!(environment.iter().count(), 3);
    }
}
