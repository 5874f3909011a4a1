//! Words of this command line as a text for a shell.

use sandbox_wire::shell::quote_if_needed;

/// What the shell is to evaluate.
pub(crate) fn text(command: &[String]) -> String {
    match command {
        [text] => text.clone(),
        words => {
            let words: Vec<_> = words.iter().map(|word| quote_if_needed(word)).collect();
            words.join(" ")
        }
    }
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
