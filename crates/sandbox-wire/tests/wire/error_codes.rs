//! The table of error codes.

use std::collections::BTreeSet;

use sandbox_wire::ErrorCode;
use serde_json::Value;

/// The whole table, so that no number changes by accident.
#[test]
fn the_table() {
    let expect = [
        ("BAD_REQUEST", 400, 3),
        ("INVALID_REQUEST_BODY", 400, 3),
        ("UNAUTHORIZED", 401, 16),
        ("FORBIDDEN", 403, 7),
        ("NOT_FOUND", 404, 5),
        ("METHOD_NOT_ALLOWED", 405, 12),
        ("REQUEST_TIMEOUT", 408, 4),
        ("CONFLICT", 409, 6),
        ("GONE", 410, 9),
        ("PAYLOAD_TOO_LARGE", 413, 8),
        ("URI_TOO_LONG", 414, 3),
        ("UNSUPPORTED_MEDIA_TYPE", 415, 3),
        ("RANGE_NOT_SATISFIABLE", 416, 11),
        ("EXPECTATION_FAILED", 417, 3),
        ("UNPROCESSABLE_ENTITY", 422, 9),
        ("TOO_MANY_REQUESTS", 429, 8),
        ("REQUEST_HEADER_FIELDS_TOO_LARGE", 431, 8),
        ("INTERNAL_SERVER_ERROR", 500, 13),
        ("NOT_IMPLEMENTED", 501, 12),
        ("SERVICE_UNAVAILABLE", 503, 14),
        ("PROCESS_EXECUTION_TIMEOUT", 408, 4),
        ("PROCESS_NOT_FOUND", 404, 5),
        ("SESSION_ENDED", 410, 9),
        ("COMMAND_ALREADY_COMPLETED", 410, 9),
        ("FILE_NOT_FOUND", 404, 5),
        ("FILE_ACCESS_DENIED", 403, 7),
        ("INVALID_FILE_PATH", 400, 3),
        ("FILE_READ_FAILED", 500, 13),
        ("INSUFFICIENT_STORAGE", 507, 8),
        ("ISOLATION_UNAVAILABLE", 422, 9),
        ("FILE_CHANGED", 412, 9),
        ("RESOURCE_LIMIT_UNAVAILABLE", 422, 9),
    ];
    let table = ErrorCode::ALL.map(|code| (code.name(), code.http_status(), code.grpc_code()));
    assert_eq!(table, expect);
}

#[test]
fn names_are_unique_and_found_again() {
    let names: BTreeSet<_> = ErrorCode::ALL.into_iter().map(ErrorCode::name).collect();
    assert_eq!(names.len(), ErrorCode::ALL.len());
    for code in ErrorCode::ALL {
        assert_eq!(ErrorCode::from_name(code.name()), Some(code));
    }
    assert_eq!(ErrorCode::from_name("GIT_AUTH_FAILED"), None);
    assert_eq!(ErrorCode::from_name("not_found"), None);
    assert_eq!(ErrorCode::from_name(""), None);
}

/// Whatever the protocol calls a code of this area, the table has.
#[test]
fn the_protocols_codes_are_there() {
    let facts: Value = serde_json::from_str(include_str!("../data/rest_shapes.json")).unwrap();
    let codes = facts["errorCodes"].as_array().unwrap();
    assert!(codes.len() > 10);
    for code in codes {
        let name = code.as_str().unwrap();
        assert!(ErrorCode::from_name(name).is_some(), "{name}");
    }
}

/// A client that only sees the HTTP status comes to the same gRPC code as one that sees the name, as far as
/// gRPC has a status for each of these.
#[test]
fn the_general_statuses_agree() {
    for code in ErrorCode::ALL {
        let general = ErrorCode::ALL
            .into_iter()
            .find(|other| other.http_status() == code.http_status())
            .unwrap();
        assert_eq!(code.grpc_code(), general.grpc_code(), "{}", code.name());
    }
}
