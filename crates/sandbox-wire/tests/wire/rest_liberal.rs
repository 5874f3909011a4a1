//! What is read although it is not written so, and what is not.

use sandbox_wire::rest::*;

use crate::{read, refused};

#[test]
fn errors_of_other_servers_are_read() {
    let check = |json: &str, status_code, message: &str, code: Option<&str>| {
        let envelope: ErrorEnvelope = read(json);
        assert_eq!(envelope.status_code, status_code, "{json}");
        assert_eq!(envelope.message, message, "{json}");
        assert_eq!(envelope.code.as_deref(), code, "{json}");
    };
    check("{}", 0, "", None);
    check(
        r#"{"error":"PTY session not found"}"#,
        0,
        "PTY session not found",
        None,
    );
    check(
        r#"{"statusCode":404,"message":"no such sandbox","error":"Not Found"}"#,
        404,
        "no such sandbox",
        None,
    );
    check(
        r#"{"statusCode":400,"message":["a is wrong","b too"],"error_code":"X"}"#,
        400,
        r#"["a is wrong","b too"]"#,
        Some("X"),
    );
    check(r#"{"error":{"reason":"r"}}"#, 0, r#"{"reason":"r"}"#, None);
    check(
        r#"{"message":null,"error":"e","code":null,"error_code":"OLD"}"#,
        0,
        "e",
        Some("OLD"),
    );
    check(r#"{"code":"NEW","error_code":"OLD"}"#, 0, "", Some("NEW"));
    check(r#"{"code":17}"#, 0, "", Some("17"));
    refused::<ErrorEnvelope>("[]");
    refused::<ErrorEnvelope>("\"no\"");
    refused::<ErrorEnvelope>(r#"{"statusCode":"404"}"#);
}

#[test]
fn an_exit_code_may_have_its_older_name() {
    let check = |json: &str, expect| {
        assert_eq!(read::<ExecuteResponse>(json).exit_code, expect, "{json}");
    };
    check(r#"{"code":3,"result":""}"#, Some(3));
    check(r#"{"exitCode":4,"code":3}"#, Some(4));
    check(r#"{"exitCode":null,"code":3}"#, Some(3));
    check(r#"{"result":""}"#, None);
}

#[test]
fn lists_may_be_null() {
    assert_eq!(
        read::<PtyListResponse>(r#"{"sessions":null}"#),
        PtyListResponse::default()
    );
    assert_eq!(
        read::<ListContextsResponse>(r#"{"contexts":null}"#),
        ListContextsResponse::default()
    );
    let session: Session = read(r#"{"sessionId":"s","commands":null}"#);
    assert_eq!(session.commands, []);
}

#[test]
fn variables_may_be_null() {
    let request: ExecuteRequest = read(r#"{"command":"a","envs":{"A":null,"B":""}}"#);
    let envs: Vec<_> = request.envs.unwrap().into_iter().collect();
    let expect = [
        ("A".to_owned(), None),
        ("B".to_owned(), Some(String::new())),
    ];
    assert_eq!(envs, expect);
}

/// Objects of strings, whichever they are: `/init`, `/env`, and deletions.
#[test]
fn any_object_is_a_message() {
    let check = |json: &str, expect: &str| {
        assert_eq!(read::<MessageResponse>(json).message, expect);
    };
    check("{}", "");
    check(r#"{"message":"m","version":"v"}"#, "m");
    check(r#"{"message":null}"#, "");
}

#[test]
fn numbers_out_of_range_are_refused() {
    for timeout in ["-1", "1.0", "1e1", "4294967296", "\"1\"", "true"] {
        refused::<ExecuteRequest>(&format!(r#"{{"command":"a","timeout":{timeout}}}"#));
        refused::<CodeRunRequest>(&format!(
            r#"{{"code":"a","language":"python","timeout":{timeout}}}"#
        ));
    }
    for cols in ["-1", "80.5", "65536", "\"80\""] {
        refused::<PtyCreateRequest>(&format!(r#"{{"id":"p","cols":{cols}}}"#));
        refused::<PtyResizeRequest>(&format!(r#"{{"cols":{cols},"rows":24}}"#));
    }
    assert_eq!(
        read::<ExecuteRequest>(r#"{"command":"a","timeout":4294967295}"#).timeout,
        Some(u32::MAX)
    );
}
