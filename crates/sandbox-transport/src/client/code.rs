//! Programs, for daemons that only run commands.

use sandbox_wire::rest::{CodeRunRequest, CodeRunResponse, ExecuteRequest, ExecuteResponse};
use sandbox_wire::shell;

/// A command that runs a program as the daemons that can do so do; `None` for languages where that takes more.
pub(super) fn as_command(request: CodeRunRequest) -> Option<ExecuteRequest> {
    let (runtime, head) = match request.language.as_str() {
        "python" => ("python3 -u -", ""),
        // User arguments begin at `process.argv[1]`, as they do with such daemons.
        "javascript" => ("node -", "process.argv.splice(1, 1);\n"),
        _ => return None,
    };
    let mut command = runtime.to_owned();
    for argument in request.argv.unwrap_or_default() {
        command.push(' ');
        command.push_str(&shell::quote(&argument));
    }
    Some(ExecuteRequest {
        command: shell::here_document(&command, &format!("{head}{}", request.code)),
        cwd: None,
        envs: request.envs,
        timeout: request.timeout,
        timeout_millis: request.timeout_millis,
        split_output: request.split_output,
    })
}

pub(super) fn response(response: ExecuteResponse) -> CodeRunResponse {
    CodeRunResponse {
        exit_code: response.exit_code,
        result: response.result,
        artifacts: None,
        stdout: response.stdout,
        stderr: response.stderr,
        termination: response.termination,
        truncation: response.truncation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(language: &str, code: &str, argv: &[&str]) -> Option<String> {
        let request = CodeRunRequest {
            code: code.to_owned(),
            language: language.to_owned(),
            argv: Some(argv.iter().map(|&argument| argument.to_owned()).collect()),
            ..CodeRunRequest::default()
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
