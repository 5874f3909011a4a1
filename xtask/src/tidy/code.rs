//! Rust text without its comment lines. A rule that reads code by words needs no more: what a string says is rarely a path.

/// Replaces the lines that are comments by empty ones.
pub(super) fn only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        if !line.trim_start().starts_with("//") {
            code.push_str(line);
        }
        code.push('\n');
    }
    code
}

/// Whether `word` is in `text`, and not as a part of a longer one.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comment_lines_are_empty() {
        let text = "//! a\nb // c\n    /// d\ne\n";
        assert_eq!(only(text), "\nb // c\n\ne\n");
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("a fn(b)", "fn") && has_word("fn", "fn"));
        assert!(!has_word("fnord my_fn", "fn"));
    }
}
