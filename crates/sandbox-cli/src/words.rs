//! Words of this command line as a text for a shell.

use std::path::Path;

use sandbox_wire::shell::quote_if_needed;

use crate::error::CliError;
use crate::input;

/// What the shell is to evaluate.
fn text(command: &[String]) -> String {
    match command {
        [text] => text.clone(),
        words => {
            let words: Vec<_> = words.iter().map(|word| quote_if_needed(word)).collect();
            words.join(" ")
        }
    }
}

/// Returns what may be wrong with words whose program was not found.
pub(crate) fn hint(command: &[String]) -> Option<String> {
    match command {
        [first, _, ..] if first.contains(char::is_whitespace) => Some(format!(
            "hint: with more words after it, '{first}' is the name of a program; options go before the command"
        )),
        _ => None,
    }
}

/// Returns the text for the shell: of the words, or from standard input for `-`.
pub(crate) fn read(command: &[String]) -> Result<String, CliError> {
    let text = match command {
        [word] if word == input::STDIN => input::read(Path::new(word))?,
        words => text(words),
    };
    if text.trim().is_empty() {
        Err(CliError::Usage("the command is empty"))
    } else {
        Ok(text)
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
        let words =
            |words: &[&str]| -> Vec<_> { words.iter().map(|word| (*word).to_owned()).collect() };
        assert_eq!(hint(&words(&["sleep 9"])), None);
        assert_eq!(hint(&words(&["sleep", "9 s"])), None);
        assert!(
            hint(&words(&["sleep 9", "--timeout"]))
                .unwrap()
                .contains("'sleep 9'")
        );
        assert!(read(&words(&[" \n"])).is_err());
        // As a first word it would be an assignment.
        check(&["A=1", "x"], "'A=1' x");
    }
}
