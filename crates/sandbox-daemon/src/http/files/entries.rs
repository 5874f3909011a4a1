//! Directory entries, and operations on them by path.

use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue, StatusCode};
use sandbox_files::Metadata;
use sandbox_wire::rest::FileInfo;

use super::apart::respond_apart;
use super::convert;
use super::query::{mode_of, path_of};
use crate::http::response::{empty, json};
use crate::http::{ApiError, Call, Responded};
use crate::service::Error;
use crate::service::files::{self, Links, at, names};

/// `GET /files`.
pub(in crate::http) async fn list(call: Call) -> Responded {
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
    if let Some(size) = page_of(&call)? {
        return page(&call, &path, depth, size).await;
    }
    let files = &call.state.files;
    let listed = files.list(&path, depth).await;
    let listed = listed.map_err(at(&path))?;
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

/// *Extension*: one page of the entries.
async fn page(call: &Call, path: &Path, depth: usize, size: usize) -> Responded {
    let token = call.query("page_token").unwrap_or_default();
    let listed = files::page(&call.state.files, path, depth, size, &token).await?;
    let (entries, next) = (listed.entries, listed.next);
    let convert = move || {
        let entries = entries.iter();
        let info = |(path, metadata): &(PathBuf, Metadata)| convert::info(path, metadata);
        entries.map(info).collect::<Vec<FileInfo>>()
    };
    let mut response = respond_apart(convert, listed.is_incomplete).await?;
    if let Some(next) = next {
        let next = HeaderValue::try_from(next).map_err(ApiError::internal)?;
        response.headers_mut().insert(NEXT_PAGE, next);
    }
    Ok(response)
}

/// Returns the size of the requested page; `None` if the whole listing is requested.
fn page_of(call: &Call) -> Result<Option<usize>, Error> {
    match (call.query("page_size"), call.query("page_token")) {
        (None, None) => Ok(None),
        // A token alone asks for the next page, of the default size.
        (None, Some(_)) => Ok(Some(0)),
        (Some(size), _) => match size.parse() {
            Ok(size) => Ok(Some(size)),
            Err(_) => Err(Error::bad("page_size is a number")),
        },
    }
}

/// `GET /files/info`.
pub(in crate::http) async fn info(call: Call) -> Responded {
    let path = path_of(&call, "path")?;
    let (path, metadata) = files::stat(&call.state.files, &path, Links::Follow).await?;
    Ok(json(StatusCode::OK, &convert::info(&path, &metadata))?)
}

/// `POST /files/folder`.
pub(in crate::http) async fn create_folder(mut call: Call) -> Responded {
    call.discard_body().await;
    let path = path_of(&call, "path")?;
    let mode = mode_of(&call)?.unwrap_or(FOLDER_MODE);
    let created = call.state.files.create_dir(&path, Some(mode)).await;
    created.map_err(at(&path))?;
    Ok(empty(StatusCode::CREATED))
}

/// `DELETE /files`.
pub(in crate::http) async fn remove(mut call: Call) -> Responded {
    call.discard_body().await;
    let path = path_of(&call, "path")?;
    let is_recursive = match call.query("recursive").as_deref() {
        // The spellings of Go's `strconv.ParseBool`.
        Some("true" | "True" | "TRUE" | "t" | "T" | "1") => true,
        None | Some("" | "false" | "False" | "FALSE" | "f" | "F" | "0") => false,
        Some(_) => return Err(Error::bad("recursive is true or false").into()),
    };
    let help = "delete it with recursive=true";
    files::remove(&call.state.files, &path, is_recursive, help).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `POST /files/move`.
pub(in crate::http) async fn rename(mut call: Call) -> Responded {
    call.discard_body().await;
    let (from, to) = (path_of(&call, "source")?, path_of(&call, "destination")?);
    files::rename(&call.state.files, &from, &to).await?;
    Ok(empty(StatusCode::OK))
}

/// `POST /files/permissions`.
pub(in crate::http) async fn set_permissions(mut call: Call) -> Responded {
    call.discard_body().await;
    let path = path_of(&call, "path")?;
    let mode = mode_of(&call)?;
    let [owner, group] = ["owner", "group"].map(|name| call.query(name).unwrap_or_default());
    files::set_permissions(&call.state.files, &path, mode, &owner, &group).await?;
    Ok(empty(StatusCode::OK))
}

/// *Extension*: the `page_token` of the next page; absent on the last one.
const NEXT_PAGE: HeaderName = HeaderName::from_static("x-sandbox-next-page");

/// The mode of a folder whose request does not specify one.
const FOLDER_MODE: u32 = 0o755;
