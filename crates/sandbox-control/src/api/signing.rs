//! The keys by which clients sign URLs of files.

use http::StatusCode;
use sandbox_provider::{Change, Provider};

use super::call::{Call, Responded};
use crate::body::json;
use crate::signing;

/// `GET /sandbox/{id}/signing-key`: a sandbox gets its key when it is first asked for.
pub(super) async fn key<P: Provider>(call: &Call<'_, P>) -> Responded {
    match call.sandbox().await?.spec.signing_key {
        Some(key) => json(StatusCode::OK, &key),
        None => rotate(call).await,
    }
}

/// `POST /sandbox/{id}/signing-key/rotate`: URLs that were signed before are refused from now on.
pub(super) async fn rotate<P: Provider>(call: &Call<'_, P>) -> Responded {
    let id = call.sandbox().await?.id;
    let key = signing::new_key();
    let mut change = Change::default();
    change.signing_key = Some(key.clone());
    call.shared.change(id, change).await?;
    json(StatusCode::OK, &key)
}
