//! The operations of the toolbox API that this daemon does not serve.
//!
//! A published client interprets 404 as a sandbox that does not exist any more, so an operation that
//! the protocol has and this daemon does not results in 501, on exactly these routes.

use http::Method;
use sandbox_wire::ErrorCode;

use super::{ApiError, Call, Door, Responded, Route};

/// Returns a route for each unserved operation.
pub(crate) fn routes() -> Vec<Route> {
    let lines = UNSERVED.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .map(|(method, path)| Route {
            method: Method::from_bytes(method.as_bytes())
                .expect("the file has methods; a test reads it"),
            path,
            door: Door::LetIn,
            handler: |call| Box::pin(refuse(call)),
        })
        .collect()
}

/// Reads the body, so that a client that sends all of it before it reads anything receives the response.
async fn refuse(mut call: Call) -> Responded {
    let (method, path) = (&call.parts.method, call.parts.uri.path());
    let message = format!("{method} {path} is not implemented by this daemon");
    call.discard_body().await;
    Err(ApiError::new(ErrorCode::NotImplemented, message))
}

/// The methods and path templates, one pair on each line.
const UNSERVED: &str = include_str!("unserved.txt");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http;

    #[test]
    fn no_route_is_both_served_and_unserved() {
        let lines = UNSERVED.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(lines.count(), routes().len());
        let key = |route: &Route| (route.method.to_string(), route.path);
        let served: BTreeSet<_> = http::routes().iter().map(key).collect();
        let unserved: BTreeSet<_> = routes().iter().map(key).collect();
        assert_eq!(unserved.len(), routes().len(), "a line is there twice");
        assert_eq!(served.intersection(&unserved).next(), None);
        assert!(unserved.len() > 50);
    }
}
