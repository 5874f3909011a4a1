//! The routes.

pub(crate) mod body;
pub(crate) mod convert;
pub(crate) mod info;
pub(crate) mod interpreter;
mod logs;
pub(crate) mod peer;
mod process;
pub(crate) mod pty;
pub(crate) mod session;
mod stream;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Method, Response, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use sandbox_engine::Engine;
use sandbox_wire::ErrorCode;
use serde::de::DeserializeOwned;

use crate::error::ApiError;
#[cfg(feature = "grpc")]
use crate::execs::Execs;
use crate::keys::Keys;
use crate::link::Link;
use crate::memory::Holder;
use crate::response::Body;
use crate::{error, response, texts, uri};
use peer::Peer;

/// Answers the requests of one route.
pub(crate) type Handler = fn(Call) -> Answer;

/// An answer in the making.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, ApiError>> + Send>>;

/// What all handlers share.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(crate) keys: Arc<Keys>,
    #[cfg(feature = "grpc")]
    pub(crate) execs: Execs,
}

impl State {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            keys: Arc::default(),
            #[cfg(feature = "grpc")]
            execs: Execs::default(),
        }
    }
}

/// The name of a request that is not to be carried out twice.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The body of a request: on its way, or whole already.
pub(crate) type RequestBody = Either<Incoming, Full<Bytes>>;

/// One request on its way to its handler.
pub(crate) struct Call {
    pub(crate) state: State,
    pub(crate) parts: Parts,
    pub(crate) body: RequestBody,
    /// What the route's path leaves open, without escapes.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) link: Link,
    /// Its body, and what is made of it, may be large.
    pub(crate) _memory: Holder,
}

impl Call {
    fn peer(&self) -> Peer {
        Peer::of(&self.parts.headers)
    }

    /// The request's [`IDEMPOTENCY_KEY`]; empty if it has none.
    fn key(&self) -> &str {
        let key = self.parts.headers.get(IDEMPOTENCY_KEY);
        key.and_then(|key| key.to_str().ok()).unwrap_or_default()
    }

    /// What stands in the path where the route has `{name}`.
    fn parameter(&self, name: &str) -> &str {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(parameter, _)| parameter == name);
        found.map_or("", |(_, value)| value)
    }

    /// Reads the body as a JSON object; `code` is what one that is none is answered with. To be called once.
    async fn read_body<T>(&mut self, code: ErrorCode) -> Result<T, ApiError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.check_encoding().await?;
        body::read(&mut self.body, code).await
    }

    /// Reads the body as it is. To be called once.
    async fn collect_body(&mut self) -> Result<Bytes, ApiError> {
        self.check_encoding().await?;
        body::collect(&mut self.body).await
    }

    /// Refuses a body that is encoded.
    async fn check_encoding(&mut self) -> Result<(), ApiError> {
        let checked = body::check_encoding(&self.parts.headers);
        if checked.is_err() {
            self.discard_body().await;
        }
        checked
    }

    /// Reads the body and discards it, so that a client which sends all of it before it reads
    /// anything receives the response; not beyond the bounds of [`Self::collect_body`].
    pub(crate) async fn discard_body(&mut self) {
        // A client that asked whether to send its body has the final response instead.
        if !self.parts.headers.contains_key(header::EXPECT) {
            body::discard(&mut self.body).await;
        }
    }

    /// The body, which is still there to be read by others.
    pub(crate) async fn whole_body(&mut self) -> Result<Bytes, ApiError> {
        let bytes = self.collect_body().await?;
        self.body = Either::Right(Full::new(bytes.clone()));
        Ok(bytes)
    }

    /// The first value of a name in the query.
    fn query(&self, name: &str) -> Option<String> {
        uri::query_value(self.parts.uri.query(), name)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("path", &self.parts.uri.path())
            .finish_non_exhaustive()
    }
}

/// One route: what it answers and who may ask.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) door: Door,
    pub(crate) handler: Handler,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Anybody: the answer tells nothing and does nothing.
    Anybody,
    /// Who was let in by the server's [`Access`].
    LetIn,
}

/// Every route there is.
pub(crate) fn routes() -> Vec<Route> {
    let route = |method, path, door, handler: Handler| Route {
        method,
        path,
        door,
        handler,
    };
    let get = |path, handler| route(Method::GET, path, Door::LetIn, handler);
    let post = |path, handler| route(Method::POST, path, Door::LetIn, handler);
    let delete = |path, handler| route(Method::DELETE, path, Door::LetIn, handler);
    vec![
        route(Method::GET, "/healthz", Door::Anybody, info::healthz),
        get("/version", info::version),
        get("/openapi.json", info::openapi),
        get("/work-dir", info::work_dir),
        get("/user-home-dir", info::home_dir),
        get("/project-dir", info::home_dir),
        get("/system/metrics", info::metrics),
        post("/init", info::init),
        post("/env", info::env),
        post("/process/execute", process::execute),
        get("/process/execute/connect", stream::connect),
        post("/process/code-run", process::code_run),
        post("/process/session", session::create),
        get("/process/session", session::list),
        get("/process/session/{id}", session::get),
        delete("/process/session/{id}", session::delete),
        post("/process/session/{id}/exec", session::exec),
        get("/process/session/{id}/command/{cid}", session::command),
        get("/process/session/{id}/command/{cid}/logs", logs::of_command),
        post("/process/session/{id}/command/{cid}/input", session::input),
        post(
            "/process/session/{id}/command/{cid}/signal",
            session::signal,
        ),
        get("/process/session/entrypoint/logs", logs::of_entrypoint),
        post("/process/pty", pty::create),
        get("/process/pty", pty::list),
        get("/process/pty/create-connect", pty::create_connect),
        get("/process/pty/{id}", pty::get),
        delete("/process/pty/{id}", pty::delete),
        post("/process/pty/{id}/resize", pty::resize),
        get("/process/pty/{id}/connect", pty::connect),
        post("/process/interpreter/context", interpreter::create),
        get("/process/interpreter/context", interpreter::list),
        delete("/process/interpreter/context/{id}", interpreter::delete),
        post(
            "/process/interpreter/context/{id}/interrupt",
            interpreter::interrupt,
        ),
        post(
            "/process/interpreter/context/{id}/restart",
            interpreter::restart,
        ),
        get("/process/interpreter/execute", interpreter::execute),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// So that whoever adds a route describes it, says who may ask, and has it tried at the doors by the tests, which
    /// take their list from there.
    #[test]
    fn the_description_has_exactly_the_routes() {
        let description: Value = serde_json::from_str(info::OPENAPI).unwrap();
        let mut described = BTreeSet::new();
        for (path, item) in description["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if method != "parameters" {
                    let is_open = operation["security"] == serde_json::json!([]);
                    described.insert((path.clone(), method.to_uppercase(), is_open));
                }
            }
        }
        let routes = routes().into_iter().map(|route| {
            let is_open = route.door == Door::Anybody;
            (route.path.to_owned(), route.method.to_string(), is_open)
        });
        assert_eq!(routes.collect::<BTreeSet<_>>(), described);
    }
}
