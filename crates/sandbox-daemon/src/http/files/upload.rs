//! `POST /files/upload-v2`, its older name `POST /files/upload`, and `POST /files/bulk-upload`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use http::StatusCode;
use sandbox_files::{Files, WriteOptions};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::UploadedFile;

use super::form::{Content, Form, is_form};
use super::incoming::Shared;
use super::query::path_of;
use crate::http::error::Partial;
use crate::http::response::{empty, json};
use crate::http::{ApiError, Call, Responded};
use crate::limits::REQUEST_VALUES;
use crate::service::Error;
use crate::service::files::{about, names};

/// The reason why a file was not written.
enum Failure {
    /// An error of the file; the rest of the request can be read.
    File(sandbox_files::Error),
    Request(Error),
}

/// `POST /files/upload-v2`: the body is the file, or a form with a part `file`.
pub(in crate::http) async fn upload(mut call: Call) -> Responded {
    call.check_encoding().await?;
    let path = match path_of(&call, "path") {
        Ok(path) => path,
        Err(error) => {
            call.discard_body().await;
            return Err(error);
        }
    };
    let shared = Shared::take(&mut call);
    let written = receive_one(&call, &shared, &path).await;
    shared.put_back(&mut call);
    // A client may send the whole body before it reads the error.
    call.discard_body().await;
    written?;
    let path = call.state.files.absolute(&path).map_err(Error::from)?;
    let name = path.file_name().map(Path::new).unwrap_or(&path);
    let uploaded = UploadedFile {
        name: names::to_text(name),
        path: names::to_text(&path),
        kind: "file".to_owned(),
    };
    Ok(json(StatusCode::OK, &uploaded)?)
}

async fn receive_one(call: &Call, shared: &Shared, path: &Path) -> Result<(), Error> {
    let files = &call.state.files;
    let failed = |failure| match failure {
        Failure::File(error) => about(&names::to_text(path), error),
        Failure::Request(error) => error,
    };
    if !is_form(call) {
        let mut content = Content::Body(shared.frames(), shared.clone());
        return write(files, path, &mut content).await.map_err(failed);
    }
    let mut form = Form::new(call, shared)?;
    while let Some(part) = form.next().await? {
        if part.name() != "file" {
            part.discard().await?;
            continue;
        }
        // The file exists as soon as its part is complete, whatever happens to the rest.
        return write(files, path, &mut Content::Part(Box::new(part)))
            .await
            .map_err(failed);
    }
    Err(Error::bad("the form has no part 'file'"))
}

/// `POST /files/bulk-upload`: a form with `files[N].path` before each `files[N].file`.
pub(in crate::http) async fn bulk_upload(mut call: Call) -> Responded {
    call.check_encoding().await?;
    let shared = Shared::take(&mut call);
    let received = receive(&call, &shared).await;
    shared.put_back(&mut call);
    call.discard_body().await;
    let failures = received?;
    let Some(first) = failures.first() else {
        return Ok(empty(StatusCode::OK));
    };
    let errors: Vec<_> = failures
        .iter()
        .map(|error| error.message().to_owned())
        .collect();
    let error = ApiError::new(first.code(), errors.join(", "));
    Err(error.partial(Partial {
        errors: Some(errors),
        ..Partial::default()
    }))
}

/// Writes the files of a form, and returns the errors of those that were not written.
async fn receive(call: &Call, shared: &Shared) -> Result<Vec<Error>, Error> {
    let mut form = Form::new(call, shared)?;
    let mut paths = HashMap::<String, PathBuf>::new();
    let mut failures = Vec::new();
    let mut count = 0;
    while let Some(part) = form.next().await? {
        count += 1;
        if count > REQUEST_VALUES {
            return Err(Error::too_many_values());
        }
        let name = part.name().to_owned();
        if let Some(file) = name.strip_suffix(".path") {
            let path = names::to_path(&part.collect().await?);
            paths.insert(file.to_owned(), path);
            continue;
        }
        let Some(file) = name.strip_suffix(".file") else {
            part.discard().await?;
            continue;
        };
        let Some(path) = paths.remove(file) else {
            failures.push(Error::bad(format!(
                "{file}: its path does not come before it"
            )));
            part.discard().await?;
            continue;
        };
        let mut content = Content::Part(Box::new(part));
        match write(&call.state.files, &path, &mut content).await {
            Ok(()) => {}
            Err(Failure::Request(error)) => return Err(error),
            Err(Failure::File(error)) => {
                failures.push(about(&names::to_text(&path), error));
                while content.next().await?.is_some() {}
            }
        }
    }
    let mut without: Vec<_> = paths.into_keys().collect();
    without.sort_unstable();
    let without = without.into_iter();
    failures.extend(without.map(|file| {
        Error::new(
            ErrorCode::BadRequest,
            format!("{file}: it has a path and no file"),
        )
    }));
    Ok(failures)
}

/// Writes a file as it arrives.
async fn write(files: &Files, path: &Path, content: &mut Content) -> Result<(), Failure> {
    let options = WriteOptions {
        create_dirs: true,
        ..WriteOptions::default()
    };
    let mut writer = files.writer(path, options).await.map_err(Failure::File)?;
    while let Some(bytes) = content.next().await.map_err(Failure::Request)? {
        writer.write(bytes).await.map_err(Failure::File)?;
    }
    let written = writer.finish().await;
    written.map(drop).map_err(Failure::File)
}
