//! Sandboxes as the API shows them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use sandbox_provider::{Interval, Provider, Sandbox, State};
use serde::Serialize;
use serde_json::{Value, json};

use crate::events::Event;
use crate::shared::Shared;

/// A sandbox. Clients check the types of all fields, so numbers are whole.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View<'a> {
    id: &'a str,
    organization_id: &'static str,
    name: &'a str,
    snapshot: &'a str,
    user: &'a str,
    /// Absent from lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<&'a BTreeMap<String, String>>,
    labels: &'a BTreeMap<String, String>,
    public: bool,
    network_block_all: bool,
    kvm: bool,
    target: &'static str,
    cpu: u32,
    gpu: u32,
    memory: u64,
    disk: u64,
    state: &'static str,
    desired_state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_reason: Option<&'a str>,
    recoverable: bool,
    auto_stop_interval: i64,
    auto_delete_interval: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_destroy_at: Option<String>,
    created_at: String,
    updated_at: String,
    last_activity_at: String,
    sandbox_class: &'static str,
    toolbox_proxy_url: String,
    /// *Extension*: how strongly the sandbox is isolated.
    isolation: &'a str,
}

/// Shows a sandbox with all of its fields.
pub(super) fn whole<'a, P: Provider>(
    shared: &Shared<P>,
    sandbox: &'a Sandbox,
    base: &str,
) -> View<'a> {
    View {
        env: Some(&sandbox.spec.env),
        ..item(shared, sandbox, base)
    }
}

/// Shows a sandbox as lists have it.
pub(super) fn item<'a, P: Provider>(
    shared: &Shared<P>,
    sandbox: &'a Sandbox,
    base: &str,
) -> View<'a> {
    let spec = &sandbox.spec;
    let gibibytes = |bytes: Option<u64>| bytes.unwrap_or_default().div_ceil(GIBIBYTE);
    let last = shared.activity.last_day(&sandbox.id);
    View {
        id: sandbox.id.as_str(),
        organization_id: "local",
        name: spec.name.as_deref().unwrap_or(sandbox.id.as_str()),
        snapshot: spec.image.as_deref().unwrap_or(DEFAULT_SNAPSHOT),
        user: spec.user.as_deref().unwrap_or("daytona"),
        env: None,
        labels: &spec.labels,
        public: spec.public,
        network_block_all: spec.block_network,
        kvm: false,
        target: TARGET,
        cpu: spec.resources.cpus.unwrap_or_default(),
        gpu: 0,
        memory: gibibytes(spec.resources.memory),
        disk: gibibytes(spec.resources.disk),
        state: state(sandbox.state),
        desired_state: desired(sandbox.state),
        error_reason: sandbox.reason.as_deref(),
        recoverable: sandbox.state == State::Error,
        auto_stop_interval: minutes(spec.auto_stop).unwrap_or(0),
        auto_delete_interval: minutes(spec.auto_delete).unwrap_or(-1),
        auto_destroy_at: spec.ttl.map(|ttl| time(sandbox.created_at + ttl)),
        created_at: time(sandbox.created_at),
        updated_at: time(sandbox.updated_at),
        last_activity_at: time(last.max(sandbox.created_at)),
        sandbox_class: CLASS,
        toolbox_proxy_url: toolbox_url(base),
        isolation: &sandbox.isolation,
    }
}

/// Shows a sandbox that is not there any more.
pub(super) fn destroyed<'a, P: Provider>(
    shared: &Shared<P>,
    sandbox: &'a Sandbox,
    base: &str,
) -> View<'a> {
    View {
        state: "destroyed",
        desired_state: "destroyed",
        ..whole(shared, sandbox, base)
    }
}

/// Returns the URL below which each sandbox has its toolbox, by its id.
pub(super) fn toolbox_url(base: &str) -> String {
    format!("{base}/toolbox")
}

/// Returns the name of an event, and what it carries.
pub(crate) fn event<P: Provider>(
    shared: &Shared<P>,
    event: &Event,
    base: &str,
) -> (&'static str, Value) {
    match event {
        Event::Created(sandbox) => ("sandbox.created", json!(whole(shared, sandbox, base))),
        Event::State { old, sandbox } => {
            let carried = json!({
                "sandbox": whole(shared, sandbox, base),
                "oldState": state(*old),
                "newState": state(sandbox.state),
            });
            ("sandbox.state.updated", carried)
        }
        Event::Deleted(sandbox) => {
            let carried = json!({
                "sandbox": destroyed(shared, sandbox, base),
                "oldState": "destroying",
                "newState": "destroyed",
            });
            ("sandbox.state.updated", carried)
        }
    }
}

/// Returns the name of a state, as the official clients know it.
pub(super) fn state(state: State) -> &'static str {
    match state {
        State::Creating => "creating",
        State::Started => "started",
        State::Starting => "starting",
        State::Stopping => "stopping",
        State::Stopped => "stopped",
        State::Paused => "paused",
        State::Deleting => "destroying",
        State::Error => "error",
        _ => "unknown",
    }
}

fn desired(state: State) -> &'static str {
    match state {
        State::Stopping | State::Stopped => "stopped",
        State::Paused => "paused",
        State::Deleting => "destroyed",
        _ => "started",
    }
}

fn minutes(interval: Interval) -> Option<i64> {
    let minutes = interval?.as_secs().div_ceil(60);
    i64::try_from(minutes).ok()
}

pub(super) fn time(time: SystemTime) -> String {
    // The API's times have milliseconds.
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let since = since.unwrap_or_default().min(LATEST);
    humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since).to_string()
}

/// The last second that has a text: the year 9999.
const LATEST: Duration = Duration::from_secs(253_402_300_799);

/// The region of all sandboxes.
pub(super) const TARGET: &str = "local";

/// The kind of all sandboxes.
pub(super) const CLASS: &str = "container";

/// The snapshot of a sandbox that sees the machine's own files.
pub(super) const DEFAULT_SNAPSHOT: &str = "default";

pub(super) const GIBIBYTE: u64 = 1024 * 1024 * 1024;
