//! gRPC: the services of `proto/`, `grpc.health.v1` and reflection, on the port of HTTP.
//!
//! A call is let in by the same doors as a request, and does what the request of the same name does; what differs is how
//! it travels: typed, by offset, and each stream with a flow control of its own.

mod code;
mod context;
mod convert;
mod exec;
mod info;
mod interpreter;
pub(crate) mod outline;
mod output;
pub(crate) mod preface;
mod pty;
mod session;
mod status;
mod stream;
mod wire;

use std::fmt;

use http::{Request, Response, Uri, header};
use hyper::body::Incoming;
use sandbox_wire::pb;
use sandbox_wire::pb::code_service_server::CodeServiceServer;
use sandbox_wire::pb::exec_service_server::ExecServiceServer;
use sandbox_wire::pb::info_service_server::InfoServiceServer;
use sandbox_wire::pb::interpreter_service_server::InterpreterServiceServer;
use sandbox_wire::pb::pty_service_server::PtyServiceServer;
use sandbox_wire::pb::session_service_server::SessionServiceServer;
use tonic::Status;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;
use tonic_reflection::server::{Builder, v1, v1alpha};
use tower_service::Service;

use crate::limits::REQUEST_BODY_BYTES;
use crate::link::Link;
use crate::service::{Error, State};
use context::Context;
use outline::Counted;
pub(crate) use preface::opening;
pub(crate) use wire::serve;

/// The body of an answer.
pub(crate) type GrpcBody = tonic::body::Body;

/// Carries out calls.
#[derive(Clone)]
pub(crate) struct Grpc {
    code: CodeServiceServer<code::Code>,
    exec: ExecServiceServer<exec::Exec>,
    info: InfoServiceServer<info::Info>,
    interpreter: InterpreterServiceServer<interpreter::Interpreter>,
    pty: PtyServiceServer<pty::Ptys>,
    session: SessionServiceServer<session::Sessions>,
    health: HealthServer<HealthService>,
    /// What clients without our files learn them by; the same in both versions that are spoken.
    reflection: Option<Reflection>,
    reflection_alpha: Option<Reflection>,
}

type Reflection = std::sync::Arc<dyn Reflect>;

/// The type of the reflection service has no name.
trait Reflect: Send + Sync {
    fn answer(&self, request: Request<Incoming>) -> Answering;
}

type Answering = std::pin::Pin<Box<dyn Future<Output = Response<GrpcBody>> + Send>>;

/// Answers by a service of the library, of either version.
macro_rules! reflect {
    ($version:ident) => {
        impl<T: $version::ServerReflection> Reflect for $version::ServerReflectionServer<T> {
            fn answer(&self, request: Request<Incoming>) -> Answering {
                let mut service = self.clone();
                Box::pin(async move {
                    let Ok(response) = service.call(request).await;
                    response
                })
            }
        }
    };
}

reflect!(v1);
reflect!(v1alpha);

impl Grpc {
    pub(crate) fn new(state: &State) -> Self {
        let engine = &state.engine;
        let exec = exec::Exec::new(state.clone());
        let session = session::Sessions::new(state.clone());
        let health =
            HealthService::from_health_reporter(tonic_health::server::HealthReporter::new());
        Self {
            code: CodeServiceServer::new(code::Code::new(engine.clone()))
                .max_decoding_message_size(REQUEST_BODY_BYTES),
            exec: ExecServiceServer::new(exec).max_decoding_message_size(REQUEST_BODY_BYTES),
            info: InfoServiceServer::new(info::Info::new(engine.clone())),
            interpreter: InterpreterServiceServer::new(interpreter::Interpreter::new(
                engine.clone(),
            ))
            .max_decoding_message_size(REQUEST_BODY_BYTES),
            pty: PtyServiceServer::new(pty::Ptys::new(engine.clone()))
                .max_decoding_message_size(REQUEST_BODY_BYTES),
            session: SessionServiceServer::new(session)
                .max_decoding_message_size(REQUEST_BODY_BYTES),
            health: HealthServer::new(health),
            reflection: reflection(Builder::build_v1),
            reflection_alpha: reflection(Builder::build_v1alpha),
        }
    }

    /// Carries out one call, whose client was let in.
    pub(crate) async fn answer(
        &self,
        mut request: Request<Incoming>,
        link: Link,
    ) -> Response<GrpcBody> {
        let Some(path) = path_of(request.uri()) else {
            return Status::unimplemented("no such method").into_http();
        };
        let context = match Context::new(request.headers(), link) {
            Ok(context) => context,
            Err(status) => return status.into_http(),
        };
        let limit = context.clone();
        let service = path.service.clone();
        *request.uri_mut() = path.uri;
        request.extensions_mut().insert(context);
        let answer = async {
            let counted = |request: Request<Incoming>| {
                let method = request.uri().clone();
                request.map(|body| Counted::new(body, &method))
            };
            match service.as_str() {
                CODE => done(self.code.clone().call(counted(request)).await),
                EXEC => done(self.exec.clone().call(counted(request)).await),
                INFO => done(self.info.clone().call(counted(request)).await),
                INTERPRETER => done(self.interpreter.clone().call(counted(request)).await),
                PTY => done(self.pty.clone().call(counted(request)).await),
                SESSION => done(self.session.clone().call(counted(request)).await),
                HEALTH => done(self.health.clone().call(request).await),
                REFLECTION => by_reflection(self.reflection.as_ref(), request).await,
                REFLECTION_ALPHA => by_reflection(self.reflection_alpha.as_ref(), request).await,
                _ => Status::unimplemented("no such service").into_http(),
            }
        };
        match limit.within(answer).await {
            Ok(response) => response,
            Err(status) => status.into_http(),
        }
    }
}

/// Whether a request is a call.
pub(crate) fn is_call<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    request.version() == http::Version::HTTP_2
        && content_type.is_some_and(|found| found.as_bytes().starts_with(b"application/grpc"))
}

/// Whether anybody may call this: the health of the daemon, as with HTTP.
pub(crate) fn is_open(uri: &Uri) -> bool {
    path_of(uri).is_some_and(|path| path.service == HEALTH)
}

/// A call that was not let in.
pub(crate) fn refused(error: Error) -> Response<GrpcBody> {
    Status::from(error).into_http()
}

/// What a call is for.
struct Path {
    service: String,
    /// Without what stands in front of the service.
    uri: Uri,
}

/// Reads `/SERVICE/METHOD`, with one segment in front or none: a sandbox's id, as with HTTP.
fn path_of(uri: &Uri) -> Option<Path> {
    let mut segments = uri.path().strip_prefix('/')?.rsplit('/');
    let (method, service) = (segments.next()?, segments.next()?);
    if segments.count() > 1 {
        return None;
    }
    Some(Path {
        service: service.to_owned(),
        uri: format!("/{service}/{method}").parse().ok()?,
    })
}

fn done(response: Result<Response<GrpcBody>, std::convert::Infallible>) -> Response<GrpcBody> {
    let Ok(response) = response;
    response
}

async fn by_reflection(
    service: Option<&Reflection>,
    request: Request<Incoming>,
) -> Response<GrpcBody> {
    match service {
        Some(service) => service.answer(request).await,
        None => Status::unimplemented("no reflection").into_http(),
    }
}

/// Builds the reflection service of one version.
fn reflection<'a, T: Reflect + 'static>(
    build: impl FnOnce(Builder<'a>) -> Result<T, tonic_reflection::server::Error>,
) -> Option<Reflection> {
    // Clients of either version find both.
    let builder = Builder::configure()
        .register_encoded_file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .include_reflection_service(false)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET);
    match build(builder) {
        Ok(service) => Some(std::sync::Arc::new(service)),
        Err(error) => {
            tracing::error!(%error, "no reflection");
            None
        }
    }
}

const CODE: &str = "sandbox.process.v1.CodeService";
const EXEC: &str = "sandbox.process.v1.ExecService";
const INFO: &str = "sandbox.process.v1.InfoService";
const INTERPRETER: &str = "sandbox.process.v1.InterpreterService";
const PTY: &str = "sandbox.process.v1.PtyService";
const SESSION: &str = "sandbox.process.v1.SessionService";
const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";
/// What clients spoke before the version above was final, and many still do.
const REFLECTION_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

impl fmt::Debug for Grpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grpc").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_may_have_a_prefix() {
        let read = |path: &str| {
            let found = path_of(&path.parse().unwrap())?;
            Some((found.service, found.uri.to_string()))
        };
        let expect = Some(("a.B".to_owned(), "/a.B/C".to_owned()));
        assert_eq!(read("/a.B/C"), expect);
        assert_eq!(read("/id/a.B/C"), expect);
        assert_eq!(read("/x/id/a.B/C"), None);
        assert_eq!(read("/C"), None);
        assert!(reflection(Builder::build_v1).is_some());
        assert!(reflection(Builder::build_v1alpha).is_some());
    }
}
