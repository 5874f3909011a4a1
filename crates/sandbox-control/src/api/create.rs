//! `POST /sandbox`.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderMap;
use sandbox_daemon::limits::REQUEST_KEY_BYTES;
use sandbox_provider::{Interval, Provider, Resources, Spec};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::call::{Call, Responded};
use super::convert::{DEFAULT_SNAPSHOT, GIBIBYTE};
use crate::body::unreadable;
use crate::error::ApiError;
use crate::limits::INTERVAL_MINUTES;

/// The name of Daytona's own image, which stands for that, too: with any tag.
const DAYTONA_IMAGE: &str = "daytonaio/sandbox";

/// What a client asks for. What is not there is as the provider decides.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Create {
    name: Option<String>,
    snapshot: Option<String>,
    /// Older clients have it in place of `buildInfo`.
    image: Option<String>,
    user: Option<String>,
    env: Option<BTreeMap<String, String>>,
    labels: Option<BTreeMap<String, String>>,
    public: Option<bool>,
    network_block_all: Option<bool>,
    network_allow_list: Option<String>,
    domain_allow_list: Option<String>,
    outbound_proxy_url: Option<String>,
    otel_endpoint_override: Option<String>,
    kvm: Option<bool>,
    spot: Option<bool>,
    cpu: Option<u32>,
    gpu: Option<u32>,
    gpu_type: Option<Value>,
    memory: Option<u32>,
    disk: Option<u32>,
    auto_stop_interval: Option<i64>,
    auto_pause_interval: Option<i64>,
    auto_archive_interval: Option<i64>,
    auto_delete_interval: Option<i64>,
    ttl_minutes: Option<i64>,
    volumes: Option<Vec<Value>>,
    secrets: Option<Vec<Value>>,
    build_info: Option<BuildInfo>,
    linked_sandbox: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BuildInfo {
    dockerfile_content: Option<String>,
    context_hashes: Option<Vec<String>>,
}

pub(super) async fn create<P: Provider>(call: &mut Call<'_, P>) -> Responded {
    let request: Map<String, Value> = call.read().await?;
    let (text, spec) = spec(request, call.shared.auto_stop)?;
    let created = match key(&call.parts.headers)? {
        Some(key) => {
            let key = call.shared.keys.enter(key, &text)?;
            call.shared.create_once(key, spec).await
        }
        None => call.shared.create(spec).await,
    };
    let created = created.map_err(ApiError::of_description)?;
    call.respond(&created)
}

/// Returns the text of a request, which equal requests have in common, and what it asks for.
pub(crate) fn spec(
    request: Map<String, Value>,
    default_auto_stop: Interval,
) -> Result<(String, Spec), ApiError> {
    // Its members are in order.
    let text = Value::Object(request).to_string();
    let wanted: Create = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
    wanted.check()?;
    let spec = wanted.into_spec(default_auto_stop)?;
    Ok((text, spec))
}

/// Returns the name of a request that must not be carried out twice.
fn key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match key.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= REQUEST_KEY_BYTES => Ok(Some(key)),
        _ => {
            let message =
                format!("an Idempotency-Key has from 1 to {REQUEST_KEY_BYTES} characters");
            Err(ApiError::bad(message))
        }
    }
}

impl Create {
    /// Refuses what no sandbox has here, rather than to leave it out.
    fn check(&self) -> Result<(), ApiError> {
        let has_text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let has_items =
            |list: &Option<Vec<Value>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let asked = [
            ("networkAllowList", has_text(&self.network_allow_list)),
            ("domainAllowList", has_text(&self.domain_allow_list)),
            ("outboundProxyUrl", has_text(&self.outbound_proxy_url)),
            (
                "otelEndpointOverride",
                has_text(&self.otel_endpoint_override),
            ),
            ("linkedSandbox", has_text(&self.linked_sandbox)),
            ("kvm", self.kvm == Some(true)),
            ("spot", self.spot == Some(true)),
            ("gpu", self.gpu.is_some_and(|gpus| gpus > 0)),
            ("gpuType", is_asked(self.gpu_type.as_ref())),
            (
                "autoPauseInterval",
                self.auto_pause_interval.is_some_and(|time| time != 0),
            ),
            // 0 is the longest of Daytona's, and nothing is ever archived here.
            (
                "autoArchiveInterval",
                self.auto_archive_interval.is_some_and(|time| time != 0),
            ),
            ("volumes", has_items(&self.volumes)),
            ("secrets", has_items(&self.secrets)),
        ];
        match asked.iter().find(|(_, is_asked)| *is_asked) {
            Some((name, _)) => {
                let message = format!("this control plane has no {name}; leave it out");
                Err(ApiError::bad(message))
            }
            None => Ok(()),
        }
    }

    fn into_spec(self, default_auto_stop: Interval) -> Result<Spec, ApiError> {
        let image = self.image()?;
        let mut spec = Spec::default();
        spec.name = self.name.filter(|name| !name.is_empty());
        spec.image = image;
        spec.user = self.user.filter(|user| !user.is_empty());
        spec.env = self.env.unwrap_or_default();
        spec.labels = self.labels.unwrap_or_default();
        spec.public = self.public.unwrap_or_default();
        spec.block_network = self.network_block_all.unwrap_or_default();
        spec.resources = resources(self.cpu, self.memory, self.disk);
        spec.auto_stop = match self.auto_stop_interval {
            Some(minutes) => positive("autoStopInterval", minutes)?,
            None => default_auto_stop,
        };
        spec.auto_delete = match self.auto_delete_interval {
            Some(minutes) => or_never("autoDeleteInterval", minutes)?,
            None => None,
        };
        spec.ttl = match self.ttl_minutes {
            Some(minutes) => positive("ttlMinutes", minutes)?,
            None => None,
        };
        Ok(spec)
    }

    /// Returns the registered image, or `None` for the machine's own files.
    fn image(&self) -> Result<Option<String>, ApiError> {
        let built = match &self.build_info {
            Some(info) => info.image()?,
            None => None,
        };
        let names = [built, self.image.clone(), self.snapshot.clone()];
        let name = names.into_iter().flatten().find(|name| !name.is_empty());
        let is_default = |name: &str| {
            let repository = name.split(':').next().unwrap_or_default();
            name == DEFAULT_SNAPSHOT || repository == DAYTONA_IMAGE
        };
        Ok(name.filter(|name| !is_default(name)))
    }
}

impl BuildInfo {
    /// Returns the image of a Dockerfile that has one line, `FROM image`: clients send that for the name of an image.
    fn image(&self) -> Result<Option<String>, ApiError> {
        let is_built = self
            .context_hashes
            .as_ref()
            .is_some_and(|hashes| !hashes.is_empty());
        let content = self.dockerfile_content.as_deref().unwrap_or_default();
        let mut lines = content.lines().map(str::trim);
        let mut lines = lines
            .by_ref()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let words: Vec<_> = lines
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        match (words.as_slice(), lines.next()) {
            _ if is_built => {}
            ([], _) => return Ok(None),
            ([from, image], None) if from.eq_ignore_ascii_case("from") => {
                return Ok(Some((*image).to_owned()));
            }
            _ => {}
        }
        let message = "images are not built here: give the name of a registered root directory as the image \
             (register one with `sandbox up --image NAME=DIR`), or leave it out";
        Err(ApiError::bad(message))
    }
}

/// Returns whether this is more than nothing: clients send `null` or an empty list.
fn is_asked(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) => true,
    }
}

/// Returns what a sandbox may use; 0 is as the provider decides.
pub(super) fn resources(cpu: Option<u32>, memory: Option<u32>, disk: Option<u32>) -> Resources {
    let bytes = |gibibytes: u32| u64::from(gibibytes) * GIBIBYTE;
    let mut resources = Resources::default();
    resources.cpus = cpu.filter(|cpus| *cpus > 0);
    resources.memory = memory.filter(|memory| *memory > 0).map(bytes);
    resources.disk = disk.filter(|disk| *disk > 0).map(bytes);
    resources
}

/// Returns an interval in minutes, of which 0 is never.
pub(super) fn positive(name: &str, minutes: i64) -> Result<Interval, ApiError> {
    match u64::try_from(minutes) {
        Ok(0) => Ok(None),
        Ok(minutes) if minutes <= INTERVAL_MINUTES => Ok(Some(Duration::from_secs(minutes * 60))),
        _ => {
            let message = format!("{name} is from 0 (never) to {INTERVAL_MINUTES} minutes");
            Err(ApiError::bad(message))
        }
    }
}

/// Returns an interval in minutes, of which a negative one is never, and 0 immediately.
pub(super) fn or_never(name: &str, minutes: i64) -> Result<Interval, ApiError> {
    match minutes {
        0 => Ok(Some(Duration::ZERO)),
        minutes if minutes < 0 => Ok(None),
        minutes => positive(name, minutes),
    }
}
