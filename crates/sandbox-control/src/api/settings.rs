//! What can be changed about a sandbox.

use std::collections::BTreeMap;

use http::StatusCode;
use sandbox_provider::{Change, Provider};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::create::{or_never, positive, resources};
use super::{Call, Responded, convert};
use crate::body::{empty, json};
use crate::error::ApiError;

pub(super) async fn toolbox_url<P: Provider>(call: &Call<'_, P>) -> Responded {
    call.sandbox().await?;
    let url = convert::toolbox_url(&call.base);
    json(StatusCode::OK, &json!({ "url": url }))
}

#[derive(Debug, Deserialize, Serialize)]
struct Labels {
    labels: BTreeMap<String, String>,
}

pub(super) async fn labels<P: Provider>(call: &mut Call<'_, P>) -> Responded {
    let wanted: Labels = call.read().await?;
    let id = call.sandbox().await?.id;
    let mut change = Change::default();
    change.labels = Some(wanted.labels);
    let labels = call.shared.change(id, change).await?.spec.labels;
    json(StatusCode::OK, &Labels { labels })
}

pub(super) async fn public<P: Provider>(call: &Call<'_, P>) -> Responded {
    let mut change = Change::default();
    change.public = match call.parameter("value") {
        "true" => Some(true),
        "false" => Some(false),
        _ => return Err(ApiError::bad("the last segment is true or false")),
    };
    apply(call, change).await
}

pub(super) async fn auto_stop<P: Provider>(call: &Call<'_, P>) -> Responded {
    let mut change = Change::default();
    change.auto_stop = Some(positive("the interval", call.number("minutes")?)?);
    apply(call, change).await
}

pub(super) async fn auto_delete<P: Provider>(call: &Call<'_, P>) -> Responded {
    let mut change = Change::default();
    change.auto_delete = Some(or_never("the interval", call.number("minutes")?)?);
    apply(call, change).await
}

pub(super) async fn ttl<P: Provider>(call: &Call<'_, P>) -> Responded {
    let mut change = Change::default();
    change.ttl = Some(positive("the time to live", call.number("minutes")?)?);
    apply(call, change).await
}

pub(super) async fn last_activity<P: Provider>(call: &Call<'_, P>) -> Responded {
    let sandbox = call.sandbox().await?;
    drop(call.shared.activity.begin(&sandbox.id));
    Ok(empty(StatusCode::OK))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Network {
    network_block_all: Option<bool>,
    network_allow_list: Option<String>,
    domain_allow_list: Option<String>,
}

pub(super) async fn network<P: Provider>(call: &mut Call<'_, P>) -> Responded {
    let wanted: Network = call.read().await?;
    let lists = [wanted.network_allow_list, wanted.domain_allow_list];
    if lists.iter().flatten().any(|list| !list.is_empty()) {
        let message = "lists of addresses or domains are not applied here; networkBlockAll is";
        return Err(ApiError::not_implemented(message));
    }
    let mut change = Change::default();
    change.block_network = wanted.network_block_all;
    apply(call, change).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resize {
    cpu: Option<u32>,
    memory: Option<u32>,
    disk: Option<u32>,
}

pub(super) async fn resize<P: Provider>(call: &mut Call<'_, P>) -> Responded {
    let wanted: Resize = call.read().await?;
    let mut change = Change::default();
    change.resources = resources(wanted.cpu, wanted.memory, wanted.disk);
    if change.resources == sandbox_provider::Resources::default() {
        return Err(ApiError::bad("one of cpu, memory and disk is at least 1"));
    }
    apply(call, change).await
}

async fn apply<P: Provider>(call: &Call<'_, P>, change: Change) -> Responded {
    let id = call.sandbox().await?.id;
    let changed = call.shared.change(id, change).await?;
    call.respond(&changed)
}
