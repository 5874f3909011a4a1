//! Results that come in several messages, up to a bound.

use std::path::Path;

use sandbox_wire::pb;
use tonic::{Response, Status, Streaming};

use super::convert::{self, bytes};
use crate::grpc::call::{self, Call, Failed};
use crate::grpc::wire::Wire;
use crate::grpc::{GrpcTransport, status};
use crate::limits::SEARCH;
use crate::model::{FileInfo, Matches};
use crate::{Delivery, Effect, Error, ErrorKind};

/// How many bytes of messages may still be collected for one result.
struct Budget(usize);

impl Budget {
    fn take(&mut self, bytes: usize) -> Result<(), Error> {
        self.0 = self.0.checked_sub(bytes).ok_or_else(|| {
            let message = "the response is longer than this client accepts";
            Error::new(ErrorKind::TooLarge, Delivery::Uncertain, message)
        })?;
        Ok(())
    }
}

impl GrpcTransport {
    /// Lists all pages of a directory.
    pub(super) async fn pages(&self, path: &Path, depth: u32) -> Result<Matches<FileInfo>, Error> {
        let mut request = pb::ListRequest {
            path: bytes(path),
            depth,
            ..pb::ListRequest::default()
        };
        let mut budget = self.budget();
        let mut listed = Matches::default();
        loop {
            let list = |wire, request| async move { call::files(wire).list(request).await };
            let call = Call::new(Effect::None).deadline(SEARCH);
            let page = self.ask(call, request.clone(), list).await?;
            let length = |file: &pb::FileInfo| file.path.len() + ENTRY_BYTES;
            budget.take(page.files.iter().map(length).sum())?;
            listed.is_truncated |= page.is_incomplete;
            listed
                .items
                .extend(page.files.into_iter().map(convert::info));
            if page.next_page_token.is_empty() {
                return Ok(listed);
            }
            // Otherwise the loop would never end.
            if page.next_page_token == request.page_token {
                let message = "the daemon repeats a page";
                let kind = ErrorKind::Protocol;
                return Err(Error::new(kind, Delivery::Uncertain, message));
            }
            request.page_token = page.next_page_token;
        }
    }

    fn budget(&self) -> Budget {
        Budget(self.inner.response_limit)
    }

    /// Makes a call whose results come in several messages, which count with their `length`.
    pub(super) async fn collect<Q, A, F>(
        &self,
        request: Q,
        send: impl Fn(Wire, Q) -> F + Send + Sync,
        length: impl Fn(&A) -> usize + Send + Sync,
    ) -> Result<Vec<A>, Error>
    where
        Q: Clone + Send + Sync,
        A: Send,
        F: Future<Output = Result<Response<Streaming<A>>, Status>> + Send,
    {
        let (send, length, request) = (&send, &length, &request);
        let collect = |wire: Wire| async move {
            let mut stream = send(wire, request.clone()).await?.into_inner();
            // For each attempt: what an earlier one collected was dropped.
            let (mut budget, mut messages) = (self.budget(), Vec::new());
            while let Some(message) = stream.message().await? {
                budget.take(length(&message))?;
                messages.push(message);
            }
            // The trailers, which have arrived already, distinguish the end from a cut.
            match stream.trailers().await? {
                Some(_) => Ok(messages),
                None => Err(Failed::Error(status::cut())),
            }
        };
        self.call(Call::new(Effect::None).deadline(SEARCH), collect)
            .await
    }
}

/// The bytes by which an entry counts besides its path.
pub(super) const ENTRY_BYTES: usize = 64;
