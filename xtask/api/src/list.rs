//! A list: what a crate shows, one item in each line, in the order of modules and types.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Result;

/// Reads what rustdoc has described of a package.
pub(crate) fn read(folder: &Path, package: &str) -> Result<Vec<String>> {
    let description = folder.join(format!("{}.json", package.replace('-', "_")));
    let api = public_api::Builder::from_rustdoc_json(&description)
        .omit_blanket_impls(true)
        .build()?;
    Ok(shorten(api.items().map(ToString::to_string)))
}

/// Leaves out what says nothing new.
///
/// - The functions of an implemented trait: the line of the implementation implies them.
/// - The traits that a type has by itself, since nearly every type has them. That one cannot be sent is a line, and so is a
///   condition on which it can.
/// - What is generated of the protobuf files: those are reviewed.
fn shorten(items: impl Iterator<Item = String>) -> Vec<String> {
    // The beginning of the functions of the implementation that the lines are in.
    let mut methods: Option<String> = None;
    let mut lines = Vec::new();
    for item in items {
        if item.starts_with("impl") {
            let implementor = item.split(" where ").next().unwrap_or_default();
            let implementor = implementor.rsplit_once(" for ").map(|(_, name)| name);
            methods = implementor.map(|name| format!("{}::", without_arguments(name)));
        } else if let Some(methods) = &methods
            && item
                .split_once(" fn ")
                .is_some_and(|(_, name)| name.starts_with(methods.as_str()))
        {
            continue;
        }
        if !is_generated(&item) && !is_automatic(&item) {
            lines.push(item);
        }
    }
    lines
}

/// Returns `a::B` for `a::B<C>`.
fn without_arguments(name: &str) -> &str {
    name.split('<').next().unwrap_or_default()
}

fn is_generated(item: &str) -> bool {
    item.contains("sandbox_wire::pb::")
}

fn is_automatic(item: &str) -> bool {
    let has = |name: &str| item.contains(&format!("{name} for "));
    let is_telling = item.contains("impl !") || item.contains(" where ");
    BY_THEMSELVES.iter().any(|name| has(name)) || MOSTLY.iter().any(|name| has(name)) && !is_telling
}

const BY_THEMSELVES: [&str; 5] = [
    "core::marker::Freeze",
    "core::marker::StructuralPartialEq",
    "core::marker::UnsafeUnpin",
    "core::panic::unwind_safe::RefUnwindSafe",
    "core::panic::unwind_safe::UnwindSafe",
];

const MOSTLY: [&str; 3] = [
    "core::marker::Send",
    "core::marker::Sync",
    "core::marker::Unpin",
];

/// Returns the content of the file of a list.
pub(crate) fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Returns the lines that are only in the file, each after a `-`, and those that are only in the list, each after a `+`.
pub(crate) fn differences(before: &str, now: &[String]) -> Vec<String> {
    let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
    for line in before.lines() {
        *counts.entry(line).or_default() -= 1;
    }
    for line in now {
        *counts.entry(line).or_default() += 1;
    }
    let sign = |count: i32| if count < 0 { '-' } else { '+' };
    let counts = counts.into_iter().filter(|(_, count)| *count != 0);
    counts
        .map(|(line, count)| format!("{} {line}", sign(count)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_differ_are_shown() {
        let now = ["pub mod a".to_owned(), "pub fn a::c()".to_owned()];
        assert_eq!(differences(&text(&now), &now), [""; 0]);
        let before = "pub mod a\npub fn a::b()\n";
        assert_eq!(
            differences(before, &now),
            ["- pub fn a::b()", "+ pub fn a::c()"]
        );
        assert_eq!(differences("", &now[..1]), ["+ pub mod a"]);
    }

    #[test]
    fn what_an_implementation_implies_is_left_out() {
        let items = [
            ("pub struct a::B", true),
            ("impl a::B", true),
            ("pub fn a::B::fmt(&self)", true),
            ("impl<T> core::iter::Iterator for a::B<T>", true),
            ("pub type a::B<T>::Item = u8", true),
            ("pub fn a::B::next(&mut self)", false),
            ("impl core::marker::Send for a::B", false),
            (
                "impl<T> core::marker::Send for a::B<T> where T: core::marker::Send",
                true,
            ),
            ("impl !core::marker::Sync for a::B", true),
            ("impl core::marker::Freeze for a::B", false),
            ("pub fn a::c()", true),
            ("pub struct sandbox_wire::pb::D", false),
        ];
        let expect: Vec<_> = items.iter().filter(|(_, stays)| *stays).collect();
        let expect: Vec<_> = expect.iter().map(|(item, _)| *item).collect();
        let given = items.iter().map(|(item, _)| (*item).to_owned());
        assert_eq!(shorten(given), expect);
    }
}
