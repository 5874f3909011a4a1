//! The services by name, and the way of a call to one of them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use http::{Request, Response, Uri, header};
use hyper::body::Incoming;
use sandbox_wire::pb;
use sandbox_wire::pb::code_service_server::CodeServiceServer;
use sandbox_wire::pb::exec_service_server::ExecServiceServer;
use sandbox_wire::pb::files_service_server::FilesServiceServer;
use sandbox_wire::pb::info_service_server::InfoServiceServer;
use sandbox_wire::pb::interpreter_service_server::InterpreterServiceServer;
use sandbox_wire::pb::pty_service_server::PtyServiceServer;
use sandbox_wire::pb::session_service_server::SessionServiceServer;
use tonic::Status;
use tonic::server::NamedService;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_reflection::server::Builder;
use tower_service::Service;

use super::context::Context;
use super::outline::Counted;
use super::{code, exec, files, info, interpreter, pty, session};
use crate::limits::{FILES_MESSAGE_BYTES, REQUEST_BODY_BYTES};
use crate::link::Link;
use crate::service::{Error, State};

/// The body of a response.
pub(crate) type GrpcBody = tonic::body::Body;

/// The services, which carry out calls.
#[derive(Clone)]
pub(crate) struct Grpc {
    /// The services by their names in paths.
    services: Arc<HashMap<&'static str, AnyService>>,
}

/// A service, whatever its type.
type AnyService = Box<dyn Fn(Request<Incoming>) -> Answering + Send + Sync>;

type Answering = Pin<Box<dyn Future<Output = Response<GrpcBody>> + Send>>;

/// Wraps a service of this package, so that it counts the values of its requests and bounds their size.
macro_rules! ours {
    ($service:expr) => {
        any(
            $service.max_decoding_message_size(REQUEST_BODY_BYTES),
            Counted::request,
        )
    };
}

impl Grpc {
    pub(crate) fn new(state: &State) -> Self {
        let health = HealthService::from_health_reporter(HealthReporter::new());
        let services = [
            ours!(CodeServiceServer::new(code::Code(state.clone()))),
            ours!(ExecServiceServer::new(exec::Exec(state.clone()))),
            any(
                FilesServiceServer::new(files::Files::new(state))
                    .max_decoding_message_size(FILES_MESSAGE_BYTES),
                Counted::request,
            ),
            ours!(InfoServiceServer::new(info::Info::new(state))),
            ours!(InterpreterServiceServer::new(interpreter::Interpreter(
                state.clone()
            ))),
            ours!(PtyServiceServer::new(pty::Ptys(state.clone()))),
            ours!(SessionServiceServer::new(session::Sessions(state.clone()))),
            any(HealthServer::new(health), |request| request),
            // Reflection for clients without the proto files, in both versions.
            lazy(|| reflection(Builder::build_v1), |request| request),
            lazy(|| reflection(Builder::build_v1alpha), |request| request),
        ];
        Self {
            services: Arc::new(HashMap::from(services)),
        }
    }

    /// Carries out one call, whose client is authorized.
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
        let Some(service) = self.services.get(&*path.service) else {
            return Status::unimplemented("no such service").into_http();
        };
        // The limit covers the call up to the head of its response; the response's events have the
        // context for the rest.
        let limit = context.clone();
        // tonic's generated services compare the whole path, and know nothing of a sandbox's id
        // before it.
        *request.uri_mut() = path.uri;
        request.extensions_mut().insert(context);
        match limit.within(service(request)).await {
            Ok(response) => response,
            Err(status) => status.into_http(),
        }
    }
}

/// Returns whether a request is a gRPC call.
pub(crate) fn is_call<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    // gRPC is defined for HTTP/2 only, and a request of HTTP/1 with this type gets the error of a
    // route.
    request.version() == http::Version::HTTP_2
        && content_type.is_some_and(|found| found.as_bytes().starts_with(b"application/grpc"))
}

/// Returns whether every client may call this: the health of the daemon, as with HTTP.
pub(crate) fn is_open(uri: &Uri) -> bool {
    path_of(uri).is_some_and(|path| path.service == HEALTH)
}

/// Returns the response to a call that was not admitted.
pub(crate) fn refused(error: Error) -> Response<GrpcBody> {
    Status::from(error).into_http()
}

/// The path of a call.
struct Path {
    service: String,
    /// The URI without the segment before the service.
    uri: Uri,
}

/// Parses `/SERVICE/METHOD`, after at most one segment: a sandbox's id, as with HTTP.
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

/// Returns a service by its name, which is called with the result of `read` for a request.
fn any<S, B>(service: S, read: fn(Request<Incoming>) -> Request<B>) -> (&'static str, AnyService)
where
    S: NamedService + Clone + Send + Sync + 'static,
    S: Service<Request<B>, Response = Response<GrpcBody>, Error = Infallible>,
    S::Future: Send + 'static,
    B: 'static,
{
    lazy(move || service, read)
}

/// Does what [`any`] does with a service that is built when it is first called: few clients call some, and the daemon starts without
/// waiting for it.
fn lazy<S, B>(
    build: impl FnOnce() -> S + Send + 'static,
    read: fn(Request<Incoming>) -> Request<B>,
) -> (&'static str, AnyService)
where
    S: NamedService + Clone + Send + Sync + 'static,
    S: Service<Request<B>, Response = Response<GrpcBody>, Error = Infallible>,
    S::Future: Send + 'static,
    B: 'static,
{
    let service = LazyLock::new(build);
    let call = move |request| -> Answering {
        let answer = S::clone(&service).call(read(request));
        Box::pin(async move {
            let Ok(response) = answer.await;
            response
        })
    };
    (S::NAME, Box::new(call))
}

/// Builds the reflection service of one version.
fn reflection<T>(
    build: impl FnOnce(Builder<'static>) -> Result<T, tonic_reflection::server::Error>,
) -> T {
    let builder = Builder::configure()
        .register_encoded_file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        // The builder would add only the descriptors of the version that it builds.
        .include_reflection_service(false)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET);
    build(builder).expect("the descriptors were generated with the services; a test builds it")
}

const HEALTH: &str = HealthServer::<HealthService>::NAME;

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
    }

    #[test]
    fn the_descriptors_can_be_served() {
        reflection(Builder::build_v1);
        reflection(Builder::build_v1alpha);
    }
}
