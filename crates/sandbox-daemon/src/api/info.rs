//! What the daemon tells of itself and of its machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use sandbox_engine::Engine;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{
    DirResponse, Health, InitializeRequest, MessageResponse, SystemMetrics, UpdateEnvRequest,
    Version,
};

use super::response::{json, typed, whole_body};
use super::{Answer, ApiError, Call, convert};

/// `GET /healthz`: answered as long as requests are taken.
pub(super) fn healthz(_: Call) -> Answer {
    Box::pin(async {
        json(
            StatusCode::OK,
            &Health {
                status: "ok".to_owned(),
            },
        )
    })
}

/// `GET /version`.
pub(super) fn version(_: Call) -> Answer {
    let version = VERSION.to_owned();
    Box::pin(async { json(StatusCode::OK, &Version { version }) })
}

/// `GET /openapi.json`.
pub(super) fn openapi(_: Call) -> Answer {
    let body = whole_body(Bytes::from_static(OPENAPI.as_bytes()));
    Box::pin(async { Ok(typed("application/json; charset=utf-8", body)) })
}

/// `GET /work-dir`.
pub(super) fn work_dir(call: Call) -> Answer {
    let dir = call.state.engine.work_dir().to_string_lossy().into_owned();
    Box::pin(async { json(StatusCode::OK, &DirResponse { dir }) })
}

/// `GET /user-home-dir`, and `GET /project-dir`, its older name.
pub(super) fn home_dir(_: Call) -> Answer {
    Box::pin(async {
        let home = home().ok_or_else(|| {
            ApiError::new(
                ErrorCode::NotFound,
                "the daemon's user has no home directory",
            )
        })?;
        let dir = home.to_string_lossy().into_owned();
        json(StatusCode::OK, &DirResponse { dir })
    })
}

/// `POST /init`. The reference takes its token here, from whoever comes; ours was given one when it was started.
pub(super) fn init(mut call: Call) -> Answer {
    Box::pin(async move {
        let _: InitializeRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
        let message = "initialized; the access token is the one that the daemon was started with";
        json(
            StatusCode::OK,
            &MessageResponse {
                message: message.to_owned(),
            },
        )
    })
}

/// `POST /env`: changes the environment of what is started later.
pub(super) fn env(mut call: Call) -> Answer {
    Box::pin(async move {
        let request: UpdateEnvRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
        let set = convert::variables(request.set);
        let unset = request.unset.unwrap_or_default();
        let prefix = request.unset_value_prefix.unwrap_or_default();
        let environment = change_env(&call.state.engine, &set, &unset, &prefix)?;
        json(StatusCode::OK, &environment)
    })
}

/// Changes the environment of what is started later, and tells what it is then.
pub(crate) fn change_env(
    engine: &Engine,
    set: &[(String, String)],
    unset: &[String],
    unset_value_prefix: &str,
) -> Result<BTreeMap<String, String>, ApiError> {
    let prefix = Some(unset_value_prefix).filter(|prefix| !prefix.is_empty());
    let environment = engine
        .update_environment(set, unset, prefix)
        .map_err(|error| ApiError::new(ErrorCode::BadRequest, error.to_string()))?;
    let lossy = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
    Ok(environment
        .iter()
        .map(|(name, value)| (lossy(name), lossy(value)))
        .collect())
}

/// `GET /system/metrics`. What cannot be read is left out.
pub(super) fn metrics(call: Call) -> Answer {
    Box::pin(async move {
        let metrics = measure(&call.state.engine);
        json(StatusCode::OK, &metrics)
    })
}

/// How busy the machine is.
pub(crate) fn measure(engine: &Engine) -> SystemMetrics {
    let disk = rustix::fs::statvfs(engine.work_dir()).ok();
    let bytes = |blocks: fn(&rustix::fs::StatVfs) -> u64| {
        let disk = disk.as_ref()?;
        Some(blocks(disk).saturating_mul(disk.f_frsize))
    };
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = Memory::read(&memory);
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).ok();
    SystemMetrics {
        cpu_count: std::thread::available_parallelism()
            .ok()
            .and_then(|count| u32::try_from(count.get()).ok()),
        cpu_used_pct: None,
        mem_total: memory.total,
        mem_used: memory.used(),
        mem_cache: memory.cache,
        disk_total: bytes(|disk| disk.f_blocks),
        disk_used: bytes(|disk| disk.f_blocks.saturating_sub(disk.f_bfree)),
        disk_free: bytes(|disk| disk.f_bavail),
        containment: Some(engine.containment().to_owned()),
        timestamp: Some(humantime::format_rfc3339_millis(now).to_string()),
        timestamp_unix: since.and_then(|since| i64::try_from(since.as_secs()).ok()),
    }
}

/// The home directory of the daemon's user.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute())
}

/// The daemon's version, as it tells it.
pub(crate) const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// What the daemon answers, for programs and people.
pub(super) const OPENAPI: &str = include_str!("../openapi.json");

/// Bytes, as far as the system tells.
#[derive(Debug, PartialEq, Eq)]
struct Memory {
    total: Option<u64>,
    available: Option<u64>,
    cache: Option<u64>,
}

impl Memory {
    /// Reads the lines of `/proc/meminfo`, such as `MemTotal:       24689764 kB`.
    fn read(text: &str) -> Self {
        let bytes = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            kibibytes.checked_mul(1024)
        };
        Self {
            total: bytes("MemTotal"),
            available: bytes("MemAvailable"),
            cache: bytes("Cached"),
        }
    }

    fn used(&self) -> Option<u64> {
        self.total?.checked_sub(self.available?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read() {
        let memory = Memory::read("MemTotal:   8 kB\nMemFree: 1 kB\nMemAvailable: 3 kB\nCached: x");
        assert_eq!(memory.total, Some(8192));
        assert_eq!((memory.used(), memory.cache), (Some(5120), None));
        assert_eq!(Memory::read("").used(), None);
    }
}
