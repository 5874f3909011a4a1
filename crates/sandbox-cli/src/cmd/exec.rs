//! `sandbox exec`.

use std::ffi::OsString;
use std::path::Path;

use crate::args::ExecArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{input, output, target};

pub(crate) fn run(args: ExecArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    let ExecArgs {
        target,
        limits,
        cwd,
        command,
    } = args;
    let command = match command.as_slice() {
        [word] if word == input::STDIN => input::read(Path::new(word))?,
        words => text(words),
    };
    target::with_process(target, token, None, async |process| {
        let mut exec = process.exec(command).split_output();
        if let Some(cwd) = cwd {
            exec = exec.cwd(cwd);
        }
        if let Some(timeout) = limits.timeout {
            exec = exec.timeout(timeout);
        }
        for (name, value) in limits.env {
            exec = exec.env(name, value);
        }
        let response = exec.await?;
        if limits.json {
            output::show_json(&response, None);
        } else {
            output::show(&response);
        }
        Ok(Exit::of(&response))
    })
}

/// What the shell is to evaluate.
fn text(command: &[String]) -> String {
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
fn quoted(word: &str) -> String {
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
