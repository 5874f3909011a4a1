//! The routes.

use http::Method;

use super::call::Handler;
use super::{info, interpreter, logs, process, pty, session, stream};

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
