//! Limits and usage, as messages and as the engine's types.

use sandbox_engine::resources::{Limit, Limits, Mechanism, Usage};
use sandbox_wire::pb;

use super::convert::duration;

/// Returns the limits of a request; absent ones are left to the daemon.
pub(super) fn limits(wanted: Option<pb::ResourceLimits>) -> Limits {
    let wanted = wanted.unwrap_or_default();
    Limits {
        memory_bytes: wanted.memory_bytes,
        processes: wanted.processes,
        millicpus: wanted.millicpus,
        file_bytes: wanted.file_bytes,
        open_files: wanted.open_files,
    }
}

pub(super) fn limit(limit: Limit) -> pb::ResourceLimit {
    match limit {
        Limit::Memory => pb::ResourceLimit::Memory,
        Limit::Processes => pb::ResourceLimit::Processes,
        Limit::Cpus => pb::ResourceLimit::Cpus,
        Limit::FileSize => pb::ResourceLimit::FileSize,
        Limit::OpenFiles => pb::ResourceLimit::OpenFiles,
        _ => pb::ResourceLimit::Unspecified,
    }
}

/// Returns what enforces a limit, or why nothing does.
pub(super) fn limit_support((of, found): (Limit, Result<Mechanism, String>)) -> pb::LimitSupport {
    let (mechanism, problem) = match found {
        Ok(mechanism) => (mechanism.name().to_owned(), String::new()),
        Err(problem) => (String::new(), problem),
    };
    pb::LimitSupport {
        limit: limit(of).into(),
        mechanism,
        problem,
    }
}

/// Adds to an end what the run has used, if that is known.
pub(super) fn with_usage(mut ended: pb::Termination, usage: Option<Usage>) -> pb::Termination {
    if let Some(usage) = usage {
        ended.elapsed = duration(usage.wall_time);
        ended.usage = Some(pb::ResourceUsage {
            user_time: duration(usage.user_time),
            system_time: duration(usage.system_time),
            max_rss_bytes: usage.peak_rss_bytes.unwrap_or_default(),
            peak_memory_bytes: usage.peak_memory_bytes,
            memory_kills: usage.memory_kills,
            refused_forks: usage.refused_forks,
        });
    }
    ended
}
