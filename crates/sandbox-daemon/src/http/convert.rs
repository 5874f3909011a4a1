//! Conversions of common request fields to the engine's types.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use sandbox_engine::isolation::{Isolation, Level, Network};
use sandbox_engine::{OutputMode, RunOptions};
use sandbox_wire::rest::{self, ExecuteRequest, IsolationLevel};

use crate::service::Error;
use crate::service::isolation::{Asked, Bind};

use super::resources::limits;

type Envs = Option<BTreeMap<String, Option<String>>>;

pub(super) fn execute_request(request: ExecuteRequest) -> Result<(String, RunOptions), Error> {
    let mut options = options(
        request.envs,
        request.timeout,
        request.timeout_millis,
        request.split_output,
    );
    options.cwd = directory(request.cwd);
    options.limits = limits(request.limits);
    options.isolation = isolation(request.isolation)?;
    Ok((request.command, options))
}

pub(super) fn options(
    envs: Envs,
    seconds: Option<u32>,
    millis: Option<u64>,
    split: Option<bool>,
) -> RunOptions {
    RunOptions {
        env: variables(envs),
        timeout: time_limit(seconds, millis),
        output: if split == Some(true) {
            OutputMode::Split
        } else {
            OutputMode::Merged
        },
        ..RunOptions::default()
    }
}

/// Returns the isolation that a request describes.
pub(super) fn isolation(asked: Option<rest::Isolation>) -> Result<Option<Isolation>, Error> {
    let Some(asked) = asked else { return Ok(None) };
    let bind = |bind: rest::IsolationBind| Bind {
        source: bind.source,
        path: bind.path,
        is_writable: bind.access == rest::IsolationAccess::Write,
    };
    let asked = Asked {
        level: match asked.level {
            None | Some(IsolationLevel::Namespaces) => Level::Namespaces,
            Some(IsolationLevel::Landlock) => Level::Landlock,
            Some(IsolationLevel::Bwrap) => Level::Bwrap,
            Some(IsolationLevel::None) => Level::None,
            Some(_) => return Err(Error::bad("the level of the isolation is unknown")),
        },
        network: match asked.network {
            None | Some(rest::IsolationNetwork::None) => Network::None,
            Some(rest::IsolationNetwork::User) => Network::User,
            Some(rest::IsolationNetwork::Host) => Network::Host,
        },
        binds: asked.binds.into_iter().map(bind).collect(),
        hidden: asked.hidden,
        scratch: asked.scratch,
        scratch_bytes: asked.scratch_bytes,
    };
    asked.build().map(Some)
}

/// Returns how strongly something is isolated.
pub(super) fn level(level: Level) -> IsolationLevel {
    match level {
        Level::None => IsolationLevel::None,
        Level::Landlock => IsolationLevel::Landlock,
        Level::Bwrap => IsolationLevel::Bwrap,
        Level::Namespaces => IsolationLevel::Namespaces,
        _ => IsolationLevel::Unknown,
    }
}

/// Returns the variables of a request; `null` is the empty text.
pub(super) fn variables(envs: Envs) -> Vec<(String, String)> {
    let envs = envs.unwrap_or_default().into_iter();
    envs.map(|(name, value)| (name, value.unwrap_or_default()))
        .collect()
}

/// Returns the time limit of a request: the finer one if it has both, and none for 0.
pub(super) fn time_limit(seconds: Option<u32>, millis: Option<u64>) -> Option<Duration> {
    let seconds = seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let limit = millis.map(Duration::from_millis).or(seconds);
    limit.filter(|limit| !limit.is_zero())
}

/// Returns the soft time limit of a request; 0 means none.
pub(super) fn soft_limit(request: &ExecuteRequest) -> Option<Duration> {
    time_limit(None, request.soft_timeout_millis)
}

/// Returns the directory of a request; the empty text means none.
pub(super) fn directory(cwd: Option<String>) -> Option<PathBuf> {
    cwd.filter(|cwd| !cwd.is_empty()).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        let limit = |seconds, millis| options(None, seconds, millis, None).timeout;
        assert_eq!(limit(None, None), None);
        assert_eq!(limit(Some(0), None), None);
        assert_eq!(limit(Some(2), None), Some(Duration::from_secs(2)));
        assert_eq!(
            limit(Some(2), Some(1500)),
            Some(Duration::from_millis(1500))
        );
    }
}
