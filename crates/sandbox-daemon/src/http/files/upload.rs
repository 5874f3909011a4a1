//! `POST /files/upload-v2`, its older name `POST /files/upload`, and `POST /files/bulk-upload`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue, StatusCode};
use sandbox_files::{Files, WriteOptions};
use sandbox_wire::rest::UploadedFile;

use super::form::{Content, Form, is_form};
use super::incoming::Shared;
use super::query::{mode_of, octal, path_of};
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

/// `POST /files/upload-v2`: the body is the file, or a form with a part `file`. The permissions, an extension, are in the query.
pub(in crate::http) async fn upload(mut call: Call) -> Responded {
    call.check_encoding().await?;
    let asked = path_of(&call, "path").and_then(|path| Ok((path, mode_of(&call)?)));
    let (path, mode) = match asked {
        Ok(asked) => asked,
        Err(error) => {
            call.discard_body().await;
            return Err(error);
        }
    };
    let shared = Shared::take(&mut call);
    let written = receive_one(&call, &shared, &path, mode).await;
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

async fn receive_one(
    call: &Call,
    shared: &Shared,
    path: &Path,
    mode: Option<u32>,
) -> Result<(), Error> {
    let files = &call.state.files;
    let failed = |failure| match failure {
        Failure::File(error) => about(&names::to_text(path), error),
        Failure::Request(error) => error,
    };
    if !is_form(call) {
        let mut content = Content::Body(shared.frames(), shared.clone());
        return write(files, path, mode, &mut content).await.map_err(failed);
    }
    let mut form = Form::new(call, shared)?;
    while let Some(part) = form.next().await? {
        if part.name() != "file" {
            part.discard().await?;
            continue;
        }
        // The file exists as soon as its part is complete, whatever happens to the rest.
        let mut content = Content::Part(Box::new(part));
        return write(files, path, mode, &mut content).await.map_err(failed);
    }
    Err(Error::bad("the form has no part 'file'"))
}

/// `POST /files/bulk-upload`: a form with `files[N].path` before each `files[N].file`, and, an extension, its permissions in
/// octal as `files[N].mode`, which the response confirms.
pub(in crate::http) async fn bulk_upload(mut call: Call) -> Responded {
    call.check_encoding().await?;
    let shared = Shared::take(&mut call);
    let received = receive(&call, &shared).await;
    shared.put_back(&mut call);
    call.discard_body().await;
    let Received {
        failures,
        has_modes,
    } = received?;
    let Some(first) = failures.first() else {
        let mut response = empty(StatusCode::OK);
        if has_modes {
            let headers = response.headers_mut();
            headers.insert(MODE_APPLIED, HeaderValue::from_static("true"));
        }
        return Ok(response);
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

/// What became of the files of a form.
struct Received {
    /// The errors of those that were not written.
    failures: Vec<Error>,
    /// Whether the form has permissions.
    has_modes: bool,
}

/// What a form has said about a file that is still to come.
#[derive(Default)]
struct Announced {
    path: Option<PathBuf>,
    mode: Option<u32>,
}

/// Writes the files of a form.
async fn receive(call: &Call, shared: &Shared) -> Result<Received, Error> {
    let mut form = Form::new(call, shared)?;
    let mut announced = HashMap::<String, Announced>::new();
    let mut failures = Vec::new();
    let (mut count, mut has_modes) = (0, false);
    while let Some(part) = form.next().await? {
        count += 1;
        // `announced` holds an entry for each path whose file has not arrived yet.
        if count > REQUEST_VALUES {
            return Err(Error::too_many_values());
        }
        let name = part.name().to_owned();
        let Some((file, field)) = name.rsplit_once('.') else {
            part.discard().await?;
            continue;
        };
        match field {
            "path" => {
                let path = names::to_path(&part.collect().await?);
                announced.entry(file.to_owned()).or_default().path = Some(path);
            }
            "mode" => {
                let mode = octal(&String::from_utf8_lossy(&part.collect().await?))?;
                announced.entry(file.to_owned()).or_default().mode = Some(mode);
                has_modes = true;
            }
            "file" => {
                let about = announced.remove(file).unwrap_or_default();
                let written = receive_file(call, file, about, Content::Part(Box::new(part)));
                failures.extend(written.await?);
            }
            _ => part.discard().await?,
        }
    }
    let mut without: Vec<_> = announced.into_keys().collect();
    // The order of a hash map differs from run to run.
    without.sort_unstable();
    let without = without.into_iter();
    failures.extend(without.map(|file| Error::bad(format!("{file}: the form has no file for it"))));
    Ok(Received {
        failures,
        has_modes,
    })
}

/// Writes a file of a form. Returns its error if the rest of the form can be read.
async fn receive_file(
    call: &Call,
    file: &str,
    about_it: Announced,
    mut content: Content,
) -> Result<Option<Error>, Error> {
    let failure = match about_it.path {
        None => Error::bad(format!("{file}: its path does not come before it")),
        Some(path) => {
            let written = write(&call.state.files, &path, about_it.mode, &mut content);
            match written.await {
                Ok(()) => return Ok(None),
                Err(Failure::Request(error)) => return Err(error),
                Err(Failure::File(error)) => about(&names::to_text(&path), error),
            }
        }
    };
    while content.next().await?.is_some() {}
    Ok(Some(failure))
}

/// Writes a file as it arrives.
async fn write(
    files: &Files,
    path: &Path,
    mode: Option<u32>,
    content: &mut Content,
) -> Result<(), Failure> {
    let options = WriteOptions {
        mode,
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

/// The header of a response to a form in which the daemon has read permissions, which stock daemons ignore.
const MODE_APPLIED: HeaderName = HeaderName::from_static("x-sandbox-mode-applied");
