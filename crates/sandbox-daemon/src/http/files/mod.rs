//! `/files` and everything below it.

mod bulk;
mod convert;
mod download;
pub(crate) mod form;
mod incoming;
pub(crate) mod names;
mod search;
mod upload;

pub(super) use bulk::bulk_download;
pub(super) use download::download;
pub(super) use search::{find, replace, search};
pub(super) use upload::{bulk_upload, upload};

use std::path::PathBuf;

use http::header::HeaderName;
use http::{HeaderValue, Response, StatusCode};
use sandbox_files::{Owner, Permissions};
use sandbox_wire::rest::FileInfo;
use serde::Serialize;

use super::response::{Body, empty, typed, whole_body};
use super::{ApiError, Call, Responded};
use crate::service::Error;
use crate::service::files::about;

/// `GET /files`.
pub(super) async fn list(call: Call) -> Responded {
    let path = match call.query_bytes("path") {
        Some(path) if !path.is_empty() => names::to_path(&path),
        _ => PathBuf::from("."),
    };
    let depth = match call.query("depth").as_deref() {
        None | Some("") => 1,
        Some(depth) => match depth.parse() {
            Ok(depth) if depth >= 1 => depth,
            _ => return Err(Error::bad("depth is a number, at least 1").into()),
        },
    };
    let files = &call.state.files;
    let listed = files.list(&path, depth).await;
    let listed = listed.map_err(|error| about(&names::to_text(&path), error))?;
    let directory = files.absolute(&path).map_err(Error::from)?;
    let is_truncated = listed.is_truncated;
    let convert = move || {
        let entries = listed.found.into_iter();
        let info = |entry: sandbox_files::Entry| {
            convert::info(&directory.join(&entry.path), &entry.metadata)
        };
        entries.map(info).collect::<Vec<FileInfo>>()
    };
    respond_apart(convert, is_truncated).await
}

/// `GET /files/info`.
pub(super) async fn info(call: Call) -> Responded {
    let path = path_of(&call, "path")?;
    let files = &call.state.files;
    let metadata = files.metadata(&path).await;
    let metadata = metadata.map_err(|error| about(&names::to_text(&path), error))?;
    let path = files.absolute(&path).map_err(Error::from)?;
    Ok(super::response::json(
        StatusCode::OK,
        &convert::info(&path, &metadata),
    )?)
}

/// `POST /files/folder`.
pub(super) async fn create_folder(mut call: Call) -> Responded {
    call.discard_body().await;
    let path = path_of(&call, "path")?;
    let mode = mode_of(&call)?.unwrap_or(FOLDER_MODE);
    let created = call.state.files.create_dir(&path, Some(mode)).await;
    created.map_err(|error| about(&names::to_text(&path), error))?;
    Ok(empty(StatusCode::CREATED))
}

/// `DELETE /files`.
pub(super) async fn remove(mut call: Call) -> Responded {
    call.discard_body().await;
    let path = path_of(&call, "path")?;
    let is_recursive = match call.query("recursive").as_deref() {
        Some("true" | "True" | "TRUE" | "t" | "T" | "1") => true,
        None | Some("" | "false" | "False" | "FALSE" | "f" | "F" | "0") => false,
        Some(_) => return Err(Error::bad("recursive is true or false").into()),
    };
    let files = &call.state.files;
    let removed = match is_recursive {
        true => files.remove_all(&path).await,
        false => files.remove_file(&path).await,
    };
    removed.map_err(|error| match error {
        sandbox_files::Error::IsADirectory => {
            let text = names::to_text(&path);
            let help = "is a directory; help: delete it with recursive=true";
            Error::new(
                sandbox_wire::ErrorCode::InvalidFilePath,
                format!("{text}: {help}"),
            )
        }
        error => about(&names::to_text(&path), error),
    })?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `POST /files/move`.
pub(super) async fn rename(mut call: Call) -> Responded {
    call.discard_body().await;
    let (from, to) = (path_of(&call, "source")?, path_of(&call, "destination")?);
    let renamed = call.state.files.rename(&from, &to).await;
    renamed.map_err(|error| {
        let (from, to) = (names::to_text(&from), names::to_text(&to));
        about(&format!("{from} to {to}"), error)
    })?;
    Ok(empty(StatusCode::OK))
}

/// `POST /files/permissions`.
pub(super) async fn set_permissions(mut call: Call) -> Responded {
    call.discard_body().await;
    let path = path_of(&call, "path")?;
    let owner = |name| {
        let owner = call.query(name).filter(|owner| !owner.is_empty());
        owner.as_deref().map(Owner::from)
    };
    let permissions = Permissions {
        mode: mode_of(&call)?,
        owner: owner("owner"),
        group: owner("group"),
    };
    let set = call.state.files.set_permissions(&path, permissions).await;
    set.map_err(|error| about(&names::to_text(&path), error))?;
    Ok(empty(StatusCode::OK))
}

/// The path that the query has by this name.
fn path_of(call: &Call, name: &str) -> Result<PathBuf, ApiError> {
    let path = call.query_bytes(name).filter(|path| !path.is_empty());
    let path = path.ok_or_else(|| Error::bad(format!("the query has no {name}")))?;
    Ok(names::to_path(&path))
}

/// The mode of the query, which is octal.
fn mode_of(call: &Call) -> Result<Option<u32>, ApiError> {
    let Some(mode) = call.query("mode").filter(|mode| !mode.is_empty()) else {
        return Ok(None);
    };
    let digits = mode.strip_prefix("0o").unwrap_or(&mode);
    let is_octal = digits.bytes().all(|digit| digit.is_ascii_digit());
    let parsed = is_octal.then(|| u32::from_str_radix(digits, 8).ok());
    match parsed.flatten().filter(|mode| *mode <= 0o7777) {
        Some(mode) => Ok(Some(mode)),
        None => Err(Error::bad(format!("mode is octal, at most 7777, not '{mode}'")).into()),
    }
}

/// Responds with what may be much, and is made on a thread that may be busy for a while.
async fn respond_apart<T: Serialize>(
    make: impl FnOnce() -> T + Send + 'static,
    is_truncated: bool,
) -> Responded {
    let body = tokio::task::spawn_blocking(move || serde_json::to_vec(&make()));
    let body = body.await.map_err(ApiError::internal)??;
    let mut response: Response<Body> = typed(super::response::JSON, whole_body(body.into()));
    if is_truncated {
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert(TRUNCATED, yes);
    }
    Ok(response)
}

/// *Extension*: on a response that ends at a bound.
const TRUNCATED: HeaderName = HeaderName::from_static("x-sandbox-truncated");

/// The mode of a folder whose request has none.
const FOLDER_MODE: u32 = 0o755;
