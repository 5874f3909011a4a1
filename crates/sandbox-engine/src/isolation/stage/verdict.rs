//! What a launcher reports: that it is about to execute the program, or the step that failed.
//!
//! One that ends without a word, killed or aborted, must not pass for a program that was executed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::isolation::Step;

/// The whole report of a launcher.
#[derive(Debug)]
pub(crate) enum Report {
    /// The program has been executed; without one, all steps have succeeded.
    Executed,
    Failed(Failure),
}

impl Report {
    /// A path of the greatest length, and the rest.
    pub(crate) const MOST_BYTES: u64 = 8192;

    /// Parses what was written before the pipe was closed. `None` if that is no report: the launcher was ended before it.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let failure = match bytes {
            [EXECUTES] => return Some(Self::Executed),
            // The execution itself has failed.
            [EXECUTES, failure @ ..] => failure,
            failure => failure,
        };
        Failure::decode(failure).map(Self::Failed)
    }
}

/// The number of no step.
const EXECUTES: u8 = 0xff;

/// A failed step.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) path: Option<PathBuf>,
    pub(crate) source: io::Error,
}

impl Failure {
    fn encode(&self) -> Vec<u8> {
        let errno = self.source.raw_os_error().unwrap_or(libc::EINVAL);
        let path = self
            .path
            .as_deref()
            .map_or_else(|| OsStr::new(""), Path::as_os_str);
        let mut bytes = vec![self.step as u8];
        bytes.extend(errno.to_le_bytes());
        bytes.extend(path.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (step, rest) = bytes.split_first()?;
        let (errno, path) = rest.split_first_chunk()?;
        let path = Some(path).filter(|path| !path.is_empty());
        Some(Self {
            step: *Step::ALL.get(usize::from(*step))?,
            path: path.map(|path| OsString::from_vec(path.to_owned()).into()),
            source: io::Error::from_raw_os_error(i32::from_le_bytes(*errno)),
        })
    }
}

/// Adds the step to an error.
pub(super) trait At<T> {
    fn at(self, step: Step) -> Result<T, Failure>;

    fn at_path(self, step: Step, path: impl AsRef<OsStr>) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, step: Step) -> Result<T, Failure> {
        self.map_err(|error| Failure {
            step,
            path: None,
            source: error.into(),
        })
    }

    fn at_path(self, step: Step, path: impl AsRef<OsStr>) -> Result<T, Failure> {
        self.map_err(|error| Failure {
            step,
            path: Some(path.as_ref().into()),
            source: error.into(),
        })
    }
}

/// The pipe to the engine. It is closed in the program, since it is closed when one is executed.
pub(super) struct Verdict(OwnedFd);

impl Verdict {
    pub(super) fn new(pipe: OwnedFd) -> io::Result<Self> {
        rustix::io::fcntl_setfd(&pipe, rustix::io::FdFlags::CLOEXEC)?;
        Ok(Self(pipe))
    }

    /// Returns the pipe.
    pub(super) fn pipe(&self) -> &OwnedFd {
        &self.0
    }

    /// Reports that the program is executed next. The report is complete when the pipe is closed without another.
    pub(super) fn executes(&self) -> io::Result<()> {
        rustix::io::write(&self.0, &[EXECUTES])?;
        Ok(())
    }

    pub(super) fn report(&self, failure: &Failure) {
        // One write of less than a pipe's capacity. If the engine has ended, no process reads it.
        let _ = rustix::io::write(&self.0, &failure.encode());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_travel_as_bytes() {
        for step in Step::ALL {
            for path in [None, Some(PathBuf::from("/a/b"))] {
                let failure = Failure {
                    step,
                    path,
                    source: io::Error::from_raw_os_error(libc::EPERM),
                };
                let decoded = Failure::decode(&failure.encode()).unwrap();
                assert_eq!(decoded.step, failure.step);
                assert_eq!(decoded.path, failure.path);
                assert_eq!(decoded.source.raw_os_error(), Some(libc::EPERM));
            }
        }
        for bad in [&b""[..], b"\0", b"\0\0\0\0", b"\xff\0\0\0\0"] {
            assert!(Failure::decode(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn silence_is_no_report() {
        let failure = Failure {
            step: Step::Program,
            path: None,
            source: io::Error::from_raw_os_error(libc::ENOENT),
        };
        let failed = failure.encode();
        for bytes in [failed.clone(), [&[EXECUTES], failed.as_slice()].concat()] {
            let Some(Report::Failed(failure)) = Report::decode(&bytes) else {
                panic!("{bytes:?}");
            };
            assert_eq!(failure.step, Step::Program);
        }
        let executed = Report::decode(&[EXECUTES]);
        assert!(matches!(executed, Some(Report::Executed)), "{executed:?}");
        for bad in [&b""[..], &failed[..4], b"\xff\xff", b"\xff\0"] {
            assert!(Report::decode(bad).is_none(), "{bad:?}");
        }
    }
}
