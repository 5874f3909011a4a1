//! Limits and usage, as JSON and as the engine's types.

use std::time::Duration;

use sandbox_engine::resources::{Limit, Limits, Mechanism, Usage};
use sandbox_wire::rest::{LimitSupport, ResourceLimit, ResourceLimits, ResourceUsage};

/// Returns the limits of a request; absent ones are left to the daemon.
pub(super) fn limits(wanted: Option<ResourceLimits>) -> Limits {
    let wanted = wanted.unwrap_or_default();
    Limits {
        memory_bytes: wanted.memory_bytes,
        processes: wanted.processes,
        millicpus: wanted.millicpus,
        file_bytes: wanted.file_bytes,
        open_files: wanted.open_files,
    }
}

pub(super) fn limit(limit: Limit) -> ResourceLimit {
    match limit {
        Limit::Memory => ResourceLimit::Memory,
        Limit::Processes => ResourceLimit::Processes,
        Limit::Cpus => ResourceLimit::Cpus,
        Limit::FileSize => ResourceLimit::FileSize,
        Limit::OpenFiles => ResourceLimit::OpenFiles,
        _ => ResourceLimit::Unknown,
    }
}

/// Returns what enforces a limit, or why nothing does.
pub(super) fn limit_support((of, found): (Limit, Result<Mechanism, String>)) -> LimitSupport {
    let (mechanism, problem) = match found {
        Ok(mechanism) => (Some(mechanism.name().to_owned()), None),
        Err(problem) => (None, Some(problem)),
    };
    LimitSupport {
        limit: limit(of),
        mechanism,
        problem,
    }
}

pub(super) fn usage(usage: Usage) -> ResourceUsage {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    ResourceUsage {
        wall_micros: micros(usage.wall_time),
        user_micros: micros(usage.user_time),
        system_micros: micros(usage.system_time),
        peak_rss_bytes: usage.peak_rss_bytes,
        peak_memory_bytes: usage.peak_memory_bytes,
        memory_kills: usage.memory_kills,
        refused_forks: usage.refused_forks,
    }
}
