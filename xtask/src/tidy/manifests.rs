//! Manifests inherit from the workspace, and each crate introduces itself.

use super::tree::File;
use super::{Finding, Package, Tree};

/// What the page of a crate in a registry shows, which its manifest has to name.
const SHOWN: [&str; 5] = [
    "description",
    "repository",
    "readme",
    "keywords",
    "categories",
];

/// What a package takes from `[workspace.package]`.
const INHERITED: [&str; 4] = ["version", "edition", "rust-version", "license"];

pub(super) fn check(packages: &[Package], tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        if let Some(manifest) = tree.get(&package.manifest()) {
            check_manifest(manifest, &mut findings);
        }
        let report = |what: &str, help: &str| Finding::new(&package.manifest(), 1, what, help);
        if package.has_build_script {
            findings.push(report(
                "has a build script",
                "generate into committed files, by `cargo xtask codegen`",
            ));
        }
        if package.is_crate() {
            let readme = tree.get(&format!("{}/README.md", package.folder));
            let title = format!("# {}\n", package.name);
            if !readme.is_some_and(|file| file.text.starts_with(&title)) {
                let what = format!(
                    "{}/README.md is missing or has another title",
                    package.folder
                );
                findings.push(report(
                    &what,
                    "add one that begins with `# ` and the crate's name",
                ));
            }
            let manifest = tree.get(&package.manifest());
            let lines = || manifest.into_iter().flat_map(|file| file.text.lines());
            for key in SHOWN {
                if !lines().any(|line| line.split([' ', '.']).next() == Some(key)) {
                    let what = format!("there is no {key}");
                    findings.push(report(&what, "registries show it: add it to `[package]`"));
                }
            }
        }
    }
    findings
}

fn check_manifest(manifest: &File, findings: &mut Vec<Finding>) {
    let mut report = |line, what: String, help: &str| {
        findings.push(Finding::new(&manifest.path, line, what, help));
    };
    let lines: Vec<_> = manifest.text.lines().map(str::trim).collect();
    for key in INHERITED {
        let line = format!("{key}.workspace = true");
        if !lines.contains(&line.as_str()) {
            report(
                1,
                format!("{key} is not the workspace's"),
                &format!("write `{line}`"),
            );
        }
    }
    let has_lints = lines
        .windows(2)
        .any(|pair| pair == ["[lints]", "workspace = true"]);
    if !has_lints {
        report(
            1,
            "lints are not the workspace's".to_owned(),
            "write `[lints]`, `workspace = true`",
        );
    }
    let mut section = "";
    for (number, line) in manifest.lines() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        }
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        // Lines that go on from the one before begin with blanks.
        let begins_here = line.starts_with(|c: char| c.is_ascii_alphanumeric());
        let inherits =
            name.trim_end().ends_with(".workspace") || value.contains("workspace = true");
        if section.ends_with("dependencies") && begins_here && !inherits {
            let name = name.trim_end();
            report(
                number,
                format!("the version of {name} is not the workspace's"),
                &format!(
                    "name it in the root's [workspace.dependencies], and write `{name}.workspace = true`"
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::assert_found;

    const GOOD: &str = "[package]\ndescription = \"a\"\nrepository.workspace = true\nreadme = \"README.md\"\n\
        keywords = []\ncategories = []\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\n\n[dependencies]\nbytes.workspace = true\n\
        serde = { workspace = true, features = [\n    \"derive\",\n] }\n\n[lints]\nworkspace = true\n";

    fn check_one(manifest: &str, readme: &str, expect: &[&str]) {
        let package = Package {
            name: "sandbox-a".to_owned(),
            folder: "crates/sandbox-a".to_owned(),
            ..Package::default()
        };
        let tree = Tree::of(&[
            ("crates/sandbox-a/Cargo.toml", manifest),
            ("crates/sandbox-a/README.md", readme),
        ]);
        assert_found(&check(&[package], &tree), expect);
    }

    #[test]
    fn what_is_inherited_is_good() {
        check_one(GOOD, "# sandbox-a\n", &[]);
    }

    #[test]
    fn what_is_not_inherited_is_found() {
        let bad = GOOD.replace("bytes.workspace = true", "bytes = \"1\"");
        check_one(
            &bad,
            "# sandbox-a\n",
            &["the version of bytes is not the workspace's"],
        );
        let bad = GOOD.replace("edition.workspace = true", "edition = \"2021\"");
        check_one(&bad, "# sandbox-a\n", &["edition is not the workspace's"]);
        let bad = GOOD.replace("[lints]", "[other]");
        check_one(&bad, "# sandbox-a\n", &["lints are not the workspace's"]);
        let what = "crates/sandbox-a/README.md is missing or has another title";
        check_one(GOOD, "# Something else\n", &[what]);
    }

    #[test]
    fn what_registries_show_is_there() {
        let bad = GOOD.replace("keywords = []\n", "");
        check_one(&bad, "# sandbox-a\n", &["there is no keywords"]);
    }

    /// Both licenses require that, and cargo packs what a link leads to.
    #[test]
    fn every_package_contains_its_licenses() {
        for package in Package::all().unwrap() {
            for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
                let root = crate::sh::root();
                let own = std::fs::read(root.join(&package.folder).join(name)).ok();
                let common = std::fs::read(root.join(name)).unwrap();
                let is_there = own == Some(common);
                assert!(is_there || !package.is_crate(), "{}: {name}", package.name);
            }
        }
    }
}
