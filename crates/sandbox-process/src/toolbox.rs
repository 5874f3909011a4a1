//! How code is run, by language.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sandbox_transport::Language;
use sandbox_wire::shell;

/// Arguments and environment variables of a program, as the official SDKs pass them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeRunParams {
    /// The arguments, which are passed as they are.
    pub argv: Vec<String>,
    /// Environment variables, on top of those that the daemon has.
    pub env: BTreeMap<String, String>,
}

/// Chooses the language of programs, and how a daemon that only runs commands runs them.
///
/// Current daemons run programs themselves; for older ones, the client's toolbox writes the command, or that of this crate for the
/// program's language.
pub trait CodeToolbox: fmt::Debug + Send + Sync {
    /// Returns the language of the programs.
    fn language(&self) -> Language;

    /// Returns a shell command that runs `code`, for daemons that only run commands. Its outcome has no charts.
    fn run_command(&self, code: &str, params: &CodeRunParams) -> String;
}

/// The toolbox of Python 3.
#[derive(Debug, Clone, Copy, Default)]
pub struct PythonToolbox;

/// The toolbox of JavaScript, run by Node.js.
#[derive(Debug, Clone, Copy, Default)]
pub struct JavaScriptToolbox;

/// The toolbox of TypeScript, run by Node.js; by `ts-node`, which is fetched from npm, if the daemon cannot run it.
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

/// Returns the toolbox of a language, if this crate has one.
pub(crate) fn of(language: &str) -> Option<&'static dyn CodeToolbox> {
    const ALL: [&dyn CodeToolbox; 3] = [&PythonToolbox, &JavaScriptToolbox, &TypeScriptToolbox];
    ALL.into_iter()
        .find(|toolbox| toolbox.language().name() == language)
}

/// Returns the toolbox of a language, or Python's if there is none of this name.
pub(crate) fn named(language: Option<&str>) -> Arc<dyn CodeToolbox> {
    match language {
        Some("javascript") => Arc::new(JavaScriptToolbox),
        Some("typescript") => Arc::new(TypeScriptToolbox),
        _ => Arc::new(PythonToolbox),
    }
}

/// Returns a command with the program on its standard input.
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
