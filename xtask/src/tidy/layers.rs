//! Arrows between crates point to a smaller layer, and those between the rooms of a crate to a lower room.

use super::tree::File;
use super::{Finding, Package, Tree, code};

/// Each crate's layer. What a crate's tests need is exempt.
const LAYERS: [(&str, u8); 11] = [
    ("sandbox-logcodec", 0),
    ("sandbox-charts", 0),
    ("sandbox-wire", 1),
    ("sandbox-engine", 1),
    ("sandbox-files", 1),
    ("sandbox-transport", 2),
    ("sandbox-daemon", 2),
    ("sandbox-process", 3),
    ("sandbox-provider", 3),
    ("sandbox-control", 4),
    ("sandbox-cli", 5),
];

/// The engine runs things and knows no protocol, neither itself nor through another crate of ours.
const PURE: &str = "sandbox-engine";
const IMPURE: [&str; 6] = ["http", "hyper", "prost", "serde_json", "tonic", "url"];

/// A folder of a crate that knows nothing of some others.
struct Room {
    folder: &'static str,
    /// Modules at the root of the crate.
    foreign: &'static [&'static str],
    /// What belongs to those: crates, and modules of crates.
    words: &'static [&'static str],
}

/// The operations of the daemon speak no protocol, nor do the types of the client; of the two protocols of either neither knows
/// the other.
const ROOMS: [Room; 6] = [
    Room {
        folder: "crates/sandbox-daemon/src/service/",
        foreign: &["http", "grpc"],
        words: &["hyper", "pb", "serde_json", "tokio_tungstenite", "tonic"],
    },
    Room {
        folder: "crates/sandbox-daemon/src/http/",
        foreign: &["grpc"],
        words: &["pb", "tonic"],
    },
    Room {
        folder: "crates/sandbox-daemon/src/grpc/",
        foreign: &["http"],
        words: &["tokio_tungstenite"],
    },
    Room {
        folder: "crates/sandbox-transport/src/model/",
        foreign: &["http", "grpc"],
        words: &["hyper", "pb", "tokio_tungstenite", "tonic"],
    },
    Room {
        folder: "crates/sandbox-transport/src/http/",
        foreign: &["grpc"],
        words: &["pb", "tonic"],
    },
    Room {
        folder: "crates/sandbox-transport/src/grpc/",
        foreign: &["http"],
        words: &["tokio_tungstenite"],
    },
];

pub(super) fn check(packages: &[Package], tree: &Tree) -> Vec<Finding> {
    let mut findings = check_rooms(tree);
    for package in packages.iter().filter(|package| package.is_crate()) {
        let manifest = package.manifest();
        let mut report = |about: &str, what: String, help: &str| {
            let line = tree.get(&manifest).map_or(1, |file| file.line_of(about));
            findings.push(Finding::new(&manifest, line, what, help));
        };
        let Some(layer) = layer(&package.name) else {
            let what = format!("{} has no layer", package.name);
            report(
                "name",
                what,
                "give it one in xtask/src/tidy/layers.rs and in ARCHITECTURE.md",
            );
            continue;
        };
        for dependency in &package.dependencies {
            let is_ours = packages.iter().any(|package| package.name == *dependency);
            if is_ours && self::layer(dependency).is_none_or(|below| below >= layer) {
                let what = format!("{} (layer {layer}) depends on {dependency}", package.name);
                report(
                    dependency,
                    what,
                    "depend on a smaller layer, or move the code down",
                );
            }
            if package.name == PURE && reaches(packages, dependency, &IMPURE) {
                let what = format!("{PURE} reaches a protocol crate through {dependency}");
                report(dependency, what, "keep the protocol in sandbox-daemon");
            }
        }
    }
    findings
}

fn check_rooms(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for room in &ROOMS {
        let files = tree.files.iter();
        for file in files.filter(|file| file.path.starts_with(room.folder)) {
            let text = code::only(&file.text);
            let foreign = modules(file, &text);
            let foreign = foreign
                .iter()
                .filter(|name| room.foreign.contains(&name.as_str()));
            let words = room.words.iter().map(|word| (*word).to_owned());
            // A test may compare with what another encodes.
            let untested = text.split("#[cfg(test)]").next().unwrap_or_default();
            let words = words.filter(|word| code::has_word(untested, word));
            for name in foreign.cloned().chain(words) {
                let what = format!("{} names {name}", room.folder);
                let help = "move what both need down, to a room that both may know";
                findings.push(Finding::new(&file.path, file.line_of(&name), what, help));
            }
        }
    }
    findings
}

/// Returns the modules at the root of its crate that a file names, as `crate::a`, `crate::{a, b}` or by way of `super`.
fn modules(file: &File, text: &str) -> Vec<String> {
    let path = file.path.split_once("/src/").map_or("", |(_, path)| path);
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    let to_root = "super::".repeat(path.split('/').count());
    let compact: String = text.split_whitespace().collect();
    let mut found = Vec::new();
    for way in ["crate::", &to_root] {
        for (at, _) in compact.match_indices(way) {
            // A module within the file is one more step away.
            let rest = compact[at + way.len()..].trim_start_matches("super::");
            found.extend(heads(rest));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Returns the names that a path, or a group of paths, begins with.
fn heads(text: &str) -> Vec<String> {
    let head = |path: &str| {
        let end = path.find(|c: char| c != '_' && !c.is_alphanumeric());
        path[..end.unwrap_or(path.len())].to_owned()
    };
    let Some(group) = text.strip_prefix('{') else {
        return vec![head(text)];
    };
    let (mut depth, mut heads, mut begin) = (1, Vec::new(), 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => {}
            _ => continue,
        }
        if (c == ',' && depth == 1) || depth == 0 {
            heads.push(head(&group[begin..at]));
            begin = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

fn layer(name: &str) -> Option<u8> {
    let found = LAYERS.iter().find(|(crate_name, _)| *crate_name == name);
    found.map(|(_, layer)| *layer)
}

/// Whether `name` is among `goals`, or depends on one directly or through packages of ours. Cargo allows no circles.
fn reaches(packages: &[Package], name: &str, goals: &[&str]) -> bool {
    goals.contains(&name)
        || packages
            .iter()
            .filter(|package| package.name == name)
            .flat_map(|package| &package.dependencies)
            .any(|dependency| reaches(packages, dependency, goals))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::assert_found;

    fn check_arrows(arrows: &[(&str, &[&str])], expect: &[&str]) {
        let package = |(name, dependencies): &(&str, &[&str])| Package {
            name: (*name).to_owned(),
            folder: format!("crates/{name}"),
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
            has_build_script: false,
        };
        let packages: Vec<_> = arrows.iter().map(package).collect();
        assert_found(&check(&packages, &Tree::default()), expect);
    }

    #[test]
    fn arrows_point_down() {
        check_arrows(
            &[
                ("sandbox-wire", &["serde", "sandbox-logcodec"]),
                ("sandbox-logcodec", &["bytes"]),
            ],
            &[],
        );
        check_arrows(
            &[
                ("sandbox-engine", &["sandbox-wire"]),
                ("sandbox-wire", &["sandbox-process"]),
                ("sandbox-process", &[]),
                ("sandbox-new", &[]),
            ],
            &[
                "sandbox-engine (layer 1) depends on sandbox-wire",
                "sandbox-wire (layer 1) depends on sandbox-process",
                "sandbox-new has no layer",
            ],
        );
    }

    #[test]
    fn the_engine_knows_no_protocol() {
        check_arrows(
            &[
                ("sandbox-engine", &["hyper", "sandbox-charts", "tokio"]),
                ("sandbox-charts", &["serde_json"]),
            ],
            &[
                "sandbox-engine reaches a protocol crate through hyper",
                "sandbox-engine reaches a protocol crate through sandbox-charts",
            ],
        );
    }

    #[test]
    fn rooms_do_not_know_what_is_foreign_to_them() {
        let check = |path: &str, text: &str, expect: &[&str]| {
            let path = format!("crates/sandbox-daemon/src/{path}");
            assert_found(&check(&[], &Tree::of(&[(&path, text)])), expect);
        };
        let names_http = ["crates/sandbox-daemon/src/service/ names http"];
        for text in [
            "use crate::http::peer;",
            "use crate::{\n    limits,\n    http::{a, b},\n};",
            "fn f() { super::super::http::f() }",
            "mod tests { use super::super::super::{http}; }",
        ] {
            check("service/a.rs", text, &names_http);
        }
        check("service/mod.rs", "use super::http;", &names_http);
        check("service/a/mod.rs", "use super::super::http;", &names_http);
        for text in [
            "use http::Uri;\nuse super::http_version;",
            "use crate::{limits::{http}, service};",
            "// crate::http\nuse super::http;",
        ] {
            check("service/a.rs", text, &[]);
        }
        check("router.rs", "use crate::{grpc, http};", &[]);
        check(
            "service/a.rs",
            "use sandbox_wire::pb;\nuse serde_json::Value;\n#[cfg(test)]\nmod tests { use tonic::Status; }",
            &[
                "crates/sandbox-daemon/src/service/ names pb",
                "crates/sandbox-daemon/src/service/ names serde_json",
            ],
        );
        let names_grpc = ["crates/sandbox-daemon/src/http/ names grpc"];
        check("http/a.rs", "crate::grpc::convert::signal()", &names_grpc);
        let names_http = ["crates/sandbox-daemon/src/grpc/ names http"];
        check("grpc/a/b.rs", "use crate::http::convert;", &names_http);
    }
}
