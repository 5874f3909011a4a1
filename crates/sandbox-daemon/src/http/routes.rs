//! The table of routes.

use http::Method;

use super::call::Handler;
use super::{files, info, interpreter, logs, ports, process, pty, session, stream};

/// A route, its handler, and the authorization that it requires.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) door: Door,
    pub(crate) handler: Handler,
}

/// The authorization that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// None: the response contains no information, and the request has no effect.
    Anybody,
    /// The authorization of the server's [`Access`](crate::Access).
    LetIn,
}

macro_rules! table {
    ($($method:ident $path:literal $door:ident $handler:path;)*) => {
        vec![$(Route {
            method: Method::$method,
            path: $path,
            door: Door::$door,
            handler: |call| Box::pin($handler(call)),
        }),*]
    };
}

/// Returns all routes.
pub(crate) fn routes() -> Vec<Route> {
    // The order has no meaning: the router prefers a literal segment to a parameter.
    table! {
        GET "/healthz" Anybody info::healthz;
        GET "/version" LetIn info::version;
        GET "/openapi.json" LetIn info::openapi;
        GET "/work-dir" LetIn info::work_dir;
        GET "/user-home-dir" LetIn info::home_dir;
        GET "/project-dir" LetIn info::home_dir;
        GET "/system/metrics" LetIn info::metrics;
        POST "/init" LetIn info::init;
        POST "/env" LetIn info::env;
        POST "/process/execute" LetIn process::execute;
        GET "/process/execute/connect" LetIn stream::connect;
        GET "/process/execute/{exec}" LetIn session::command;
        GET "/process/execute/{exec}/logs" LetIn logs::of_command;
        POST "/process/execute/{exec}/signal" LetIn session::signal;
        POST "/process/code-run" LetIn process::code_run;
        POST "/process/session" LetIn session::create;
        GET "/process/session" LetIn session::list;
        GET "/process/session/{id}" LetIn session::get;
        DELETE "/process/session/{id}" LetIn session::delete;
        POST "/process/session/{id}/exec" LetIn session::exec;
        GET "/process/session/{id}/command/{cid}" LetIn session::command;
        GET "/process/session/{id}/command/{cid}/logs" LetIn logs::of_command;
        POST "/process/session/{id}/command/{cid}/input" LetIn session::input;
        POST "/process/session/{id}/command/{cid}/signal" LetIn session::signal;
        GET "/process/session/entrypoint/logs" LetIn logs::of_entrypoint;
        POST "/process/pty" LetIn pty::create;
        GET "/process/pty" LetIn pty::list;
        GET "/process/pty/create-connect" LetIn pty::create_connect;
        GET "/process/pty/{id}" LetIn pty::get;
        DELETE "/process/pty/{id}" LetIn pty::delete;
        POST "/process/pty/{id}/resize" LetIn pty::resize;
        GET "/process/pty/{id}/connect" LetIn pty::connect;
        POST "/process/interpreter/context" LetIn interpreter::create;
        GET "/process/interpreter/context" LetIn interpreter::list;
        DELETE "/process/interpreter/context/{id}" LetIn interpreter::delete;
        POST "/process/interpreter/context/{id}/interrupt" LetIn interpreter::interrupt;
        POST "/process/interpreter/context/{id}/restart" LetIn interpreter::restart;
        GET "/process/interpreter/execute" LetIn interpreter::execute;
        GET "/files" LetIn files::list;
        DELETE "/files" LetIn files::remove;
        GET "/files/info" LetIn files::info;
        POST "/files/folder" LetIn files::create_folder;
        POST "/files/move" LetIn files::rename;
        POST "/files/permissions" LetIn files::set_permissions;
        GET "/files/find" LetIn files::find;
        GET "/files/search" LetIn files::search;
        POST "/files/replace" LetIn files::replace;
        GET "/files/download" LetIn files::download;
        HEAD "/files/download" LetIn files::download;
        GET "/files/archive" LetIn files::read_archive;
        POST "/files/archive" LetIn files::write_archive;
        POST "/files/bulk-download" LetIn files::bulk_download;
        POST "/files/upload" LetIn files::upload;
        POST "/files/upload-v2" LetIn files::upload;
        POST "/files/bulk-upload" LetIn files::bulk_upload;
        GET "/port" LetIn ports::list;
        GET "/port/{port}/in-use" LetIn ports::in_use;
        GET "/port/{port}/connect" LetIn ports::connect;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// Ensures that every route is described, with its authorization, and covered by the tests of authorization, which
    /// take their list from the description.
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
