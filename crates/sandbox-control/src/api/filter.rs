//! Which sandboxes a list has.

use std::collections::BTreeMap;
use std::time::SystemTime;

use sandbox_provider::{Provider, Sandbox, State};

use super::convert::DEFAULT_SNAPSHOT;
use super::convert::{self, CLASS, GIBIBYTE, TARGET};
use super::{Call, list};
use crate::error::ApiError;

/// What sandboxes have in common that a client asks for.
#[derive(Debug)]
pub(super) struct Filter {
    id: String,
    name: String,
    labels: BTreeMap<String, String>,
    states: Vec<String>,
    snapshots: Vec<String>,
    targets: Vec<String>,
    classes: Vec<String>,
    is_public: Option<bool>,
    is_recoverable: Option<bool>,
    cpu: Amount,
    gpu: Amount,
    memory: Amount,
    disk: Amount,
    created: Period,
    active: Period,
    destroyed: Period,
}

/// The least and the most of something, both included.
type Amount = (Option<u64>, Option<u64>);

/// The times after and before which something was or will be.
type Period = (Option<SystemTime>, Option<SystemTime>);

impl Filter {
    pub(super) fn of<P: Provider>(call: &Call<'_, P>) -> Result<Self, ApiError> {
        let labels = match call.query("labels").filter(|text| !text.is_empty()) {
            Some(text) => serde_json::from_str(&text).map_err(|error| {
                ApiError::bad(format!("labels is no JSON object of texts: {error}"))
            })?,
            None => BTreeMap::new(),
        };
        let number = |name| Ok::<_, ApiError>(list::number(call, name, 0)?.map(u64::from));
        let amount = |least, most| Ok::<_, ApiError>((number(least)?, number(most)?));
        let period = |after, before| Ok::<_, ApiError>((time(call, after)?, time(call, before)?));
        Ok(Self {
            id: call.query("id").unwrap_or_default(),
            name: call.query("name").unwrap_or_default(),
            labels,
            states: call.queries("states"),
            snapshots: call.queries("snapshots"),
            targets: call.queries("regionIds"),
            classes: call.queries("sandboxClasses"),
            is_public: choice(call, "isPublic")?,
            is_recoverable: choice(call, "isRecoverable")?,
            cpu: amount("minCpu", "maxCpu")?,
            gpu: amount("minGpu", "maxGpu")?,
            memory: amount("minMemoryGiB", "maxMemoryGiB")?,
            disk: amount("minDiskGiB", "maxDiskGiB")?,
            created: period("createdAtAfter", "createdAtBefore")?,
            active: period("lastEventAfter", "lastEventBefore")?,
            destroyed: period("autoDestroyAtAfter", "autoDestroyAtBefore")?,
        })
    }

    /// Returns whether a sandbox, which was last active then, is one of those.
    pub(super) fn matches(&self, sandbox: &Sandbox, last_active: SystemTime) -> bool {
        let spec = &sandbox.spec;
        let snapshot = spec.image.as_deref().unwrap_or(DEFAULT_SNAPSHOT);
        let name = spec.name.as_deref().unwrap_or(sandbox.id.as_str());
        let has_label = |(key, value): (&String, &String)| spec.labels.get(key) == Some(value);
        let has_time = |period: &Period, time: Option<SystemTime>| {
            let (after, before) = period;
            after.is_none_or(|after| time.is_some_and(|time| time > after))
                && before.is_none_or(|before| time.is_some_and(|time| time < before))
        };
        begins(sandbox.id.as_str(), &self.id)
            && begins(name, &self.name)
            && self.labels.iter().all(has_label)
            && is_any(&self.states, convert::state(sandbox.state))
            && is_any(&self.snapshots, snapshot)
            && is_any(&self.targets, TARGET)
            && is_any(&self.classes, CLASS)
            && self.is_public.is_none_or(|is| is == spec.public)
            && self
                .is_recoverable
                .is_none_or(|is| is == (sandbox.state == State::Error))
            && self.has_resources(sandbox)
            && has_time(&self.created, Some(sandbox.created_at))
            && has_time(&self.active, Some(last_active))
            && has_time(
                &self.destroyed,
                spec.ttl.map(|ttl| sandbox.created_at + ttl),
            )
    }

    fn has_resources(&self, sandbox: &Sandbox) -> bool {
        let resources = &sandbox.spec.resources;
        let gibibytes = |bytes: Option<u64>| bytes.unwrap_or_default().div_ceil(GIBIBYTE);
        let amounts = [
            (self.cpu, resources.cpus.unwrap_or_default().into()),
            (self.gpu, 0),
            (self.memory, gibibytes(resources.memory)),
            (self.disk, gibibytes(resources.disk)),
        ];
        amounts.iter().all(|((least, most), amount)| {
            least.is_none_or(|least| *amount >= least) && most.is_none_or(|most| *amount <= most)
        })
    }
}

/// Returns whether a text begins with another one, in letters of any case.
fn begins(text: &str, prefix: &str) -> bool {
    let head = text.get(..prefix.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// Returns whether a list has a text, or is empty.
fn is_any(list: &[String], text: &str) -> bool {
    list.is_empty() || list.iter().any(|one| one == text)
}

fn choice<P: Provider>(call: &Call<'_, P>, name: &str) -> Result<Option<bool>, ApiError> {
    match call.query(name).as_deref() {
        None => Ok(None),
        Some("true" | "True") => Ok(Some(true)),
        Some("false" | "False") => Ok(Some(false)),
        Some(_) => Err(ApiError::bad(format!("{name} is true or false"))),
    }
}

fn time<P: Provider>(call: &Call<'_, P>, name: &str) -> Result<Option<SystemTime>, ApiError> {
    let Some(given) = call.query(name) else {
        return Ok(None);
    };
    // Clients send the offset of UTC with a colon, without one, or as a Z.
    let spaced = given.replace(' ', "+");
    let offsets = ["+00:00", "+0000"];
    let text = offsets.iter().find_map(|zero| spaced.strip_suffix(zero));
    let text = text.map_or(given, |text| format!("{text}Z"));
    let parsed = humantime::parse_rfc3339_weak(&text);
    parsed
        .map(Some)
        .map_err(|_| ApiError::bad(format!("{name} is no time of RFC 3339 in UTC")))
}
