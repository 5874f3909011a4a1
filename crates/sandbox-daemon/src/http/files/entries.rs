//! Directory entries, and operations on them by path.

use std::path::PathBuf;

use http::StatusCode;
use sandbox_files::{Owner, Permissions};
use sandbox_wire::rest::FileInfo;

use super::apart::respond_apart;
use super::query::{mode_of, path_of};
use super::{convert, names};
use crate::http::response::{empty, json};
use crate::http::{Call, Responded};
use crate::service::Error;
use crate::service::files::about;

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
pub(in crate::http) async fn info(call: Call) -> Responded {
    let path = path_of(&call, "path")?;
    let files = &call.state.files;
    let metadata = files.metadata(&path).await;
    let metadata = metadata.map_err(|error| about(&names::to_text(&path), error))?;
    let path = files.absolute(&path).map_err(Error::from)?;
    Ok(json(StatusCode::OK, &convert::info(&path, &metadata))?)
}

/// `POST /files/folder`.
pub(in crate::http) async fn create_folder(mut call: Call) -> Responded {
    call.discard_body().await;
    let path = path_of(&call, "path")?;
    let mode = mode_of(&call)?.unwrap_or(FOLDER_MODE);
    let created = call.state.files.create_dir(&path, Some(mode)).await;
    created.map_err(|error| about(&names::to_text(&path), error))?;
    Ok(empty(StatusCode::CREATED))
}

/// `DELETE /files`.
pub(in crate::http) async fn remove(mut call: Call) -> Responded {
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
pub(in crate::http) async fn rename(mut call: Call) -> Responded {
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
pub(in crate::http) async fn set_permissions(mut call: Call) -> Responded {
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

/// The mode of a folder whose request does not specify one.
const FOLDER_MODE: u32 = 0o755;
