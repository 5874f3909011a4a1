//! What travels, held against the protocol: names, types, what may be absent, and exact texts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod description;
mod error_codes;
mod protobuf;
mod rest_golden;
mod rest_liberal;
mod rest_shapes;
mod samples;
#[cfg(all(feature = "grpc-client", feature = "grpc-server"))]
mod stubs;
mod websocket;

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// `value` is written as exactly `json`, and read back from it.
#[track_caller]
fn golden<T>(value: &T, json: &str)
where
    T: Debug + PartialEq + Serialize + DeserializeOwned,
{
    assert_eq!(serde_json::to_string(value).unwrap(), json);
    assert_eq!(&read::<T>(json), value);
}

/// Reads what must be readable.
#[track_caller]
fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// `json` is no `T`.
#[track_caller]
fn refused<T: Debug + DeserializeOwned>(json: &str) {
    let read = serde_json::from_str::<T>(json);
    assert!(read.is_err(), "{json}: {read:?}");
}
