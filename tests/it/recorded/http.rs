//! Requests and their responses.

use std::time::Duration;

use sandbox_transport::{
    ApiFuture, CallOptions, CommandInput, ContextRequest, Delivery, Error, ErrorKind, LogSource,
    ProcessApi, PtySize, SessionRequest,
};
use sandbox_wire::rest;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{PATIENCE, client, described, recording, segments, stub::Stub};

/// An operation and what its response is to be, if the recorded body is one.
type Told<'a> = (ApiFuture<'a, Value>, Option<Value>);

#[tokio::test]
async fn responses_are_returned_as_recorded() {
    let names = [
        "execute",
        "code-run",
        "session",
        "pty",
        "interpreter",
        "misc",
        "wedges",
    ];
    let (mut told, mut refused, mut silent, mut untold) = (0, 0, 0, 0);
    for name in names {
        for entry in recording(name) {
            let stub = Stub::answering(&entry).await;
            let limit = Duration::from_millis(300);
            let api = client(&stub);
            let is_silent = entry["response"]["status"].is_null();
            let options = CallOptions::new().deadline(if is_silent { limit } else { PATIENCE });
            let api = api.with_options(options);
            let Some((call, expect)) = call(&*api, &entry) else {
                // What a typed client cannot ask.
                untold += 1;
                continue;
            };
            let what = format!("{name}: {}", entry["name"]);
            let result = tokio::time::timeout(PATIENCE * 2, call)
                .await
                .unwrap_or_else(|_| panic!("{what}: hangs"));
            match entry["response"]["status"].as_u64() {
                None => {
                    let error = result.expect_err(&what);
                    assert_eq!(error.kind(), ErrorKind::Timeout, "{what}: {error:?}");
                    assert_eq!(error.delivery(), Delivery::Uncertain, "{what}");
                    silent += 1;
                }
                Some(status @ 200..300) => match expect {
                    Some(expect) => {
                        let result = result.unwrap_or_else(|error| panic!("{what}: {error:?}"));
                        assert_eq!(result, expect, "{what}: {status}");
                        told += 1;
                    }
                    // Not a valid response: the request may have been carried out.
                    None => {
                        let error = result.expect_err(&what);
                        assert_eq!(error.delivery(), Delivery::Uncertain, "{what}: {error:?}");
                        untold += 1;
                    }
                },
                Some(status) => {
                    let error = result.expect_err(&what);
                    assert_eq!(
                        error.status().map(u64::from),
                        Some(status),
                        "{what}: {error:?}"
                    );
                    let body: Value =
                        serde_json::from_str(entry["response"]["text"].as_str().unwrap_or(""))
                            .unwrap_or_default();
                    if let Some(message) = body["message"].as_str() {
                        // Without words the client has some of its own.
                        let is_told = message.is_empty() || error.to_string() == message;
                        assert!(is_told, "{what}: {error}");
                    }
                    refused += 1;
                }
            }
        }
    }
    // That nothing is passed over by accident.
    eprintln!("{told} told, {refused} refused, {silent} silent, {untold} untold");
    assert!(
        told > 400 && refused > 80 && silent >= 10 && untold < 150,
        "{told} {refused} {silent} {untold}"
    );
}

/// What a client would call to send the request of an entry.
fn call<'a>(api: &'a dyn ProcessApi, entry: &Value) -> Option<Told<'a>> {
    let request = &entry["request"];
    let method = request["method"].as_str()?;
    let path = segments(request);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let route = (method, &*path);
    match &*path {
        ["process", "session", ..] => {
            session_call(api, entry, route).or_else(|| command_call(api, entry, route))
        }
        ["process", "pty", ..] => terminal_call(api, entry, route),
        ["process", "interpreter", ..] => context_call(api, entry, route),
        _ => other_call(api, entry, route),
    }
}

/// A method, and the segments of a path.
type Route<'r> = (&'r str, &'r [&'r str]);

fn told<'a>(call: ApiFuture<'a, Value>, expect: Option<Value>) -> Option<Told<'a>> {
    Some((call, expect))
}

fn other_call<'a>(api: &'a dyn ProcessApi, entry: &Value, route: Route<'_>) -> Option<Told<'a>> {
    match route {
        ("GET", ["version"]) => told(
            value(api.version(), Value::from),
            parsed(entry, |told: rest::Version| told.version.into()),
        ),
        ("POST", ["process", "execute"]) => {
            let call = api.execute(described::exec(body(entry)?));
            told(
                value(call, described::outcome),
                parsed(entry, described::executed),
            )
        }
        ("POST", ["process", "code-run"]) => {
            let call = api.code_run(described::run(body(entry)?));
            told(
                value(call, described::outcome),
                parsed(entry, described::ran),
            )
        }
        _ => None,
    }
}

fn session_call<'a>(api: &'a dyn ProcessApi, entry: &Value, route: Route<'_>) -> Option<Told<'a>> {
    match route {
        ("POST", ["process", "session"]) => {
            let body: rest::CreateSessionRequest = body(entry)?;
            let call = api.create_session(SessionRequest::new(body.session_id));
            told(nothing(call), Some(Value::Null))
        }
        ("GET", ["process", "session"]) => told(
            value(api.list_sessions(), |told| {
                told.into_iter().map(described::session).collect()
            }),
            parsed(entry, |told: Vec<rest::Session>| {
                told.into_iter().map(described::rest_session).collect()
            }),
        ),
        ("GET", ["process", "session", "entrypoint"]) => told(
            value(api.entrypoint_session(), described::session),
            parsed(entry, described::rest_session),
        ),
        ("GET", ["process", "session", id]) if !id.is_empty() => {
            let id = (*id).to_owned();
            let call = async move { api.get_session(&id).await };
            told(
                value(Box::pin(call), described::session),
                parsed(entry, described::rest_session),
            )
        }
        ("DELETE", ["process", "session", id]) => {
            let id = (*id).to_owned();
            let call = async move { api.delete_session(&id).await };
            told(nothing(call), Some(Value::Null))
        }
        ("POST", ["process", "session", id, "exec"]) => {
            let (id, body) = ((*id).to_owned(), described::session_execute(body(entry)?));
            let call = async move { api.session_execute(&id, body).await };
            told(
                value(Box::pin(call), described::session_outcome),
                parsed(entry, described::session_executed),
            )
        }
        _ => None,
    }
}

fn command_call<'a>(api: &'a dyn ProcessApi, entry: &Value, route: Route<'_>) -> Option<Told<'a>> {
    match route {
        ("GET", ["process", "session", id, "command", command]) => {
            let (id, command) = ((*id).to_owned(), (*command).to_owned());
            let call = async move { api.session_command(&id, &command).await };
            told(
                value(Box::pin(call), described::command),
                parsed(entry, described::rest_command),
            )
        }
        ("GET", ["process", "session", id, "command", command, "logs"]) => {
            let call = api.logs(LogSource::command(*id, *command));
            told(
                value(call, described::output),
                parsed(entry, described::logs),
            )
        }
        ("POST", ["process", "session", id, "command", command, "input"]) => {
            let body: rest::SessionSendInputRequest = body(entry)?;
            let (id, command) = ((*id).to_owned(), (*command).to_owned());
            let input = CommandInput::line(body.data);
            let call = async move { api.session_input(&id, &command, input).await };
            told(nothing(call), Some(Value::Null))
        }
        _ => None,
    }
}

fn terminal_call<'a>(api: &'a dyn ProcessApi, entry: &Value, route: Route<'_>) -> Option<Told<'a>> {
    match route {
        ("POST", ["process", "pty"]) => told(
            value(
                api.create_pty(described::pty_create(body(entry)?)),
                Value::from,
            ),
            parsed(entry, |told: rest::PtyCreateResponse| {
                told.session_id.into()
            }),
        ),
        ("GET", ["process", "pty"]) => told(
            value(api.list_ptys(), |told| {
                told.into_iter().map(described::pty).collect()
            }),
            parsed(entry, |told: rest::PtyListResponse| {
                told.sessions.into_iter().map(described::rest_pty).collect()
            }),
        ),
        ("GET", ["process", "pty", id]) if !id.is_empty() => {
            let id = (*id).to_owned();
            let call = async move { api.pty_info(&id).await };
            told(
                value(Box::pin(call), described::pty),
                parsed(entry, described::rest_pty),
            )
        }
        ("DELETE", ["process", "pty", id]) => {
            let id = (*id).to_owned();
            let call = async move { api.delete_pty(&id).await };
            told(nothing(call), Some(Value::Null))
        }
        ("POST", ["process", "pty", id, "resize"]) => {
            let (id, body): (_, rest::PtyResizeRequest) = ((*id).to_owned(), body(entry)?);
            let (rows, cols) = (body.rows, body.cols);
            let call = async move { api.resize_pty(&id, PtySize { rows, cols }).await };
            told(
                value(Box::pin(call), described::pty),
                parsed(entry, described::rest_pty),
            )
        }
        _ => None,
    }
}

fn context_call<'a>(api: &'a dyn ProcessApi, entry: &Value, route: Route<'_>) -> Option<Told<'a>> {
    match route {
        ("POST", ["process", "interpreter", "context"]) => {
            let rest::CreateContextRequest { cwd, language, .. } = body(entry)?;
            let call = api.create_context(ContextRequest {
                cwd,
                language,
                ..ContextRequest::default()
            });
            told(
                value(call, described::context),
                parsed(entry, described::rest_context),
            )
        }
        ("GET", ["process", "interpreter", "context"]) => told(
            value(api.list_contexts(), |told| {
                told.into_iter().map(described::context).collect()
            }),
            parsed(entry, |told: rest::ListContextsResponse| {
                let contexts = told.contexts.into_iter();
                contexts.map(described::rest_context).collect()
            }),
        ),
        ("DELETE", ["process", "interpreter", "context", id]) if !id.is_empty() => {
            let id = (*id).to_owned();
            let call = async move { api.delete_context(&id).await };
            told(nothing(call), Some(Value::Null))
        }
        _ => None,
    }
}

fn value<'a, T: 'a>(
    call: ApiFuture<'a, T>,
    describe: impl FnOnce(T) -> Value + Send + 'a,
) -> ApiFuture<'a, Value> {
    Box::pin(async move { call.await.map(describe) })
}

fn nothing<'a>(call: impl Future<Output = Result<(), Error>> + Send + 'a) -> ApiFuture<'a, Value> {
    value(Box::pin(call), |()| Value::Null)
}

fn body<T: DeserializeOwned>(entry: &Value) -> Option<T> {
    serde_json::from_value(entry["request"].get("json")?.clone()).ok()
}

/// The response as it is to be reported, if it can be understood.
fn parsed<T: DeserializeOwned>(entry: &Value, describe: impl FnOnce(T) -> Value) -> Option<Value> {
    let response = &entry["response"];
    let answer = match response.get("json") {
        Some(json) => serde_json::from_value(json.clone()).ok()?,
        None => serde_json::from_str(response["text"].as_str()?).ok()?,
    };
    Some(describe(answer))
}
