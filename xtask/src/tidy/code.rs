//! Rust text without its comments and strings.

/// Replaces comments, strings and characters by blanks; what is left stands where it stood.
pub(super) fn only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(&out, rest),
            '\'' => character(rest),
            _ => 0,
        };
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (skipped, after) = rest.split_at(length);
            let blank = |c| if c == '\n' { '\n' } else { ' ' };
            out.extend(skipped.chars().map(blank));
            rest = after;
        }
    }
    out
}

/// The length of a comment that may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of a string; a raw one is told by what stands before it.
fn string(before: &str, text: &str) -> usize {
    let prefix = before.trim_end_matches('#');
    let hashes = before.len() - prefix.len();
    let prefix = prefix
        .strip_suffix('r')
        .map(|rest| rest.strip_suffix(['b', 'c']).unwrap_or(rest));
    let is_raw = prefix.is_some_and(|rest| !rest.ends_with(is_word));
    if is_raw {
        let end = format!("\"{}", "#".repeat(hashes));
        return text[1..]
            .find(&end)
            .map_or(text.len(), |at| 1 + at + end.len());
    }
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character, or 0 where the quote begins a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        // The character behind the backslash may be a quote.
        Some((_, '\\')) => text[3.min(text.len())..]
            .find('\'')
            .map_or(0, |at| 3 + at + 1),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// Whether `word` stands in `text`, and not as a part of a longer one.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blank() {
        let check = |text: &str, expect: &str| {
            assert_eq!(only(text), expect, "{text}");
            assert_eq!(only(text).lines().count(), text.lines().count());
        };
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ d */ e", "a                   e");
        check(r#"a("b \" // c") d"#, "a(           ) d");
        check("r#\"a\"b\"# c", "r#       c");
        check("br\"\\\" c", "br    c");
        check("var\"a\\\"b\" c", "var       c");
        check("'a' b '\\'' c '\\u{1F600}' d", "    b      c             d");
        check("&'a str, '\"', b", "&'a str,    , b");
        check("\"é\n\" é", "  \n  é");
    }

    #[test]
    fn unfinished_text_ends() {
        for text in ["\"a", "/* a", "r#\"a\"", "'\\", "'", "'é", "\"\\"] {
            only(text);
        }
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("a fn(b)", "fn") && has_word("fn", "fn"));
        assert!(!has_word("fnord my_fn", "fn"));
    }
}
