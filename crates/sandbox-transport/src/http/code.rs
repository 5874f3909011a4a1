//! Programs, for daemons that only run commands.

use sandbox_wire::shell;

use crate::model::{ExecRequest, RunRequest};

/// Returns a command that runs a program the way that newer daemons do, or `None` for a language that needs more than a
/// command.
pub(super) fn as_command(request: RunRequest) -> Option<ExecRequest> {
    let (runtime, head) = match request.language.as_str() {
        "python" => ("python3 -u -", ""),
        // User arguments begin at `process.argv[1]`, as they do with such daemons.
        "javascript" => ("node -", "process.argv.splice(1, 1);\n"),
        _ => return None,
    };
    let mut command = runtime.to_owned();
    for argument in request.argv {
        command.push(' ');
        command.push_str(&shell::quote(&argument));
    }
    Some(ExecRequest {
        command: shell::here_document(&command, &format!("{head}{}", request.code)),
        env: request.env,
        timeout: request.timeout,
        split_output: request.split_output.then_some(true),
        ..ExecRequest::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(language: &str, code: &str, argv: &[&str]) -> Option<String> {
        let request = RunRequest {
            code: code.to_owned(),
            language: language.to_owned(),
            argv: argv.iter().map(|&argument| argument.to_owned()).collect(),
            ..RunRequest::default()
        };
        as_command(request).map(|request| request.command)
    }

    #[test]
    fn programs_are_commands() {
        assert_eq!(
            run("python", "print(1)", &["a b", "it's", "$(id)"]).unwrap(),
            "python3 -u - 'a b' 'it'\\''s' '$(id)' <<'END_OF_PROGRAM_0'\nprint(1)\nEND_OF_PROGRAM_0\n"
        );
        assert_eq!(
            run("javascript", "1", &[]).unwrap(),
            "node - <<'END_OF_PROGRAM_0'\nprocess.argv.splice(1, 1);\n1\nEND_OF_PROGRAM_0\n"
        );
        assert_eq!(run("typescript", "1", &[]), None);
    }
}
