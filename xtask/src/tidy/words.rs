//! Words that belong to somebody's machine and not in the repository.

use super::{Finding, Tree};

/// In two halves, so that this file holds none of them.
const FORBIDDEN: [(&str, &str); 3] = [
    ("/wo", "rk/"),
    ("arti", "factory"),
    ("index.crates", ".io:443"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let words = FORBIDDEN.map(|(one, two)| [one, two].concat());
    let mut findings = Vec::new();
    for file in &tree.files {
        for (number, line) in file.lines() {
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                let what = format!("`{word}` names a machine or a service of somebody's own");
                let mend = "use a relative path or a placeholder such as `<work-dir>`";
                findings.push(Finding::new(&file.path, number, what, mend));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_words_are_found_in_any_file() {
        let word = [FORBIDDEN[0].0, FORBIDDEN[0].1].concat();
        let text = format!("fine\n\"source\": \"{word}a\"\n");
        let findings = check(&Tree::of(&[("a.json", &text), ("b.json", "/works")]));
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].path.as_str(), findings[0].line), ("a.json", 2));
    }
}
