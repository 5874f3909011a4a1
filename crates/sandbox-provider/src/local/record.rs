//! A sandbox as it is stored.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::ISOLATION;
use crate::sandbox::{Resources, Sandbox, SandboxId, Spec, State};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) id: String,
    name: Option<String>,
    image: Option<String>,
    user: Option<String>,
    env: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    public: bool,
    block_network: bool,
    auto_stop: Option<Duration>,
    auto_delete: Option<Duration>,
    ttl: Option<Duration>,
    /// Records of earlier versions have none.
    #[serde(default)]
    signing_key: Option<String>,
    /// Records of former versions have none.
    #[serde(default)]
    cpus: Option<u32>,
    #[serde(default)]
    memory: Option<u64>,
    #[serde(with = "Stored")]
    state: State,
    reason: Option<String>,
    created_at: SystemTime,
    updated_at: SystemTime,
    /// Absent from the records of older versions.
    #[serde(default)]
    state_since: Option<SystemTime>,
    /// A number of its own among those of all sandboxes.
    pub(super) slot: u32,
}

/// How a [`State`] is stored.
#[derive(Serialize, Deserialize)]
#[serde(remote = "State", rename_all = "lowercase")]
enum Stored {
    Creating,
    Started,
    Starting,
    Stopping,
    Stopped,
    Paused,
    Deleting,
    Error,
}

impl Record {
    pub(super) fn of(sandbox: &Sandbox, slot: u32) -> Self {
        let Spec {
            name,
            image,
            user,
            env,
            labels,
            resources,
            public,
            block_network,
            auto_stop,
            auto_delete,
            ttl,
            signing_key,
        } = sandbox.spec.clone();
        Self {
            id: sandbox.id.to_string(),
            name,
            image,
            user,
            env,
            labels,
            public,
            block_network,
            auto_stop,
            auto_delete,
            ttl,
            signing_key,
            cpus: resources.cpus,
            memory: resources.memory,
            state: sandbox.state,
            reason: sandbox.reason.clone(),
            created_at: sandbox.created_at,
            updated_at: sandbox.updated_at,
            state_since: Some(sandbox.state_since),
            slot,
        }
    }

    pub(super) fn sandbox(self) -> Sandbox {
        Sandbox {
            id: SandboxId::new(self.id),
            spec: Spec {
                name: self.name,
                image: self.image,
                user: self.user,
                env: self.env,
                labels: self.labels,
                resources: Resources {
                    cpus: self.cpus,
                    memory: self.memory,
                    // Never limited here.
                    disk: None,
                },
                public: self.public,
                block_network: self.block_network,
                auto_stop: self.auto_stop,
                auto_delete: self.auto_delete,
                ttl: self.ttl,
                signing_key: self.signing_key,
            },
            state: self.state,
            reason: self.reason,
            isolation: ISOLATION.to_owned(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            state_since: self.state_since.unwrap_or(self.updated_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_is_what_its_record_says() {
        for state in [
            State::Creating,
            State::Started,
            State::Starting,
            State::Stopping,
            State::Stopped,
            State::Paused,
            State::Deleting,
            State::Error,
        ] {
            let sandbox = Sandbox {
                id: SandboxId::new("i"),
                spec: Spec {
                    name: Some("n".to_owned()),
                    image: Some("m".to_owned()),
                    user: Some("u".to_owned()),
                    env: [("A".to_owned(), "ä\n".to_owned())].into(),
                    labels: [("l".to_owned(), String::new())].into(),
                    resources: Resources {
                        cpus: Some(2),
                        memory: Some(1 << 30),
                        disk: None,
                    },
                    public: true,
                    block_network: true,
                    auto_stop: Some(Duration::from_millis(1500)),
                    auto_delete: None,
                    ttl: Some(Duration::ZERO),
                    signing_key: Some("k".to_owned()),
                },
                state,
                reason: Some("r".to_owned()),
                isolation: ISOLATION.to_owned(),
                created_at: SystemTime::UNIX_EPOCH + Duration::new(1, 2),
                updated_at: SystemTime::UNIX_EPOCH + Duration::new(3, 4),
                state_since: SystemTime::UNIX_EPOCH + Duration::new(2, 5),
            };
            let text = serde_json::to_vec(&Record::of(&sandbox, 7)).unwrap();
            let record: Record = serde_json::from_slice(&text).unwrap();
            assert_eq!(record.slot, 7);
            assert_eq!(record.sandbox(), sandbox);

            // As older versions have stored it.
            let mut text: serde_json::Value = serde_json::from_slice(&text).unwrap();
            text.as_object_mut().unwrap().remove("state_since").unwrap();
            let record: Record = serde_json::from_value(text).unwrap();
            let found = record.sandbox();
            assert_eq!(found.state_since, sandbox.updated_at);
            let known = Sandbox {
                state_since: sandbox.state_since,
                ..found
            };
            assert_eq!(known, sandbox);
        }
    }

    #[test]
    fn records_of_former_versions_are_read() {
        let sandbox = Sandbox::new(
            SandboxId::new("i"),
            Spec::default(),
            State::Stopped,
            SystemTime::UNIX_EPOCH,
        );
        let mut value = serde_json::to_value(Record::of(&sandbox, 7)).unwrap();
        for name in ["cpus", "memory"] {
            value.as_object_mut().unwrap().remove(name).unwrap();
        }
        let record: Record = serde_json::from_value(value).unwrap();
        assert_eq!(record.sandbox().spec, sandbox.spec);
    }
}
