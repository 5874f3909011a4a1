//! What the suites run over.

/// What carries the operations from a client to its daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// HTTP and WebSockets, by TCP.
    HttpTcp,
    /// The same, by a Unix socket.
    HttpUnix,
    /// gRPC, by TCP.
    GrpcTcp,
    /// The same, by a Unix socket.
    GrpcUnix,
}

impl Carrier {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::HttpTcp, Self::HttpUnix, Self::GrpcTcp, Self::GrpcUnix];

    /// What a client that uses this calls a daemon that calls itself `url`.
    pub(crate) fn url(self, url: &str) -> String {
        match self {
            // A prefix, as the official clients have the sandbox's id there.
            Self::HttpTcp => format!("{url}/sandbox-id"),
            Self::GrpcTcp => format!("{}/sandbox-id", url.replacen("http", "grpc", 1)),
            Self::HttpUnix => url.to_owned(),
            Self::GrpcUnix => format!("grpc+{url}"),
        }
    }

    /// What a client that uses this calls a daemon that another client calls `url`, on the same kind of socket.
    pub(crate) fn instead_of(self, url: &str) -> String {
        if let Some((_, path)) = url.split_once("unix:") {
            return self.url(&format!("unix:{path}"));
        }
        let (_, rest) = url.split_once("://").unwrap_or_default();
        let address = rest.split('/').next().unwrap_or_default();
        self.url(&format!("http://{address}"))
    }

    pub(crate) fn is_unix(self) -> bool {
        matches!(self, Self::HttpUnix | Self::GrpcUnix)
    }
}
