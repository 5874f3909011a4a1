//! Conversions of limits and usage between the domain's types and the bodies of HTTP.

use std::time::Duration;

use sandbox_wire::rest;

use crate::model::{Limit, LimitSupport, ResourceLimits, Usage};

/// Returns the limits as they are sent; none are left out.
pub(super) fn limits(limits: ResourceLimits) -> Option<rest::ResourceLimits> {
    (!limits.is_empty()).then_some(rest::ResourceLimits {
        memory_bytes: limits.memory_bytes,
        processes: limits.processes,
        millicpus: limits.millicpus,
        file_bytes: limits.file_bytes,
        open_files: limits.open_files,
    })
}

/// Returns the limit that ended a process; `None` for one that this version does not know.
pub(super) fn limit(received: rest::ResourceLimit) -> Option<Limit> {
    match received {
        rest::ResourceLimit::Memory => Some(Limit::Memory),
        rest::ResourceLimit::Processes => Some(Limit::Processes),
        rest::ResourceLimit::Cpus => Some(Limit::Cpus),
        rest::ResourceLimit::FileSize => Some(Limit::FileSize),
        rest::ResourceLimit::OpenFiles => Some(Limit::OpenFiles),
        _ => None,
    }
}

/// Returns what enforces a limit, unless this version does not know the limit.
pub(super) fn limit_support(received: rest::LimitSupport) -> Option<LimitSupport> {
    Some(LimitSupport {
        limit: limit(received.limit)?,
        mechanism: received.mechanism,
        problem: received.problem,
    })
}

pub(in crate::http) fn usage(received: &rest::Termination) -> Option<Usage> {
    received.usage.map(|usage| Usage {
        wall_time: Duration::from_micros(usage.wall_micros),
        user_time: Duration::from_micros(usage.user_micros),
        system_time: Duration::from_micros(usage.system_micros),
        peak_rss_bytes: usage.peak_rss_bytes,
        peak_memory_bytes: usage.peak_memory_bytes,
        memory_kills: usage.memory_kills,
        refused_forks: usage.refused_forks,
    })
}
