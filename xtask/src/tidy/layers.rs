//! Arrows between crates point to a smaller layer.

use super::{Finding, Package, Tree};

/// Each crate's layer. What a crate's tests need is exempt.
const LAYERS: [(&str, u8); 8] = [
    ("sandbox-logcodec", 0),
    ("sandbox-charts", 0),
    ("sandbox-wire", 1),
    ("sandbox-engine", 1),
    ("sandbox-transport", 2),
    ("sandbox-daemon", 2),
    ("sandbox-process", 3),
    ("sandbox-cli", 4),
];

/// The engine runs things and knows no protocol, neither itself nor through another crate of ours.
const PURE: &str = "sandbox-engine";
const IMPURE: [&str; 6] = ["http", "hyper", "prost", "serde_json", "tonic", "url"];

pub(super) fn check(packages: &[Package], tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages.iter().filter(|package| package.is_crate()) {
        let manifest = package.manifest();
        let mut report = |about: &str, what: String, mend: &str| {
            let line = tree.get(&manifest).map_or(1, |file| file.line_of(about));
            findings.push(Finding::new(&manifest, line, what, mend));
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
}
