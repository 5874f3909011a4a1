//! Tunnels to the ports of a sandbox.

use http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use sandbox_daemon::doors::chain;
use sandbox_provider::{Provider, SandboxId};
use sandbox_wire::ErrorCode;

use crate::error::ApiError;
use crate::limits::DIAL;
use crate::proxy;
use crate::shared::Shared;

/// Connects to a port in a sandbox, through its daemon.
///
/// # Errors
///
/// Returns 503 if nothing listens on the port.
pub(crate) async fn connect<P: Provider>(
    shared: &Shared<P>,
    id: &SandboxId,
    port: u16,
) -> Result<TokioIo<Upgraded>, ApiError> {
    let stream = proxy::dial(shared, id).await?;
    let broken = |what: String| ApiError::new(ErrorCode::ServiceUnavailable, what).of_proxy();
    let tunnel = async {
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| broken(chain(&error)))?;
        // It ends with its stream, which the tunnel owns.
        tokio::spawn(connection.with_upgrades());
        let request = Request::get(format!("/port/{port}/connect"))
            .header(header::HOST, "localhost")
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "tcp")
            .body(Empty::<Bytes>::new())
            .map_err(|error| broken(error.to_string()))?;
        let response = sender.send_request(request).await;
        let response = response.map_err(|error| broken(chain(&error)))?;
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => {
                let upgraded = hyper::upgrade::on(response).await;
                upgraded
                    .map(TokioIo::new)
                    .map_err(|error| broken(chain(&error)))
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                let message = format!("nothing listens on port {port} of the sandbox");
                Err(broken(message))
            }
            StatusCode::NOT_FOUND | StatusCode::NOT_IMPLEMENTED => {
                let message = "the daemon of the sandbox is too old for previews";
                Err(ApiError::not_implemented(message).of_proxy())
            }
            status => Err(broken(format!("the sandbox responded with {status}"))),
        }
    };
    match tokio::time::timeout(DIAL, tunnel).await {
        Ok(tunnel) => tunnel,
        Err(_) => Err(broken("the sandbox did not respond in time".to_owned())),
    }
}
