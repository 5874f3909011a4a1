//! The images that are registered with the provider, as snapshots.

use http::StatusCode;
use sandbox_provider::Provider;
use sandbox_wire::ErrorCode;
use serde_json::{Value, json};

use super::convert::DEFAULT_SNAPSHOT;
use super::{Call, Responded, convert, list};
use crate::body::json;
use crate::error::ApiError;

pub(super) async fn all<P: Provider>(call: &Call<'_, P>) -> Responded {
    let names = names(call).await?;
    let (page, limit) = (list::page_number(call)?, list::page_size(call)?);
    let total = names.len();
    let items = names
        .iter()
        .skip((page - 1).saturating_mul(limit))
        .take(limit);
    let items: Vec<_> = items.map(|name| view(call, name)).collect();
    json(
        StatusCode::OK,
        &json!({"items": items, "total": total, "page": page, "totalPages": total.div_ceil(limit)}),
    )
}

pub(super) async fn get<P: Provider>(call: &Call<'_, P>) -> Responded {
    let wanted = call.parameter("id");
    let names = names(call).await?;
    match names.iter().find(|name| *name == wanted) {
        Some(name) => json(StatusCode::OK, &view(call, name)),
        None => {
            let message = format!(
                "no image `{wanted}` is registered; register a root directory with `sandbox up --image {wanted}=DIR`"
            );
            Err(ApiError::new(ErrorCode::NotFound, message))
        }
    }
}

async fn names<P: Provider>(call: &Call<'_, P>) -> Result<Vec<String>, ApiError> {
    let mut names = vec![DEFAULT_SNAPSHOT.to_owned()];
    names.extend(call.shared.provider.images().await?);
    Ok(names)
}

fn view<P: Provider>(call: &Call<'_, P>, name: &str) -> Value {
    let began = convert::time(call.shared.began());
    json!({
        "id": name,
        "organizationId": "local",
        "general": true,
        "name": name,
        "imageName": name,
        "state": "active",
        "size": null,
        "entrypoint": null,
        "cpu": 0,
        "gpu": 0,
        "mem": 0,
        "disk": 0,
        "errorReason": null,
        "createdAt": began,
        "updatedAt": began,
        "lastUsedAt": null,
        "sourceSandboxId": null,
        "sandboxClass": "container",
    })
}
