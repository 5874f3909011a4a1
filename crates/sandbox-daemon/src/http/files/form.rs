//! Forms with files, as `multipart/form-data`.

use bytes::Bytes;
use futures_util::StreamExt;
use http::header;
use http_body_util::{Either, Full};
use multer::Multipart;

use super::incoming::{Frames, Shared, Stopped};
use crate::http::Call;
use crate::limits::FORM_FIELD_BYTES;
use crate::service::Error;

/// A form that is being received.
#[derive(Debug)]
pub(super) struct Form {
    parts: Multipart<'static>,
    shared: Shared,
}

/// A part of a form. It must be dropped before the next one is read.
#[derive(Debug)]
pub(super) struct Part {
    field: multer::Field<'static>,
    shared: Shared,
}

/// The content of a file, written as it arrives.
#[derive(Debug)]
pub(super) enum Content {
    Part(Box<Part>),
    /// A whole request body.
    Body(Frames, Shared),
}

/// Returns whether the body of a request is a form.
pub(super) fn is_form(call: &Call) -> bool {
    let essence = content_type(call)
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    essence.eq_ignore_ascii_case("multipart/form-data")
}

impl Form {
    /// Starts to read a form.
    pub(super) fn new(call: &Call, shared: &Shared) -> Result<Self, Error> {
        let boundary = multer::parse_boundary(content_type(call));
        let boundary = boundary
            .map_err(|_| Error::bad("the request is no multipart/form-data with a boundary"))?;
        Ok(Self::of(shared, &boundary))
    }

    fn of(shared: &Shared, boundary: &str) -> Self {
        Self {
            parts: Multipart::new(shared.frames(), boundary),
            shared: shared.clone(),
        }
    }

    /// Returns the next part, after it has discarded the rest of the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Part>, Error> {
        let field = self.parts.next_field().await;
        self.shared.claim();
        let field = field.map_err(|error| refusal(&error))?;
        let shared = self.shared.clone();
        Ok(field.map(|field| Part { field, shared }))
    }
}

impl Part {
    pub(super) fn name(&self) -> &str {
        self.field.name().unwrap_or_default()
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let chunk = self.field.chunk().await;
        self.shared.claim();
        chunk.map_err(|error| refusal(&error))
    }

    /// Reads a part that is not a file.
    pub(super) async fn collect(mut self) -> Result<Vec<u8>, Error> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.chunk().await? {
            if whole.len() + bytes.len() > FORM_FIELD_BYTES {
                let name = self.name();
                let message = format!("{name} is longer than {FORM_FIELD_BYTES} bytes");
                return Err(Error::bad(message));
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    /// Reads and discards the rest of a part.
    pub(super) async fn discard(mut self) -> Result<(), Error> {
        while self.chunk().await?.is_some() {}
        Ok(())
    }
}

impl Content {
    /// Returns the next bytes.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        match self {
            Self::Part(part) => part.chunk().await,
            Self::Body(frames, shared) => {
                let bytes = frames.next().await.transpose();
                shared.claim();
                bytes.map_err(|stopped| Error::from(&stopped))
            }
        }
    }
}

/// Returns the names and the contents of all parts of a form, for the fuzz target.
pub(crate) async fn parts(form: Bytes, boundary: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let shared = Shared::new(Either::Right(Full::new(form)));
    let mut form = Form::of(&shared, boundary);
    let mut parts = Vec::new();
    while let Some(part) = form.next().await? {
        let name = part.name().to_owned();
        let mut content = Content::Part(Box::new(part));
        let mut whole = Vec::new();
        while let Some(bytes) = content.next().await? {
            whole.extend_from_slice(&bytes);
        }
        parts.push((name, whole));
    }
    Ok(parts)
}

fn content_type(call: &Call) -> &str {
    let value = call.parts.headers.get(header::CONTENT_TYPE);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Returns the error for a form that cannot be read.
fn refusal(error: &multer::Error) -> Error {
    // multer wraps the stream's own error, whose code would be lost.
    if let multer::Error::StreamReadFailed(cause) = error
        && let Some(stopped) = cause.downcast_ref::<Stopped>()
    {
        return stopped.into();
    }
    Error::bad(format!("the form cannot be read: {error}"))
}
