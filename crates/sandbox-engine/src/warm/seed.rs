//! Whether a Python program can see the seed of its process's hashes.
//!
//! Forks of one server share it. A process that started by itself has one of its own, so the order of a set's strings and
//! what `hash` returns are different in every run.

/// Whether this text makes a set or asks for a hash, outside of what it imports.
///
/// A look at the text, not an analysis: strings and comments are passed over, an f-string's calls are not.
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
    /// Brackets that are open.
    braces: Vec<Bracket>,
    /// The token before.
    last: &'a str,
    /// Whether the next `in` is that of a `for`.
    is_loop: bool,
}

#[derive(Clone, Copy)]
enum Bracket {
    /// Anything but a set, so far as is known.
    Other,
    /// A brace that had elements and no colon yet.
    Set,
    /// A brace without elements.
    Empty,
}

impl<'a> Scan<'a> {
    /// Takes one token; returns whether it shows a set or a hash.
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
            "set" | "frozenset" | "hash" => return self.last != ".",
            "__hash__" => return true,
            _ => {}
        }
        false
    }

    fn mark(&mut self, mark: char) -> bool {
        match mark {
            '{' => {
                // A test for membership does not depend on the order.
                let is_test = self.last == "in" && !self.is_loop;
                self.element();
                self.braces.push(match is_test {
                    true => Bracket::Other,
                    false => Bracket::Empty,
                });
            }
            '(' | '[' => {
                self.element();
                self.braces.push(Bracket::Other);
            }
            '}' | ')' | ']' => return matches!(self.braces.pop(), Some(Bracket::Set)),
            // Of an item.
            ':' => self.is_mapping(|bracket| matches!(bracket, Bracket::Set)),
            // Before a mapping.
            '*' if self.last == "*" => {
                self.is_mapping(|bracket| matches!(bracket, Bracket::Empty));
            }
            _ => {}
        }
        false
    }

    /// Notes an element of the innermost bracket.
    fn element(&mut self) {
        if self.last == "in" {
            self.is_loop = false;
        }
        if let Some(bracket @ Bracket::Empty) = self.braces.last_mut() {
            *bracket = Bracket::Set;
        }
    }

    /// Notes that the innermost bracket is none of a set, if it is as `may_be` says.
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

/// The length of the string that `text` begins with, quotes and all.
fn string(text: &str) -> usize {
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let end = match text.starts_with(&triple) {
        true => triple.as_str(),
        false => quote,
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

/// Whether something like a call of one of the functions is in the text of an f-string.
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
