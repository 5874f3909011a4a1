//! Between the types of the model and the bodies of the control plane's routes.

use std::time::Duration;

use sandbox_wire::rest;

use crate::http::convert::time;
use crate::model::{PreviewUrl, SandboxInfo, SandboxPage, SandboxRequest, SandboxState};

pub(super) fn create(request: SandboxRequest) -> rest::CreateSandboxRequest {
    rest::CreateSandboxRequest {
        name: request.name,
        snapshot: request.image,
        user: request.user,
        env: request.env,
        labels: request.labels,
        network_block_all: request.block_network,
        cpu: request.cpus,
        memory: request.memory_gib,
        disk: request.disk_gib,
        auto_stop_interval: request.auto_stop.map(minutes),
        auto_delete_interval: request
            .auto_delete
            // 0 would delete the sandbox as soon as it is stopped.
            .map(|after| after.map_or(NEVER, minutes)),
        ttl_minutes: request.ttl.map(minutes),
    }
}

pub(super) fn sandbox(received: rest::Sandbox) -> SandboxInfo {
    SandboxInfo {
        id: received.id,
        name: received.name,
        image: received.snapshot.filter(|name| !name.is_empty()),
        user: received.user,
        env: received.env,
        labels: received.labels,
        block_network: received.network_block_all,
        cpus: received.cpu,
        memory_gib: received.memory,
        disk_gib: received.disk,
        state: SandboxState::named(&received.state),
        error_reason: received.error_reason.filter(|reason| !reason.is_empty()),
        // 0 is never here, but immediately after a stop.
        auto_stop: received
            .auto_stop_interval
            .filter(|minutes| *minutes > 0.0)
            .and_then(interval),
        auto_delete: received.auto_delete_interval.and_then(interval),
        created: received.created_at.as_deref().and_then(time),
        updated: received.updated_at.as_deref().and_then(time),
        toolbox_url: received.toolbox_proxy_url,
    }
}

pub(super) fn page(received: rest::ListSandboxesResponse) -> SandboxPage {
    SandboxPage {
        items: received.items.into_iter().map(sandbox).collect(),
        next: received.next_cursor.filter(|cursor| !cursor.is_empty()),
    }
}

pub(super) fn preview(received: rest::PreviewUrl) -> PreviewUrl {
    PreviewUrl {
        url: received.url,
        token: received.token,
    }
}

/// The number of minutes that means never where 0 has another meaning.
pub(super) const NEVER: i64 = -1;

/// Returns whole minutes, so that what is not zero does not become it.
pub(super) fn minutes(duration: Duration) -> i64 {
    let minutes = duration.as_millis().div_ceil(60_000);
    i64::try_from(minutes).unwrap_or(i64::MAX)
}

fn interval(minutes: f64) -> Option<Duration> {
    // A negative number means never.
    Duration::try_from_secs_f64(minutes * 60.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_whole_minutes_and_never_is_a_number_of_its_own() {
        let check = |millis, expect| assert_eq!(minutes(Duration::from_millis(millis)), expect);
        check(0, 0);
        check(1, 1);
        check(60_000, 1);
        check(60_001, 2);
        assert_eq!(minutes(Duration::MAX), 307_445_734_561_825_861);
        let request = SandboxRequest {
            auto_stop: Some(Duration::ZERO),
            auto_delete: Some(None),
            ..SandboxRequest::default()
        };
        let body = serde_json::to_string(&create(request)).unwrap();
        assert_eq!(body, r#"{"autoStopInterval":0,"autoDeleteInterval":-1}"#);
    }

    #[test]
    fn a_sandbox_needs_only_its_id() {
        let read = |text| sandbox(serde_json::from_str::<rest::Sandbox>(text).unwrap());
        let least = read(r#"{"id": "i", "name": null, "autoStopInterval": 0, "createdAt": "x"}"#);
        assert_eq!((&*least.id, &least.state), ("i", &SandboxState::Unknown));
        assert_eq!((least.auto_stop, least.auto_delete), (None, None));
        let more = read(
            r#"{"id": "i", "name": "n", "state": "destroyed", "cpu": 2, "memory": 1.5, "autoStopInterval": 15,
                "autoDeleteInterval": 0, "createdAt": "2026-01-02T03:04:05.678Z", "more": [1]}"#,
        );
        assert_eq!((more.state, more.memory_gib), (SandboxState::Deleted, 1.5));
        assert_eq!(more.auto_stop, Some(Duration::from_secs(900)));
        assert_eq!(more.auto_delete, Some(Duration::ZERO));
        assert!(more.created.is_some());
        let never = read(r#"{"id": "i", "autoDeleteInterval": -1, "state": "archiving"}"#);
        assert_eq!(never.auto_delete, None);
        assert_eq!(never.state, SandboxState::Other("archiving".to_owned()));
        // Numbers that are no time.
        assert_eq!(
            read(r#"{"id": "", "autoStopInterval": 1e300}"#).auto_stop,
            None
        );
    }
}
