//! Words of a command as a text for a shell.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;

use sandbox_transport::Error;
use sandbox_wire::shell;

use crate::client::invalid;

/// Returns a text by which a shell runs the program with exactly these arguments.
///
/// # Errors
///
/// An error of kind `InvalidInput` if the program is empty or begins with `-`, which shells take for an option of `exec`, or if a
/// word contains a NUL, which no argument can hold.
pub(crate) fn command_text(program: &OsStr, arguments: &[OsString]) -> Result<String, Error> {
    match program.as_encoded_bytes() {
        [] => return Err(invalid("the program of a command is empty")),
        [b'-', ..] => {
            let message = format!(
                "the program {} begins with '-'; name it by a path, such as './{}'",
                program.display(),
                program.display()
            );
            return Err(invalid(message));
        }
        _ => {}
    }
    // Without `exec`, a shell runs a builtin of this name itself, and `echo` is not the same in each of them. To zsh, `exec` does
    // not exclude builtins; `command` does, which is itself a builtin that the other shells would look up on the `PATH`.
    let mut text = String::from("exec ${ZSH_VERSION:+command}");
    for word in std::iter::once(program).chain(arguments.iter().map(OsString::as_os_str)) {
        text.push(' ');
        push_quoted(&mut text, word)?;
    }
    Ok(text)
}

/// Appends a word that every shell takes literally.
fn push_quoted(text: &mut String, word: &OsStr) -> Result<(), Error> {
    let bytes = word.as_encoded_bytes();
    if bytes.contains(&0) {
        let message = format!("the argument {} contains a NUL", word.display());
        return Err(invalid(message));
    }
    if bytes.is_empty() {
        text.push_str("''");
    }
    for chunk in bytes.utf8_chunks() {
        if !chunk.valid().is_empty() {
            text.push_str(&shell::quote(chunk.valid()));
        }
        // A command travels as text. No byte here is a newline, which a substitution would strip from its end.
        if !chunk.invalid().is_empty() {
            text.push_str("\"$(printf '");
            for byte in chunk.invalid() {
                // Writing to a string does not fail.
                let _ = write!(text, "\\{byte:03o}");
            }
            text.push_str("')\"");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &[&str]) -> Result<String, Error> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        command_text(&words[0], &words[1..])
    }

    #[test]
    fn words_are_quoted() {
        assert_eq!(
            text(&["make", "-j8", "it's", "", "$HOME\n"]).unwrap(),
            "exec ${ZSH_VERSION:+command} 'make' '-j8' 'it'\\''s' '' '$HOME\n'"
        );
    }

    #[test]
    fn what_no_program_is_called_is_refused() {
        for (words, expect) in [
            (&[""][..], "the program of a command is empty"),
            (
                &["-x"],
                "begins with '-'; name it by a path, such as './-x'",
            ),
            (&["a", "b\0c"], "contains a NUL"),
            (&["a\0"], "contains a NUL"),
        ] {
            let error = text(words).unwrap_err();
            assert_eq!(error.kind(), sandbox_transport::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(expect), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_are_written_as_escapes() {
        use std::os::unix::ffi::OsStringExt;

        let word = OsString::from_vec(b"a'\xff\xc3b".to_vec());
        assert_eq!(
            command_text(OsStr::new("x"), &[word]).unwrap(),
            "exec ${ZSH_VERSION:+command} 'x' 'a'\\'''\"$(printf '\\377')\"\"$(printf '\\303')\"'b'"
        );
    }
}
