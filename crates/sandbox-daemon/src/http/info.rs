//! Information about the daemon and its machine.

use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::StatusCode;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{
    DirResponse, Health, InitializeRequest, IsolationSupport, MessageResponse, SystemMetrics,
    UpdateEnvRequest, Version,
};

use super::response::{json, typed, whole_body};
use super::{ApiError, Call, Responded, convert};
use crate::http::resources::limit_support;
use crate::service::State;
use crate::service::info::{Metrics, VERSION, change_env, home};
use crate::service::isolation::{Problem, limits, support};

/// `GET /healthz`: responds as long as requests are accepted.
pub(super) async fn healthz(_: Call) -> Responded {
    let status = "ok".to_owned();
    Ok(json(StatusCode::OK, &Health { status })?)
}

/// `GET /version`, with what the system allows if the query asks for it: that has to be tried, and few clients need it.
pub(super) async fn version(call: Call) -> Responded {
    let (isolation, limits) = if call.query("support").as_deref() == Some("true") {
        (
            Some(isolation(&call.state).await),
            limits(&call.state).await,
        )
    } else {
        (None, Vec::new())
    };
    let version = Version {
        version: VERSION.to_owned(),
        isolation,
        limits: limits.into_iter().map(limit_support).collect(),
    };
    Ok(json(StatusCode::OK, &version)?)
}

async fn isolation(state: &State) -> IsolationSupport {
    let support = support(state).await;
    let level = convert::level(support.level());
    let levels = support.levels.into_iter().map(convert::level).collect();
    let problem = support.problem.map(|Problem { text, help }| (text, help));
    let (problem, help) = problem.unzip();
    IsolationSupport {
        level,
        levels,
        by_default: support.by_default,
        problem,
        help: help.flatten(),
        network_problem: support.network_problem,
    }
}

/// `GET /openapi.json`.
pub(super) async fn openapi(_: Call) -> Responded {
    let body = whole_body(Bytes::from_static(OPENAPI.as_bytes()));
    Ok(typed("application/json; charset=utf-8", body))
}

/// `GET /work-dir`.
pub(super) async fn work_dir(call: Call) -> Responded {
    let dir = call.state.engine.work_dir().to_string_lossy().into_owned();
    Ok(json(StatusCode::OK, &DirResponse { dir })?)
}

/// `GET /user-home-dir`, and `GET /project-dir`, its older name.
pub(super) async fn home_dir(_: Call) -> Responded {
    let home = home().ok_or_else(|| {
        let message = "the daemon's user has no home directory";
        ApiError::new(ErrorCode::NotFound, message)
    })?;
    let dir = home.to_string_lossy().into_owned();
    Ok(json(StatusCode::OK, &DirResponse { dir })?)
}

/// `POST /init`. The reference receives its token here, from any client; this daemon receives it when it starts.
pub(super) async fn init(mut call: Call) -> Responded {
    let _: InitializeRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    let message = "initialized; the access token is the one that the daemon was started with";
    let message = message.to_owned();
    Ok(json(StatusCode::OK, &MessageResponse { message })?)
}

/// `POST /env`: changes the environment of processes that start later.
pub(super) async fn env(mut call: Call) -> Responded {
    let request: UpdateEnvRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    let set = convert::variables(request.set);
    let unset = request.unset.unwrap_or_default();
    let prefix = request.unset_value_prefix.unwrap_or_default();
    let environment = change_env(&call.state.engine, &set, &unset, &prefix)?;
    Ok(json(StatusCode::OK, &environment)?)
}

/// `GET /system/metrics`. Values that cannot be read are left out.
pub(super) async fn metrics(call: Call) -> Responded {
    let metrics = Metrics::measure(&call.state.engine);
    let since = metrics.at.duration_since(UNIX_EPOCH).ok();
    let metrics = SystemMetrics {
        cpu_count: metrics.cpu_count,
        cpu_used_pct: None,
        mem_total: metrics.memory.total,
        mem_used: metrics.memory.used(),
        mem_cache: metrics.memory.cache,
        disk_total: metrics.disk_total,
        disk_used: metrics.disk_used,
        disk_free: metrics.disk_free,
        containment: Some(metrics.containment.to_string()),
        timestamp: Some(humantime::format_rfc3339_millis(metrics.at).to_string()),
        timestamp_unix: since.and_then(|since| i64::try_from(since.as_secs()).ok()),
    };
    Ok(json(StatusCode::OK, &metrics)?)
}

/// The description of the API, for programs and people.
pub(super) const OPENAPI: &str = include_str!("openapi.json");

// Without the feature, an engine has fewer languages than are described.
#[cfg(all(test, feature = "typescript"))]
mod tests {
    use std::collections::BTreeSet;

    use sandbox_engine::code::Language;
    use sandbox_engine::interpreter::Contexts;
    use serde_json::Value;

    use super::OPENAPI;

    #[test]
    fn the_languages_that_are_described_are_those_that_run() {
        let description: Value = serde_json::from_str(OPENAPI).unwrap();
        let described = |schema: &str| -> BTreeSet<_> {
            let schema = &description["components"]["schemas"][schema];
            let names = schema["properties"]["language"]["enum"].as_array().unwrap();
            // `null` stands for the default.
            names.iter().filter_map(Value::as_str).collect()
        };
        let programs: BTreeSet<_> = Language::ALL.iter().map(|one| one.name()).collect();
        assert_eq!(described("CodeRunRequest"), programs);
        let contexts: BTreeSet<_> = Contexts::languages().map(Language::name).collect();
        assert_eq!(described("CreateContext"), contexts);
    }
}
