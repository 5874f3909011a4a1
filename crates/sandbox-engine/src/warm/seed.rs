//! Detection of Python programs that can see the hash seed of their process.
//!
//! Forks of one server share it. A process that was started by itself has its own, so the order of a set's strings and
//! the results of `hash` are different in every run.

/// Returns whether this text makes a set or requests a hash, apart from its imports.
///
/// Scans the text, without an analysis: strings and comments are skipped, but the calls of an f-string are not.
pub(super) fn is_seen_by(code: &str) -> bool {
    let mut scan = Scan {
        rest: code,
        braces: Vec::new(),
        last: "",
        is_loop: false,
    };
    while !scan.rest.is_empty() {
        if scan.step() {
            return true;
        }
    }
    false
}

/// A scan of a program's text, token by token.
struct Scan<'a> {
    rest: &'a str,
    /// The open brackets.
    braces: Vec<Bracket>,
    /// The previous token.
    last: &'a str,
    /// Whether the next `in` belongs to a `for`.
    is_loop: bool,
}

#[derive(Clone, Copy)]
enum Bracket {
    /// Anything but a set, as far as is known.
    Other,
    /// A brace with elements and no colon so far.
    Set,
    /// A brace without elements.
    Empty,
}

impl<'a> Scan<'a> {
    /// Consumes one token; returns whether it shows a set or a hash.
    fn step(&mut self) -> bool {
        let rest = self.rest;
        let Some(first) = rest.chars().next() else {
            return false;
        };
        let length = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => string(rest),
            _ if is_of_word(first) => rest.find(|c| !is_of_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, rest) = rest.split_at(length);
        self.rest = rest;
        if first == '#' || first.is_whitespace() {
            return false;
        }
        let is_seen = match first {
            '"' | '\'' => self.text(token),
            _ if is_of_word(first) => self.word(token),
            _ => self.mark(first),
        };
        self.last = token;
        is_seen
    }

    fn text(&mut self, text: &str) -> bool {
        self.element();
        is_prefix_of_f(self.last) && calls_within(text)
    }

    fn word(&mut self, word: &str) -> bool {
        self.element();
        match word {
            "for" => self.is_loop = true,
            // After a dot it is a method of something else, such as `event.set()`.
            "set" | "frozenset" | "hash" => return self.last != ".",
            "__hash__" => return true,
            _ => {}
        }
        false
    }

    fn mark(&mut self, mark: char) -> bool {
        match mark {
            '{' => {
                // A membership test does not depend on the order.
                let is_test = self.last == "in" && !self.is_loop;
                self.element();
                self.braces.push(if is_test {
                    Bracket::Other
                } else {
                    Bracket::Empty
                });
            }
            '(' | '[' => {
                self.element();
                self.braces.push(Bracket::Other);
            }
            '}' | ')' | ']' => return matches!(self.braces.pop(), Some(Bracket::Set)),
            // The colon of an item.
            ':' => self.is_mapping(|bracket| matches!(bracket, Bracket::Set)),
            // The `**` before a mapping.
            '*' if self.last == "*" => {
                self.is_mapping(|bracket| matches!(bracket, Bracket::Empty));
            }
            _ => {}
        }
        false
    }

    /// Records an element of the innermost bracket.
    fn element(&mut self) {
        if self.last == "in" {
            self.is_loop = false;
        }
        if let Some(bracket @ Bracket::Empty) = self.braces.last_mut() {
            *bracket = Bracket::Set;
        }
    }

    /// Records that the innermost bracket is not a set's, if `may_be` returns true for it.
    fn is_mapping(&mut self, may_be: impl Fn(&Bracket) -> bool) {
        if let Some(bracket) = self.braces.last_mut()
            && may_be(bracket)
        {
            *bracket = Bracket::Other;
        }
    }
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn is_prefix_of_f(word: &str) -> bool {
    ["f", "rf", "fr"]
        .iter()
        .any(|prefix| word.eq_ignore_ascii_case(prefix))
}

/// Returns the length of the string literal that `text` begins with, including quotes.
fn string(text: &str) -> usize {
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let end = if text.starts_with(&triple) {
        triple.as_str()
    } else {
        quote
    };
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(end.len()) {
        if is_escaped || character == '\\' {
            is_escaped = !is_escaped;
        } else if text[at..].starts_with(end) {
            return at + end.len();
        } else if character == '\n' && end == quote {
            return at;
        }
    }
    text.len()
}

/// Returns whether the text of an f-string contains something like a call of one of the functions.
fn calls_within(text: &str) -> bool {
    ["set(", "frozenset(", "hash("].iter().any(|call| {
        text.match_indices(call).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            before.is_none_or(|c| !is_of_word(c) && c != '.')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_hashes_are_found_and_nothing_else() {
        for code in [
            "print(hash('a'))",
            "print(set('abc'))",
            "x = frozenset(y)",
            "d = defaultdict(set)",
            "x = {1, 2}",
            "x = {'a'}",
            "x = {f(a, {'k': 1}) for a in b}",
            "x = {*a, *b}",
            "for x in {'a', 'b'}: print(x)",
            "x = [1 for y in {'a', 'b'}]",
            "print(f'{hash(1)}')",
            "print(rf\"{len(set(a))}\")",
            "'a'.__hash__()",
            "x = {(lambda: 1)}",
            "x = '''don't''' ; y = {'a', 'b'}",
        ] {
            assert!(is_seen_by(code), "{code}");
        }
        for code in [
            "",
            "{",
            "}",
            "x = {}",
            "x = {  }",
            "x = {'a': 1, 'b': {}}",
            "x = {**a, **b}",
            "x = {**a}",
            "x = {k: v for k, v in y}",
            "# set the hash of {a}",
            "ax.set(xlabel='set')",
            "print('{a}', \"hash(x)\", '''set(\n{a, b}''')",
            "print(f'{a}')",
            "print('it\\'s', {})",
            "if x in {'a', 'b'}: pass",
            "x = [y for y in z if y not in {1, 2}]",
            "m.hash(x); reset(); offset(1); sets",
            "def f(a: dict = {}): pass",
        ] {
            assert!(!is_seen_by(code), "{code}");
        }
    }
}
