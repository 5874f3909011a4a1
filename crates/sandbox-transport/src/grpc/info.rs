//! What the daemon is.

use sandbox_wire::pb;
use sandbox_wire::rest::{SystemMetrics, UpdateEnvRequest};

use super::call;
use super::{GrpcTransport, convert};
use crate::{Capabilities, Effect, Error};

pub(super) async fn info(transport: &GrpcTransport) -> Result<pb::GetInfoResponse, Error> {
    let ask = |wire, request| async move { call::info(wire).get_info(request).await };
    let request = pb::GetInfoRequest {};
    transport.ask(Effect::None, request, ask).await
}

/// Whoever speaks these services has what they add to the protocol of HTTP.
pub(super) async fn capabilities(transport: &GrpcTransport) -> Result<Capabilities, Error> {
    let ask = || async { Ok(Capabilities::new(info(transport).await?.version, true)) };
    let known = transport.inner.capabilities.get_or_try_init(ask);
    known.await.cloned()
}

pub(super) async fn metrics(transport: &GrpcTransport) -> Result<SystemMetrics, Error> {
    let ask = |wire, request| async move { call::info(wire).get_metrics(request).await };
    let request = pb::GetMetricsRequest {};
    let metrics = transport.ask(Effect::None, request, ask).await?;
    let at = metrics.time.and_then(convert::system_time);
    Ok(SystemMetrics {
        cpu_count: metrics.cpu_count,
        cpu_used_pct: metrics.cpu_used_percent,
        mem_total: metrics.memory_total,
        mem_used: metrics.memory_used,
        mem_cache: metrics.memory_cache,
        disk_total: metrics.disk_total,
        disk_used: metrics.disk_used,
        disk_free: metrics.disk_free,
        containment: Some(metrics.containment).filter(|name| !name.is_empty()),
        timestamp: at.map(|at| humantime::format_rfc3339_millis(at).to_string()),
        timestamp_unix: metrics.time.map(|time| time.seconds),
    })
}

pub(super) async fn update_env(
    transport: &GrpcTransport,
    request: UpdateEnvRequest,
) -> Result<(), Error> {
    let ask = |wire, request| async move { call::info(wire).update_environment(request).await };
    let request = pb::UpdateEnvironmentRequest {
        set: convert::variables(request.set),
        unset: request.unset.unwrap_or_default(),
        unset_value_prefix: request.unset_value_prefix.unwrap_or_default(),
    };
    transport.ask(Effect::Idempotent, request, ask).await?;
    Ok(())
}
