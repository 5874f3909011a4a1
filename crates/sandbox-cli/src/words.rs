//! Words of this command line as a text for a shell.

/// What the shell is to evaluate.
pub(crate) fn text(command: &[String]) -> String {
    match command {
        [text] => text.clone(),
        words => words
            .iter()
            .map(|word| quoted(word))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// A word that the shell takes as it stands.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_words() {
        let check = |words: &[&str], expect: &str| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(text(&words), expect);
        };
        check(&["echo $HOME; ls"], "echo $HOME; ls");
        check(&["ls", "-la", "a b"], "ls -la 'a b'");
        check(
            &["echo", "it's", "", "$x", "~"],
            r"echo 'it'\''s' '' '$x' '~'",
        );
        // As a first word it would be an assignment.
        check(&["A=1", "x"], "'A=1' x");
    }
}
