//! Requests and their answers.

use std::time::Duration;

use sandbox_transport::{
    ApiFuture, CallOptions, CommandInput, Delivery, ErrorKind, LogSource, ProcessApi,
};
use sandbox_wire::rest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{PATIENCE, client, recording, segments, stub::Stub};

/// An operation and what its answer is to be, if the recorded body is one.
type Told<'a> = (ApiFuture<'a, Value>, Option<Value>);

#[tokio::test]
async fn answers_are_told_as_they_were_given() {
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
                    // No answer that anybody could understand: the request may have been carried out.
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
                        let envelope = error.envelope().unwrap_or_else(|| panic!("{what}"));
                        assert_eq!(envelope.message, message, "{what}");
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
    let told = |call, expect| Some((call, expect));
    match (method, &*path) {
        ("GET", ["version"]) => told(value(api.version()), parsed::<rest::Version>(entry)),
        ("POST", ["process", "execute"]) => {
            let call = api.execute(body(request)?);
            told(value(call), parsed::<rest::ExecuteResponse>(entry))
        }
        ("POST", ["process", "code-run"]) => {
            let call = api.code_run(body(request)?);
            told(value(call), parsed::<rest::CodeRunResponse>(entry))
        }
        ("POST", ["process", "session"]) => {
            let body: rest::CreateSessionRequest = body(request)?;
            let call = async move { api.create_session(&body.session_id).await };
            told(value(Box::pin(call)), nothing())
        }
        ("GET", ["process", "session"]) => told(
            value(api.list_sessions()),
            parsed::<Vec<rest::Session>>(entry),
        ),
        ("GET", ["process", "session", "entrypoint"]) => told(
            value(api.entrypoint_session()),
            parsed::<rest::Session>(entry),
        ),
        ("GET", ["process", "session", id]) if !id.is_empty() => {
            let id = (*id).to_owned();
            let call = async move { api.get_session(&id).await };
            told(value(Box::pin(call)), parsed::<rest::Session>(entry))
        }
        ("DELETE", ["process", "session", id]) => {
            let id = (*id).to_owned();
            let call = async move { api.delete_session(&id).await };
            told(value(Box::pin(call)), nothing())
        }
        ("POST", ["process", "session", id, "exec"]) => {
            let (id, body) = ((*id).to_owned(), body(request)?);
            let call = async move { api.session_execute(&id, body).await };
            told(
                value(Box::pin(call)),
                parsed::<rest::SessionExecuteResponse>(entry),
            )
        }
        ("GET", ["process", "session", id, "command", command]) => {
            let (id, command) = ((*id).to_owned(), (*command).to_owned());
            let call = async move { api.session_command(&id, &command).await };
            told(value(Box::pin(call)), parsed::<rest::SessionCommand>(entry))
        }
        ("GET", ["process", "session", id, "command", command, "logs"]) => {
            let source = LogSource::command(*id, *command);
            told(
                value(api.logs(source)),
                parsed::<rest::SessionCommandLogsResponse>(entry),
            )
        }
        ("POST", ["process", "session", id, "command", command, "input"]) => {
            let body: rest::SessionSendInputRequest = body(request)?;
            let (id, command) = ((*id).to_owned(), (*command).to_owned());
            let input = CommandInput::line(body.data);
            let call = async move { api.session_input(&id, &command, input).await };
            told(value(Box::pin(call)), nothing())
        }
        ("POST", ["process", "pty"]) => {
            let call = api.create_pty(body(request)?);
            let created = parsed::<rest::PtyCreateResponse>(entry);
            told(
                value(call),
                created.map(|created| created["sessionId"].clone()),
            )
        }
        ("GET", ["process", "pty"]) => {
            let list = parsed::<rest::PtyListResponse>(entry);
            told(
                value(api.list_ptys()),
                list.map(|list| list["sessions"].clone()),
            )
        }
        ("GET", ["process", "pty", id]) if !id.is_empty() => {
            let id = (*id).to_owned();
            let call = async move { api.pty_info(&id).await };
            told(value(Box::pin(call)), parsed::<rest::PtySessionInfo>(entry))
        }
        ("DELETE", ["process", "pty", id]) => {
            let id = (*id).to_owned();
            let call = async move { api.delete_pty(&id).await };
            told(value(Box::pin(call)), nothing())
        }
        ("POST", ["process", "pty", id, "resize"]) => {
            let (id, body) = ((*id).to_owned(), body(request)?);
            let call = async move { api.resize_pty(&id, body).await };
            told(value(Box::pin(call)), parsed::<rest::PtySessionInfo>(entry))
        }
        ("POST", ["process", "interpreter", "context"]) => {
            let call = api.create_context(body(request)?);
            told(value(call), parsed::<rest::InterpreterContext>(entry))
        }
        ("GET", ["process", "interpreter", "context"]) => {
            let list = parsed::<rest::ListContextsResponse>(entry);
            told(
                value(api.list_contexts()),
                list.map(|list| list["contexts"].clone()),
            )
        }
        ("DELETE", ["process", "interpreter", "context", id]) if !id.is_empty() => {
            let id = (*id).to_owned();
            let call = async move { api.delete_context(&id).await };
            told(value(Box::pin(call)), nothing())
        }
        _ => None,
    }
}

fn value<'a, T: Serialize + 'a>(call: ApiFuture<'a, T>) -> ApiFuture<'a, Value> {
    Box::pin(async move { Ok(serde_json::to_value(call.await?).unwrap()) })
}

fn body<T: DeserializeOwned>(request: &Value) -> Option<T> {
    serde_json::from_value(request.get("json")?.clone()).ok()
}

fn nothing() -> Option<Value> {
    Some(Value::Null)
}

/// The answer as it is to be told, if it can be understood.
fn parsed<T: DeserializeOwned + Serialize>(entry: &Value) -> Option<Value> {
    let response = &entry["response"];
    let answer: T = match response.get("json") {
        Some(json) => serde_json::from_value(json.clone()).ok()?,
        None => serde_json::from_str(response["text"].as_str()?).ok()?,
    };
    serde_json::to_value(answer).ok()
}
