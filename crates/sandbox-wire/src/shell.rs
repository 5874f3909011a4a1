//! Words and programs in the text of a command, which a POSIX shell evaluates.
//!
//! A command is sent as one text. The functions here write separate words, or a program in another language, into
//! that text, so that the shell takes every character of it literally. A NUL, which no word of a
//! command can contain, is not handled.

/// Returns `word` as one word that every shell takes literally.
///
/// # Examples
///
/// ```
/// assert_eq!(sandbox_wire::shell::quote("it's $HOME"), r"'it'\''s $HOME'");
/// ```
#[must_use]
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Returns `word` unchanged if no shell treats any of it specially, and else [quoted](quote): the form for people.
///
/// # Examples
///
/// ```
/// use sandbox_wire::shell::quote_if_needed;
///
/// assert_eq!(quote_if_needed("/etc/hosts"), "/etc/hosts");
/// assert_eq!(quote_if_needed("a b"), "'a b'");
/// // As the first word it would be an assignment.
/// assert_eq!(quote_if_needed("A=1"), "'A=1'");
/// ```
#[must_use]
pub fn quote_if_needed(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:,@+%".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        quote(word)
    }
}

/// Returns a command that has `text` on its standard input, without expansions. `command` is a text for the shell,
/// on a single line.
///
/// # Examples
///
/// ```
/// assert_eq!(
///     sandbox_wire::shell::here_document("cat", "$HOME"),
///     "cat <<'END_OF_PROGRAM_0'\n$HOME\nEND_OF_PROGRAM_0\n",
/// );
/// ```
#[must_use]
pub fn here_document(command: &str, text: &str) -> String {
    let is_free = |end: &String| !text.lines().any(|line| line == end);
    // One more candidate than the text has lines: at least one of them is unused.
    let mut ends = (0..=text.lines().count()).map(|number| format!("END_OF_PROGRAM_{number}"));
    let end = ends.find(is_free).unwrap_or_default();
    format!("{command} <<'{end}'\n{text}\n{end}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted() {
        let check = |word: &str, always: &str, if_needed: &str| {
            assert_eq!(
                (quote(word), quote_if_needed(word)),
                (always.to_owned(), if_needed.to_owned()),
                "{word:?}"
            );
        };
        check("", "''", "''");
        check("a-b_./:,@+%", "'a-b_./:,@+%'", "a-b_./:,@+%");
        check("a b$(c)*\n", "'a b$(c)*\n'", "'a b$(c)*\n'");
        check("it's", r"'it'\''s'", r"'it'\''s'");
        check("~", "'~'", "'~'");
        check("\u{e9}", "'\u{e9}'", "'\u{e9}'");
    }

    #[test]
    fn a_text_cannot_end_its_document() {
        let text = "'''\nEND_OF_PROGRAM_0\nEND_OF_PROGRAM_1\n'''";
        let document = here_document("python3 -", text);
        assert_eq!(
            document,
            format!("python3 - <<'END_OF_PROGRAM_2'\n{text}\nEND_OF_PROGRAM_2\n")
        );
        let empty = here_document("cat", "");
        assert_eq!(empty, "cat <<'END_OF_PROGRAM_0'\n\nEND_OF_PROGRAM_0\n");
    }
}
