//! Types of other crates in public signatures: each of them binds the versions of a crate to those of another.

use std::collections::BTreeSet;

/// What the public items of each crate may name besides themselves and std. `sandbox_wire` is nowhere: callers know no encoding.
const NAMED: [(&str, &[&str]); 10] = [
    // Its feature `tokio` is a codec of `tokio_util`.
    ("sandbox-logcodec", &["bytes", "tokio_util"]),
    ("sandbox-charts", &["bytes", "serde_json"]),
    // Bodies are read and written by any format of serde.
    ("sandbox-wire", &["serde_core", "serde_json"]),
    // Signals are those of rustix, re-exported.
    ("sandbox-engine", &["bytes", "rustix", "sandbox_logcodec"]),
    // An error of the system becomes one of ours by `?`.
    ("sandbox-files", &["bytes", "rustix"]),
    (
        "sandbox-transport",
        &["bytes", "futures_core", "sandbox_logcodec", "serde_json"],
    ),
    // Its feature `cli` is arguments for clap, and the settings of a file.
    (
        "sandbox-daemon",
        &["clap_builder", "sandbox_engine", "serde_core"],
    ),
    // A sandbox is dialed as a stream of tokio.
    ("sandbox-provider", &["tokio"]),
    (
        "sandbox-process",
        &[
            "bytes",
            "futures_core",
            "sandbox_charts",
            "sandbox_logcodec",
            "sandbox_transport",
            // `AsyncRead` and `AsyncWrite`.
            "tokio",
        ],
    ),
    (
        "sandbox-control",
        &[
            "sandbox_daemon",
            "sandbox_process",
            "sandbox_provider",
            "sandbox_transport",
        ],
    ),
];

const STD: [&str; 3] = ["alloc", "core", "std"];

/// Returns what a list names and may not, and what it may name and does not.
pub(crate) fn found(package: &str, list: &[String]) -> Vec<String> {
    let own = package.replace('-', "_");
    let entry = NAMED.iter().find(|(name, _)| *name == package);
    let allowed = entry.map_or(&[][..], |(_, allowed)| allowed);
    let (mut faults, mut named) = (Vec::new(), BTreeSet::new());
    for line in list {
        for name in crates(line) {
            named.insert(name);
            if name != own && !STD.contains(&name) && !allowed.contains(&name) {
                faults.push(format!("`{line}` names `{name}`"));
            }
        }
    }
    let unnamed = allowed.iter().filter(|name| !named.contains(*name));
    faults.extend(
        unnamed.map(|name| format!("nothing names `{name}`: see xtask/api/src/foreign.rs")),
    );
    faults
}

/// Returns the crates that a line names: the beginnings of its paths.
fn crates(line: &str) -> impl Iterator<Item = &str> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    line.split(move |c| !is_path(c))
        .filter_map(|path| Some(path.split_once("::")?.0))
        .filter(|name| !matches!(*name, "" | "Self"))
        .filter(|name| name.starts_with(char::is_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(package: &str, line: &str, expect: &[&str]) {
        let mut lines = vec![line.to_owned()];
        // What it may name, it names.
        let allowed = NAMED.iter().find(|(name, _)| *name == package).unwrap().1;
        lines.extend(allowed.iter().map(|name| format!("pub use {name}::A")));
        assert_eq!(found(package, &lines), expect, "{line}");
    }

    #[test]
    fn what_is_named_is_std_the_crate_or_allowed() {
        for line in [
            "pub fn sandbox_transport::a(&bytes::bytes::Bytes) -> core::option::Option<Self::Item>",
            "impl<T: core::marker::Send> sandbox_transport::A<T>",
            "pub fn sandbox_transport::a() -> T::Output",
        ] {
            check("sandbox-transport", line, &[]);
        }
    }

    #[test]
    fn the_wire_and_what_is_below_are_not_named() {
        for (line, name) in [
            (
                "pub sandbox_process::A::b: sandbox_wire::rest::Session",
                "sandbox_wire",
            ),
            (
                "impl core::convert::From<tonic::status::Status> for sandbox_process::A",
                "tonic",
            ),
            (
                "pub fn sandbox_process::a(alloc::vec::Vec<&[hyper::A]>)",
                "hyper",
            ),
        ] {
            check(
                "sandbox-process",
                line,
                &[&format!("`{line}` names `{name}`")],
            );
        }
    }

    #[test]
    fn what_is_allowed_for_nothing_is_a_fault() {
        let faults = found("sandbox-files", &["pub mod sandbox_files".to_owned()]);
        let fault = |name| format!("nothing names `{name}`: see xtask/api/src/foreign.rs");
        assert_eq!(faults, ["bytes", "rustix"].map(fault));
    }
}
