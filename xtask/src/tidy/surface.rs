//! The client's public items name no type of the wire: its types are the domain's, and the wire is one encoding of them.

use super::tree::File;
use super::{Finding, Tree, code};

/// The crates whose callers know no encoding.
const CRATES: [&str; 2] = [
    "crates/sandbox-process/src/",
    "crates/sandbox-transport/src/",
];

const WIRE: &str = "sandbox_wire";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.files.iter();
    let files = files.filter(|file| CRATES.iter().any(|folder| file.path.starts_with(folder)));
    files
        .filter(|file| file.has_extension(&["rs"]))
        .flat_map(check_file)
        .collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let text = code::only(&file.text);
    let names = imported(&text);
    let mut findings = Vec::new();
    for (at, _) in text.match_indices('\n').chain([(0, "")]) {
        let begin = at + usize::from(text[at..].starts_with('\n'));
        let item = text[begin..].trim_start_matches(' ');
        let Some(surface) = surface(item) else {
            continue;
        };
        if let Some(name) = names.iter().find(|name| has_type(surface, name)) {
            findings.push(Finding::new(
                &file.path,
                1 + text[..begin].matches('\n').count(),
                format!("a public item names `{name}` of {WIRE}"),
                "name a type of the domain, and convert where the encoding is",
            ));
        }
    }
    findings
}

/// Returns the crate and the names that a file imports from it.
fn imported(text: &str) -> Vec<&str> {
    let mut names = vec![WIRE];
    for (at, _) in text.match_indices("use sandbox_wire") {
        let paths = text[at..].split(';').next().unwrap_or_default();
        for path in paths.trim_start_matches("use ").split(['{', '}', ',']) {
            let path = path.trim();
            let name = path.rsplit(" as ").next().unwrap_or_default();
            let name = name.rsplit("::").next().unwrap_or_default().trim();
            let group = || path.trim_end_matches("::").rsplit("::").next();
            match name {
                // What comes before a group is a name in the file if the group has `self`.
                "" => names.extend(group().filter(|name| !name.is_empty())),
                "self" | "_" => {}
                name => names.push(name),
            }
        }
    }
    names
}

/// Returns what callers see of the item that begins here, if they see it at all.
fn surface(item: &str) -> Option<&str> {
    if item.starts_with("impl") {
        // What a type can be made from is public with it.
        return Some(until(item, &['{']));
    }
    let declared = item.strip_prefix("pub ")?;
    let keyword = declared.split_whitespace().next()?;
    Some(match keyword {
        "enum" | "trait" => body(item),
        "use" | "type" => until(item, &[';']),
        "fn" | "async" | "const" | "static" | "struct" | "unsafe" => until(item, &['{', ';', '=']),
        "mod" => "",
        // A field.
        _ => until(item, &['\n']),
    })
}

/// Whether a type of this name stands there, or one of the module of this name: a parameter may be called as it is.
fn has_type(surface: &str, name: &str) -> bool {
    let is_module = name != WIRE && name.starts_with(char::is_lowercase);
    // What follows a word must not be one.
    let spaced = surface.replace("::", " :: ");
    if is_module {
        spaced
            .match_indices(&format!("{name} ::"))
            .any(|(at, found)| code::has_word(&spaced[..at + found.len()], found))
    } else {
        code::has_word(&spaced, name)
    }
}

fn until<'a>(text: &'a str, ends: &[char]) -> &'a str {
    text.split(ends).next().unwrap_or_default()
}

/// Returns an item to its closing brace.
fn body(item: &str) -> &str {
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return &item[..at],
            '}' => depth -= 1,
            _ => {}
        }
    }
    item
}

#[cfg(test)]
mod tests {
    use super::super::assert_found;
    use super::*;

    fn found(text: &str) -> Vec<Finding> {
        let path = "crates/sandbox-transport/src/a.rs";
        check(&Tree::of(&[(path, text)]))
    }

    #[test]
    fn no_public_item_names_the_wire() {
        let import = "use sandbox_wire::rest::{self, Session as Told};\nuse sandbox_wire::pb;\n";
        for item in [
            "pub use sandbox_wire as wire;",
            "pub use sandbox_wire::rest::SignalSpec;",
            "pub fn a(told: Told) {}",
            "pub async fn a()\n -> Result<Vec<Told>, Error> {}",
            "pub const fn a(told: &rest::Session) {}",
            "pub struct A(pub pb::Session);",
            "pub struct A {\n    pub told: Told,\n}",
            "pub enum A {\n    B,\n    C(Told),\n}",
            "pub trait A {\n    fn b(&self) -> sandbox_wire::rest::Session;\n}",
            "pub type A = B<Told>;",
            "impl From<Told> for A {\n}",
        ] {
            let count = found(&format!("{import}{item}\n")).len();
            assert_eq!(count, 1, "{item}");
        }
    }

    #[test]
    fn what_callers_do_not_see_may_name_it() {
        let import = "use sandbox_wire::rest::{Session, pty::{PtyInfo}};\n";
        for item in [
            "pub(crate) use sandbox_wire::rest::SignalSpec;",
            "pub(crate) fn a(told: Session) {}",
            "fn a(told: Session) {}",
            "pub fn a() {\n    let b: Session = c();\n}",
            "use sandbox_wire::unix;\npub fn unix(unix: &Path) {}",
            "/// Of a [`Session`].\npub fn a() -> SessionInfo {}",
            "pub struct A {\n    told: PtyInfo,\n}",
        ] {
            assert_eq!(found(&format!("{import}{item}\n")), [], "{item}");
        }
    }

    #[test]
    fn it_is_the_clients_surface_alone() {
        let text = "pub use sandbox_wire::rest;\n";
        let files = [
            ("crates/sandbox-daemon/src/a.rs", text),
            ("crates/sandbox-process/tests/a.rs", text),
            ("crates/sandbox-process/src/a.rs", text),
        ];
        let expect = "a public item names `sandbox_wire` of sandbox_wire";
        assert_found(&check(&Tree::of(&files)), &[expect]);
    }
}
