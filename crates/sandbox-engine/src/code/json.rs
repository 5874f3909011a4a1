//! A reader of the user's JSON files, with the comments and commas that some tools allow.

use std::iter::Peekable;
use std::str::Chars;

/// Returns the string, number or word at the path of keys. `None` if there is none, or invalid JSON before it.
pub(super) fn find(text: &str, path: &[&str]) -> Option<String> {
    let mut tokens = Tokens {
        rest: text.trim_start_matches('\u{feff}').chars().peekable(),
    };
    // The key in each enclosing object, and `None` in an array.
    let mut keys: Vec<Option<String>> = Vec::new();
    let mut last: Option<String> = None;
    loop {
        match tokens.next()? {
            Token::Mark('{') => keys.push(Some(String::new())),
            Token::Mark('[') => keys.push(None),
            Token::Mark(':') => *keys.last_mut()? = last.take(),
            Token::Mark(mark) => {
                // The token before the end of a value is a value, not a key.
                let value = last.take();
                let is_here = keys.len() == path.len()
                    && keys
                        .iter()
                        .zip(path)
                        .all(|(key, wanted)| key.as_deref() == Some(wanted));
                if is_here && value.is_some() {
                    return value;
                }
                if mark != ',' {
                    keys.pop()?;
                }
            }
            Token::Value(value) => last = Some(value),
        }
    }
}

enum Token {
    Mark(char),
    Value(String),
}

struct Tokens<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Tokens<'_> {
    fn next(&mut self) -> Option<Token> {
        loop {
            match self.rest.next()? {
                blank if blank.is_whitespace() => {}
                '/' => self.comment()?,
                mark @ ('{' | '}' | '[' | ']' | ':' | ',') => return Some(Token::Mark(mark)),
                '"' => return Some(Token::Value(self.string()?)),
                first => return Some(Token::Value(self.word(first))),
            }
        }
    }

    fn comment(&mut self) -> Option<()> {
        match self.rest.next()? {
            '/' => while self.rest.next()? != '\n' {},
            '*' => {
                let mut before = ' ';
                loop {
                    match self.rest.next()? {
                        '/' if before == '*' => break,
                        next => before = next,
                    }
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn string(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            match self.rest.next()? {
                '"' => return Some(text),
                '\\' => match self.rest.next()? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'u' => {
                        let digits: String = (0..4).map_while(|_| self.rest.next()).collect();
                        let number = u32::from_str_radix(&digits, 16).ok()?;
                        // Half of a surrogate pair is no character; no text that is looked for here
                        // has one.
                        text.push(char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    other => text.push(other),
                },
                other => text.push(other),
            }
        }
    }

    fn word(&mut self, first: char) -> String {
        let mut word = first.to_string();
        let is_part = |c: &char| c.is_alphanumeric() || "+-.".contains(*c);
        while let Some(next) = self.rest.next_if(is_part) {
            word.push(next);
        }
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_keys() {
        let text = "\u{feff}{ // comment\n \"a\": [{\"type\": \"no\"}, \"type\"], /* \"type\": 1 */\n\
            \"b\": {\"type\": \"inner\", \"c\": {\"d\": true,},}, \"t\\u0079pe\": \"mod\\\"ule\", \"n\": -1.5}";
        for (path, value) in [
            (&["type"][..], Some("mod\"ule")),
            (&["b", "type"], Some("inner")),
            (&["b", "c", "d"], Some("true")),
            (&["n"], Some("-1.5")),
            (&["a", "type"], None),
            (&["b"], None),
            (&["none"], None),
        ] {
            assert_eq!(find(text, path).as_deref(), value, "{path:?}");
        }
        for text in [
            "",
            "[]",
            "{",
            "{\"type\"",
            "nonsense",
            "}",
            "{\"type\": \"x",
        ] {
            assert_eq!(find(text, &["type"]), None, "{text}");
        }
    }
}
