//! `GET /files/find`, `GET /files/search` and `POST /files/replace`.

use http::StatusCode;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{Match, ReplaceRequest, ReplaceResult, SearchFilesResponse};

use super::apart::respond_apart;
use super::query::path_of;
use crate::http::response::json;
use crate::http::{Call, Responded};
use crate::service::Error;
use crate::service::files::{self, joined, names};

/// `GET /files/find`: lines that contain a text.
pub(in crate::http) async fn find(call: Call) -> Responded {
    let (path, pattern) = (path_of(&call, "path")?, pattern(&call)?);
    let found = files::find(&call.state.files, &path, &pattern).await?;
    let is_truncated = found.is_truncated;
    let convert = move || {
        let lines = found.found.into_iter();
        let line = |line: sandbox_files::Line| Match {
            file: names::to_text(&joined(&path, &line.path)),
            line: line.number,
            // JSON has no form for other bytes. A path has one, since it is used in the next
            // request.
            content: String::from_utf8_lossy(&line.text).into_owned(),
        };
        lines.map(line).collect::<Vec<_>>()
    };
    respond_apart(convert, is_truncated).await
}

/// `GET /files/search`: names that match.
pub(in crate::http) async fn search(call: Call) -> Responded {
    let (path, pattern) = (path_of(&call, "path")?, pattern(&call)?);
    let found = files::search(&call.state.files, &path, &pattern).await?;
    let is_truncated = found.is_truncated;
    let convert = move || {
        let paths = found.found.iter();
        let files = paths
            .map(|found| names::to_text(&joined(&path, found)))
            .collect();
        SearchFilesResponse { files }
    };
    respond_apart(convert, is_truncated).await
}

/// `POST /files/replace`: an error in one file is reported for that file.
pub(in crate::http) async fn replace(mut call: Call) -> Responded {
    let request: ReplaceRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    let files = &call.state.files;
    if request.pattern.is_empty() {
        return Err(Error::incomplete("pattern is empty").into());
    }
    let mut results = Vec::with_capacity(request.files.len());
    for file in request.files {
        let path = names::to_path(file.as_bytes());
        let (old, new) = (request.pattern.clone(), request.new_value.clone());
        let replaced = files.replace(&path, old, new).await;
        results.push(ReplaceResult {
            success: replaced.is_ok(),
            error: replaced.err().map(|error| error.to_string()),
            file,
        });
    }
    Ok(json(StatusCode::OK, &results)?)
}

fn pattern(call: &Call) -> Result<String, Error> {
    let pattern = call.query("pattern").filter(|pattern| !pattern.is_empty());
    pattern.ok_or_else(|| Error::bad("the query has no pattern"))
}
