//! The words of each shell: how its builtins are reached past functions and aliases, and how text is quoted.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The family of a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Bash,
    Zsh,
    /// dash, busybox ash, and other POSIX shells.
    Posix,
}

/// One way to reach the shell's builtins. A user's function may have the name of any builtin, including `command` and
/// `builtin`, and no shell has a word that reaches its builtins whatever functions exist.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The word that opens descriptors to last. With `None` the evaluation is redirected instead, and a redirection by
    /// a user's `exec` ends with its command.
    pub(crate) exec: Option<&'static str>,
    /// The prefix of a builtin's name. The backslash prevents alias expansion.
    pub(crate) prefix: &'static str,
    /// The names that must not be functions.
    pub(crate) needs: &'static [&'static str],
}

const BASH: &[Route] = &[
    Route {
        exec: Some(r"\command exec"),
        prefix: r"\command ",
        needs: &["command"],
    },
    // `builtin command exec` would not last; only a plain `exec` and `command exec` do.
    Route {
        exec: Some(r"\exec"),
        prefix: r"\builtin command ",
        needs: &["exec", "builtin"],
    },
    Route {
        exec: None,
        prefix: r"\builtin command ",
        needs: &["builtin"],
    },
    Route {
        exec: Some(r"\exec"),
        prefix: r"\",
        needs: &["exec", "eval"],
    },
    Route {
        exec: None,
        prefix: r"\",
        needs: &["eval"],
    },
];

const ZSH: &[Route] = &[
    Route {
        exec: Some(r"\builtin exec"),
        prefix: r"\builtin ",
        needs: &["builtin"],
    },
    Route {
        exec: Some(r"\exec"),
        prefix: r"\",
        needs: &["exec", "eval"],
    },
    Route {
        exec: None,
        prefix: r"\",
        needs: &["eval"],
    },
];

const POSIX: &[Route] = &[
    Route {
        exec: Some(r"\command exec"),
        prefix: r"\command ",
        needs: &["command"],
    },
    // No function can have the name of a special builtin here. Without `command`, a syntax error ends the shell.
    Route {
        exec: Some(r"\exec"),
        prefix: r"\",
        needs: &[],
    },
];

impl Dialect {
    /// Returns the family of the executable, found by its name after following symbolic links.
    pub(crate) fn of(shell: &Path) -> Self {
        // `/bin/sh` is a link: to dash on Debian, to busybox on Alpine, to bash on Fedora.
        let real = std::fs::canonicalize(shell);
        let real = real.as_deref().unwrap_or(shell);
        match real.file_name().and_then(|name| name.to_str()) {
            Some(name) if name.contains("bash") => Self::Bash,
            Some(name) if name.contains("zsh") => Self::Zsh,
            _ => Self::Posix,
        }
    }

    /// Returns the ways to the shell's builtins, the best first.
    pub(crate) fn routes(self) -> &'static [Route] {
        match self {
            Self::Bash => BASH,
            Self::Zsh => ZSH,
            Self::Posix => POSIX,
        }
    }

    /// Returns `text` as one word, and on one line if the shell has a quoting for that, so that a command advances
    /// `$LINENO` by its own lines alone.
    pub(crate) fn quote(self, text: &str) -> String {
        match self {
            Self::Bash | Self::Zsh => quote_on_one_line(text),
            Self::Posix => quote(text),
        }
    }
}

/// Returns whether `text` may define a function called `name`. A false positive only costs the better route.
pub(crate) fn may_define(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].trim_end();
        let is_word = before.len() < at || before.ends_with([';', '&', '|', '(', '{', '\'', '"']);
        let after = text[at + name.len()..].trim_start_matches([' ', '\t']);
        let is_first = at == 0 || is_word;
        is_first && (after.starts_with('(') || before.ends_with("function"))
    }) || text.contains(&format!("functions[{name}]"))
}

/// Returns whether a line after `text` could become part of it: a list or a here-document without its end.
pub(crate) fn is_open_ended(text: &str) -> bool {
    text.trim_end().ends_with(['&', '|', '\\']) || has_open_document(text)
}

/// Returns whether `text` contains nothing but comments.
pub(crate) fn runs_nothing(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_start);
    lines.all(|line| line.is_empty() || line.starts_with('#'))
}

/// Returns whether `text` may turn an option, by `set -LETTER` or by its name, in which zsh ignores case and
/// underscores.
pub(crate) fn may_set(text: &str, letter: char, name: &str) -> bool {
    let names = text.to_ascii_lowercase().replace('_', "");
    names.contains(name) && text.contains("set")
        || text.match_indices("set").any(|(at, _)| {
            text[at..]
                .split_ascii_whitespace()
                .skip(1)
                .take_while(|word| word.starts_with(['-', '+']))
                .any(|word| word.contains(letter))
        })
}

/// Returns whether `text` may set a `DEBUG` trap, itself or in a file that it sources.
pub(crate) fn may_trap(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut words = lower.split_ascii_whitespace();
    lower.contains("trap") && lower.contains("debug")
        || words.any(|word| word == "." || word == "source")
}

/// Returns whether a here-document of `text` may be without its end. Text that only looks like a here-document counts
/// as an open one, unless a line equals its delimiter.
fn has_open_document(text: &str) -> bool {
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        for (at, _) in line.match_indices("<<") {
            let is_string = line[at..].starts_with("<<<") || line[..at].ends_with('<');
            if is_string {
                continue;
            }
            let delimiter = line[at + 2..].trim_start_matches(['-', ' ', '\t']);
            let end = delimiter
                .find([' ', '\t', ';', '&', '|', ')', '>', '<'])
                .unwrap_or(delimiter.len());
            let delimiter = delimiter[..end].replace(['\'', '"', '\\'], "");
            if !lines.any(|line| line.trim_start_matches('\t') == delimiter) {
                return true;
            }
        }
    }
    false
}

pub(crate) fn quoted(path: &Path) -> String {
    quote(&String::from_utf8_lossy(path.as_os_str().as_bytes()))
}

/// Returns `text` as one word that every shell takes literally, without NULs, which no shell can hold.
pub(crate) fn quote(text: &str) -> String {
    let mut word = String::with_capacity(text.len() + 2);
    word.push('\'');
    for part in text.split_inclusive(['\'', '\0']) {
        match part.as_bytes().last() {
            Some(b'\'') => {
                word.push_str(&part[..part.len() - 1]);
                word.push_str(r"'\''");
            }
            Some(0) => word.push_str(&part[..part.len() - 1]),
            _ => word.push_str(part),
        }
    }
    word.push('\'');
    word
}

/// Returns `text` as one word of bash and zsh that has no newline.
fn quote_on_one_line(text: &str) -> String {
    let mut word = String::with_capacity(text.len() + 8);
    // The only quoting of both shells in which a newline can be an escape.
    word.push_str("$'");
    for character in text.chars() {
        match character {
            '\'' | '\\' => word.extend(['\\', character]),
            '\n' => word.push_str(r"\n"),
            '\0' => {}
            _ => word.push(character),
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted() {
        assert_eq!(quote("a'b\0c\n"), "'a'\\''bc\n'");
        assert_eq!(
            Dialect::Bash.quote("a'b\\\0c\n\u{e9}"),
            r"$'a\'b\\c\n".to_owned() + "\u{e9}'"
        );
        assert_eq!(Dialect::Posix.quote("\n"), "'\n'");
    }

    #[test]
    fn functions_are_noticed() {
        for text in [
            "command() { :; }",
            "a; command () ( : )",
            "function command { :; }",
            "eval 'command(){ :; }'",
            "functions[command]=:",
        ] {
            assert!(may_define(text, "command"), "{text}");
        }
        for text in ["command -v x", "mycommand() { :; }", "echo command"] {
            assert!(!may_define(text, "command"), "{text}");
        }
    }

    #[test]
    fn texts_that_may_set_an_option_are_noticed() {
        for text in [
            "set -v",
            "a; set  -e -xv\nb",
            "setopt verbose",
            "setopt VERB_OSE",
            "set -o verbose",
        ] {
            assert!(may_set(text, 'v', "verbose"), "{text}");
        }
        for text in ["echo -v set", "set -e", "offset -e x-v", "echo setting"] {
            assert!(!may_set(text, 'v', "verbose"), "{text}");
        }
    }

    #[test]
    fn texts_that_may_trap_are_noticed() {
        for text in [
            "trap : DEBUG",
            "TRAPDEBUG() { :; }",
            ". ./lib",
            "a; source lib",
        ] {
            assert!(may_trap(text), "{text}");
        }
        for text in ["export DEBUG=1", "trap : INT", "ls ./x", "cd .."] {
            assert!(!may_trap(text), "{text}");
        }
    }

    #[test]
    fn open_ends_are_noticed() {
        for text in [
            "a &&",
            "a |\n",
            "a \\",
            "cat <<E\nx",
            "cat <<A <<B\nB\nA\n",
            "cat <<-'E'\nx\nE ",
            "echo $((1<<2))",
        ] {
            assert!(is_open_ended(text), "{text}");
        }
        for text in [
            "a",
            "cat <<E\nx\nE",
            "cat <<'E' | x\n<\nE\n",
            "cat <<-\"E\"; y\n\tE",
            "cat <<A <<B\nA\nB\n",
            "cat <<<x",
        ] {
            assert!(!is_open_ended(text), "{text}");
        }
    }

    #[test]
    fn there_is_a_route_whatever_one_name_is() {
        for dialect in [Dialect::Bash, Dialect::Zsh, Dialect::Posix] {
            for name in ["command", "builtin", "exec", "eval", "printf"] {
                let free = |route: &&Route| !route.needs.contains(&name);
                assert!(dialect.routes().iter().any(|route| free(&route)), "{name}");
            }
        }
    }
}
