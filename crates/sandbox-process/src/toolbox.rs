//! How code is run, by language.

use std::fmt;

use sandbox_wire::shell;

use crate::{CodeRunParams, Language};

/// Runs code of one language.
///
/// Daemons run programs themselves. For older ones, which only run commands, a toolbox tells the command.
pub trait CodeToolbox: fmt::Debug + Send + Sync {
    /// The language.
    fn language(&self) -> Language;

    /// A shell command that runs `code`, for daemons that only run commands. It has no charts.
    fn run_command(&self, code: &str, params: &CodeRunParams) -> String;
}

/// Python 3.
#[derive(Debug, Clone, Copy, Default)]
pub struct PythonToolbox;

/// JavaScript, by Node.js.
#[derive(Debug, Clone, Copy, Default)]
pub struct JavaScriptToolbox;

/// TypeScript, by Node.js; where the daemon cannot run it, by `ts-node`, which is fetched from npm.
#[derive(Debug, Clone, Copy, Default)]
pub struct TypeScriptToolbox;

impl CodeToolbox for PythonToolbox {
    fn language(&self) -> Language {
        Language::Python
    }

    fn run_command(&self, code: &str, params: &CodeRunParams) -> String {
        here_document("python3 -u -", code, params)
    }
}

impl CodeToolbox for JavaScriptToolbox {
    fn language(&self) -> Language {
        Language::JavaScript
    }

    fn run_command(&self, code: &str, params: &CodeRunParams) -> String {
        // The user's arguments begin at `process.argv[1]`, as they do with daemons that run programs.
        let code = format!("process.argv.splice(1, 1);\n{code}");
        here_document("node -", &code, params)
    }
}

impl CodeToolbox for TypeScriptToolbox {
    fn language(&self) -> Language {
        Language::TypeScript
    }

    fn run_command(&self, code: &str, params: &CodeRunParams) -> String {
        let file = "\"$d/program.ts\"";
        let command = format!("npx --yes ts-node --transpile-only {file}");
        let run = here_document(&format!("cat > {file}"), code, &CodeRunParams::default());
        format!(
            "d=$(mktemp -d) || exit; trap 'rm -rf \"$d\"' EXIT\n{run}{command}{}\n",
            words(params)
        )
    }
}

/// The program on the command's standard input.
fn here_document(command: &str, code: &str, params: &CodeRunParams) -> String {
    shell::here_document(&format!("{command}{}", words(params)), code)
}

fn words(params: &CodeRunParams) -> String {
    let quoted = |word: &String| format!(" {}", shell::quote(word));
    params.argv.iter().map(quoted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_commands() {
        let params = CodeRunParams {
            argv: vec!["it's".into(), "$x".into()],
            ..CodeRunParams::default()
        };
        assert_eq!(
            PythonToolbox.run_command("END_OF_PROGRAM_0\n1", &params),
            "python3 -u - 'it'\\''s' '$x' <<'END_OF_PROGRAM_1'\nEND_OF_PROGRAM_0\n1\nEND_OF_PROGRAM_1\n"
        );
        let typescript = TypeScriptToolbox.run_command("let x: number", &params);
        assert!(
            typescript.ends_with("program.ts\" 'it'\\''s' '$x'\n"),
            "{typescript}"
        );
    }
}
