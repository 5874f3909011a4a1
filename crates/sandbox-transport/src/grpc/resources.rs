//! Conversions of limits and usage between the domain's types and the messages of protobuf.

use std::time::Duration;

use sandbox_wire::pb;

use crate::model::{Limit, LimitSupport, ResourceLimits, Usage};

/// Returns the limits as they are sent; none are left out.
pub(super) fn limits(limits: ResourceLimits) -> Option<pb::ResourceLimits> {
    (!limits.is_empty()).then_some(pb::ResourceLimits {
        memory_bytes: limits.memory_bytes,
        processes: limits.processes,
        millicpus: limits.millicpus,
        file_bytes: limits.file_bytes,
        open_files: limits.open_files,
    })
}

/// Returns the limit that ended a process; `None` for one that this version does not know.
pub(super) fn limit(received: &pb::Termination) -> Option<Limit> {
    known(received.limit())
}

/// Returns what enforces a limit, unless this version does not know the limit.
pub(super) fn limit_support(received: pb::LimitSupport) -> Option<LimitSupport> {
    let limit = known(received.limit())?;
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    Some(LimitSupport {
        limit,
        mechanism: text(received.mechanism),
        problem: text(received.problem),
    })
}

fn known(limit: pb::ResourceLimit) -> Option<Limit> {
    match limit {
        pb::ResourceLimit::Memory => Some(Limit::Memory),
        pb::ResourceLimit::Processes => Some(Limit::Processes),
        pb::ResourceLimit::Cpus => Some(Limit::Cpus),
        pb::ResourceLimit::FileSize => Some(Limit::FileSize),
        pb::ResourceLimit::OpenFiles => Some(Limit::OpenFiles),
        pb::ResourceLimit::Unspecified => None,
    }
}

/// Returns what a run has used; a time that is not one counts as none.
pub(super) fn usage(received: &pb::Termination) -> Option<Usage> {
    let time = |time: Option<prost_types::Duration>| {
        let time = time.and_then(|time| Duration::try_from(time).ok());
        time.unwrap_or_default()
    };
    received.usage.map(|usage| Usage {
        wall_time: time(received.elapsed),
        user_time: time(usage.user_time),
        system_time: time(usage.system_time),
        peak_rss_bytes: Some(usage.max_rss_bytes).filter(|bytes| *bytes > 0),
        peak_memory_bytes: usage.peak_memory_bytes,
        memory_kills: usage.memory_kills,
        refused_forks: usage.refused_forks,
    })
}
