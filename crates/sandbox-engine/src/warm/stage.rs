//! The modules that are imported before a program begins.

use super::seed;

/// A kind of fork server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No imports.
    Bare,
    /// With numpy imported.
    Numpy,
    /// With numpy and the imports of `matplotlib.pyplot`, but not that itself: the engine's hook waits for its import.
    Pyplot,
}

impl Stage {
    pub(super) const COUNT: usize = 3;

    /// Returns the stage for a program with this text; `None` if it may notice that it was forked. With `is_seeded` the
    /// environment sets the seed of hashes, so that it cannot be noticed by hashes.
    ///
    /// Scans the text, without an analysis. Unknown constructs cost only the speedup: a program starts with numpy
    /// only if all its imports are known not to change what numpy reads at its import, and if it names nothing
    /// by which it could do so itself, or could see that numpy is imported already.
    pub(crate) fn of(code: &str, is_seeded: bool) -> Option<Self> {
        let is_told = |words: &[&str]| identifiers(code).any(|word| words.contains(&word));
        if is_told(OF_THE_PROCESS) || code.contains("/proc") {
            return None;
        }
        if !is_seeded && seed::is_seen_by(code) {
            return None;
        }
        let Some(imports) = Imports::of(code) else {
            return Some(Self::Bare);
        };
        let is_told_of_imports = is_told(OF_IMPORTS)
            || ["sys.path", "matplotlibrc", ".py'", ".py\""]
                .iter()
                .any(|text| code.contains(text));
        Some(match imports {
            _ if is_told_of_imports => Self::Bare,
            Imports { pyplot: true, .. } => Self::Pyplot,
            Imports {
                numpy: true,
                matplotlib: false,
                ..
            } => Self::Numpy,
            _ => Self::Bare,
        })
    }

    pub(super) fn modules(self) -> &'static [&'static str] {
        match self {
            Self::Bare => &[],
            Self::Numpy => &["numpy"],
            Self::Pyplot => PYPLOT,
        }
    }
}

/// The imports of a program.
#[derive(Debug, Default, PartialEq, Eq)]
struct Imports {
    numpy: bool,
    matplotlib: bool,
    pyplot: bool,
}

impl Imports {
    /// Returns the imports; `None` if any is unknown, or of an unknown form.
    fn of(code: &str) -> Option<Self> {
        let mut imports = Self::default();
        let mut understood = 0;
        for statement in code.split(['\n', ';']).map(str::trim) {
            if let Some(names) = statement.strip_prefix("import ") {
                for name in names.split(',') {
                    imports.add(name.split_whitespace().next()?, "")?;
                }
            } else if let Some(rest) = statement.strip_prefix("from ") {
                let (module, names) = rest.split_once(" import ")?;
                imports.add(module.trim(), names)?;
            } else {
                continue;
            }
            understood += 1;
        }
        // An `import` at any other place (after a colon, in a string) was not seen as a statement:
        // what it imports is unknown.
        let words = identifiers(code).filter(|word| *word == "import").count();
        (words == understood).then_some(imports)
    }

    fn add(&mut self, module: &str, names: &str) -> Option<()> {
        let top = module.split('.').next()?;
        match top {
            "numpy" => self.numpy = true,
            "matplotlib" => {
                self.matplotlib = true;
                let of_pyplot = module == "matplotlib.pyplot";
                let names_pyplot =
                    module == "matplotlib" && identifiers(names).any(|name| name == "pyplot");
                self.pyplot |= of_pyplot || names_pyplot;
            }
            _ if HARMLESS.contains(&top) => {}
            _ => return None,
        }
        Some(())
    }
}

pub(super) fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    code.split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty())
}

/// Words by which a program refers to its parent, its command line, or memory.
const OF_THE_PROCESS: &[&str] = &[
    "cmdline",
    "gc",
    "ctypes",
    "getppid",
    "ppid",
    "prctl",
    "psutil",
    "PR_SET_PDEATHSIG",
];

/// Words by which a program inspects the imported modules, or changes the effect of an import.
const OF_IMPORTS: &[&str] = &[
    "__builtins__",
    "__import__",
    "addaudithook",
    "atexit",
    "chdir",
    "compile",
    "environ",
    "environb",
    "eval",
    "exec",
    "execv",
    "execve",
    "fork",
    "get_config_var",
    "getrusage",
    "globals",
    "importlib",
    "locale",
    "logging",
    "meta_path",
    "modules",
    "path_hooks",
    "path_importer_cache",
    "putenv",
    "setprofile",
    "settrace",
    "symlink",
    "tracemalloc",
    "tzset",
    "unsetenv",
    "vars",
    "warnings",
];

/// Modules whose import, and use before that of numpy, does not affect numpy and matplotlib.
const HARMLESS: &[&str] = &[
    "__future__",
    "base64",
    "calendar",
    "cmath",
    "collections",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "io",
    "itertools",
    "json",
    "math",
    "mpl_toolkits",
    "operator",
    "os",
    "random",
    "re",
    "statistics",
    "string",
    "sys",
    "textwrap",
    "time",
    "typing",
];

/// The imports of `matplotlib.pyplot` in the versions 3.5 to 3.11, and the backend that it then selects.
const PYPLOT: &[&str] = &[
    "numpy",
    "matplotlib",
    "matplotlib.colorbar",
    "matplotlib.image",
    "matplotlib.figure",
    "matplotlib.backend_bases",
    "matplotlib.gridspec",
    "matplotlib.projections",
    "matplotlib.mlab",
    "matplotlib.scale",
    "matplotlib.cm",
    "matplotlib.patches",
    "matplotlib.collections",
    "matplotlib.widgets",
    "matplotlib.style",
    "matplotlib.category",
    "matplotlib.dates",
    "matplotlib._pylab_helpers",
    "matplotlib.backends.backend_agg",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_contains_what_is_wanted() {
        let table = [
            ("print(1)", Some(Stage::Bare)),
            ("import numpy as np\nprint(np.pi)", Some(Stage::Numpy)),
            ("import math, numpy", Some(Stage::Numpy)),
            ("import matplotlib.pyplot as plt", Some(Stage::Pyplot)),
            (
                "import numpy; from matplotlib import pyplot",
                Some(Stage::Pyplot),
            ),
            ("import matplotlib", Some(Stage::Bare)),
            ("import numpy, pandas", Some(Stage::Bare)),
            ("import numpy, \\\n  helper", Some(Stage::Bare)),
            ("if 1: import helper\nimport numpy", Some(Stage::Bare)),
            (
                "import os\nos.environ['A']='1'\nimport numpy",
                Some(Stage::Bare),
            ),
            ("import sys, numpy\nsys.modules", Some(Stage::Bare)),
            ("from . import x\nimport numpy", Some(Stage::Bare)),
            ("# import numpy", Some(Stage::Bare)),
            ("import os; print(os.getppid())", None),
            ("open('/proc/self/stat')", None),
            ("", Some(Stage::Bare)),
            ("print(hash('a'))", None),
        ];
        for (code, expect) in table {
            assert_eq!(Stage::of(code, false), expect, "{code}");
        }
    }
    #[test]
    fn a_seed_that_is_set_can_be_seen() {
        assert_eq!(Stage::of("print(hash('a'))", true), Some(Stage::Bare));
    }

    #[test]
    fn the_tables_of_programs_say_what_starts_cold() {
        let python = include_str!("../../tests/it/warm/programs/python.txt");
        let drawing = include_str!("../../tests/it/warm/programs/drawing.txt");
        for part in python.split("#### ").chain(drawing.split("#### ")).skip(1) {
            let (head, code) = part.split_once('\n').unwrap_or((part, ""));
            let expect = match head {
                _ if head.contains("[cold]") => None,
                _ if head.contains("[numpy]") => Some(Stage::Numpy),
                _ if head.contains("[pyplot]") => Some(Stage::Pyplot),
                _ => Some(Stage::Bare),
            };
            assert_eq!(Stage::of(code, false), expect, "{head}");
        }
    }
}
