//! Messages and close reasons of the WebSocket routes.

use sandbox_wire::rest::{Termination, TerminationKind};
use sandbox_wire::ws::*;

use crate::{golden, read, refused};

#[test]
fn terminal_control() {
    golden(
        &PtyControl::connected(),
        r#"{"type":"control","status":"connected"}"#,
    );
    golden(
        &PtyControl::connected_at(7),
        r#"{"type":"control","status":"connected","offset":7}"#,
    );
    golden(
        &PtyControl::gap(7, 9),
        r#"{"type":"control","status":"gap","offset":7,"missing":9}"#,
    );
    golden(
        &PtyControl::error("no such terminal"),
        r#"{"type":"control","status":"error","error":"no such terminal"}"#,
    );
    golden(
        &PtyControl::exited(PtyCloseReason::new(0)),
        r#"{"type":"control","status":"exited","exitCode":0}"#,
    );
    golden(
        &PtyControl::exited(PtyCloseReason::new(137)),
        r#"{"type":"control","status":"exited","exitCode":137,"exitReason":"SIGKILL"}"#,
    );
    golden(
        &PtyControl::ended(PtyCloseReason::new(0), exited(0)),
        r#"{"type":"control","status":"exited","exitCode":0,"termination":{"kind":"exited","exitCode":0}}"#,
    );
    golden(
        &InterpreterMessage {
            termination: Some(exited(1)),
            ..InterpreterMessage::text(InterpreterMessageKind::Control, CONTROL_ENDED)
        },
        r#"{"type":"control","text":"ended","name":"","value":"","traceback":"","termination":{"kind":"exited","exitCode":1}}"#,
    );
}

fn exited(code: i32) -> Termination {
    Termination {
        kind: TerminationKind::Exited,
        exit_code: Some(code),
        signal: None,
        reason: None,
        limit: None,
        usage: None,
    }
}

/// Text that only looks like control is output.
#[test]
fn what_is_no_control_is_refused() {
    refused::<PtyControl>(r#"{"type":"data","status":"connected"}"#);
    refused::<PtyControl>(r#"{"status":"connected"}"#);
    refused::<PtyControl>(r#"{"type":"control"}"#);
    refused::<PtyControl>("$ ");
    let newer: PtyControl = read(r#"{"type":"control","status":"resized","cols":3,"error":null}"#);
    assert_eq!(newer.status, PtyControlStatus::Unknown);
    assert_eq!(newer.error, None);
    // An exit without its code is an exit of unknown code.
    let exited: PtyControl = read(r#"{"type":"control","status":"exited"}"#);
    assert_eq!(
        (exited.status, exited.exit_code),
        (PtyControlStatus::Exited, None)
    );
}

#[test]
fn terminal_close_reason() {
    let check = |exit_code, close_code, json: &str| {
        let reason = PtyCloseReason::new(exit_code);
        golden(&reason, json);
        assert_eq!(reason.close_code(), close_code);
        assert!(json.len() <= 123, "a close frame holds no more");
    };
    check(0, 1000, r#"{"exitCode":0}"#);
    check(7, 1011, r#"{"exitCode":7,"exitReason":"non-zero exit"}"#);
    check(-1, 1011, r#"{"exitCode":-1,"exitReason":"non-zero exit"}"#);
    check(
        128,
        1011,
        r#"{"exitCode":128,"exitReason":"non-zero exit"}"#,
    );
    check(129, 1011, r#"{"exitCode":129,"exitReason":"signal 1"}"#);
    check(130, 1011, r#"{"exitCode":130,"exitReason":"Ctrl+C"}"#);
    check(137, 1011, r#"{"exitCode":137,"exitReason":"SIGKILL"}"#);
    check(143, 1011, r#"{"exitCode":143,"exitReason":"SIGTERM"}"#);
    check(192, 1011, r#"{"exitCode":192,"exitReason":"signal 64"}"#);
    check(
        i32::MAX,
        1011,
        r#"{"exitCode":2147483647,"exitReason":"signal 2147483519"}"#,
    );
    check(
        i32::MIN,
        1011,
        r#"{"exitCode":-2147483648,"exitReason":"non-zero exit"}"#,
    );
    for other in ["", "slow consumer", "{}", r#"{"exitCode":null}"#, "null"] {
        refused::<PtyCloseReason>(other);
    }
}

#[test]
fn interpreter_requests() {
    golden(
        &InterpreterRequest {
            code: "print(1)".to_owned(),
            context_id: Some("c".to_owned()),
            timeout: Some(0),
            envs: Some([("A".to_owned(), Some("b".to_owned()))].into()),
        },
        r#"{"code":"print(1)","contextId":"c","timeout":0,"envs":{"A":"b"}}"#,
    );
    golden(&InterpreterRequest::default(), r#"{"code":""}"#);
    // These are read, for the daemon to refuse with the right close code, or to run.
    for json in [
        "{}",
        r#"{"code":null,"contextId":null,"timeout":null,"envs":null}"#,
        r#"{"code":"","zz":1}"#,
    ] {
        assert_eq!(
            read::<InterpreterRequest>(json),
            InterpreterRequest::default()
        );
    }
    assert_eq!(
        read::<InterpreterRequest>(r#"{"timeout":-1}"#).timeout,
        Some(-1)
    );
    assert_eq!(
        read::<InterpreterRequest>(r#"{"timeout":1000000000000}"#).timeout,
        Some(1_000_000_000_000)
    );
    for json in [
        "",
        "nope",
        r#"{"code":1}"#,
        r#"{"code":"1","timeout":0.5}"#,
        r#"{"code":"1","timeout":"1"}"#,
        r#"{"code":"1","envs":{"A":1}}"#,
    ] {
        refused::<InterpreterRequest>(json);
    }
}

/// All five fields are there, whatever the kind.
#[test]
fn interpreter_messages() {
    use InterpreterMessageKind::{Control, Stderr, Stdout, Unknown};
    golden(
        &InterpreterMessage::text(Stdout, "a\n"),
        r#"{"type":"stdout","text":"a\n","name":"","value":"","traceback":""}"#,
    );
    golden(
        &InterpreterMessage::text(Stderr, "b"),
        r#"{"type":"stderr","text":"b","name":"","value":"","traceback":""}"#,
    );
    golden(
        &InterpreterMessage::error("ZeroDivisionError", "division by zero", "Traceback ..."),
        r#"{"type":"error","text":"","name":"ZeroDivisionError","value":"division by zero","traceback":"Traceback ..."}"#,
    );
    golden(
        &InterpreterMessage::text(Control, CONTROL_COMPLETED),
        r#"{"type":"control","text":"completed","name":"","value":"","traceback":""}"#,
    );
    golden(
        &InterpreterMessage::text(Control, CONTROL_INTERRUPTED),
        r#"{"type":"control","text":"interrupted","name":"","value":"","traceback":""}"#,
    );
    let sparse: InterpreterMessage = read(r#"{"type":"stdout","text":"a\n","name":null}"#);
    assert_eq!(sparse, InterpreterMessage::text(Stdout, "a\n"));
    let newer: InterpreterMessage = read(r#"{"type":"newer","png":"..."}"#);
    assert_eq!(newer, InterpreterMessage::text(Unknown, ""));
    refused::<InterpreterMessage>(r#"{"text":"a"}"#);
}
