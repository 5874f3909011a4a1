//! Changes to a text that has a source map.

use oxc_sourcemap::Token;
use oxc_span::Span;

/// A text, and the original places of its parts.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) code: String,
    /// The tokens in the order of the text.
    pub(super) tokens: Vec<Token>,
}

impl Mapped {
    /// Creates a text that is its own original.
    pub(super) fn written(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            tokens: Vec::new(),
        }
    }

    /// Returns the text with the original places of `source`, of which it was made.
    pub(super) fn made_of(mut self, source: &Self) -> Self {
        if source.tokens.is_empty() {
            return self;
        }
        let found = self.tokens.iter().map(|token| {
            let (line, column) = (token.get_src_line(), token.get_src_col());
            let is_before = |one: &Token| (one.get_dst_line(), one.get_dst_col()) <= (line, column);
            let after = source.tokens.partition_point(is_before);
            let before = source.tokens[..after].last();
            // The first token that was inserted in a line stands for the line.
            let place = before
                .filter(|one| one.get_dst_line() == line)
                .map_or((line, 0), |one| (one.get_src_line(), one.get_src_col()));
            Token::new(
                token.get_dst_line(),
                token.get_dst_col(),
                place.0,
                place.1,
                token.get_source_id(),
                token.get_name_id(),
            )
        });
        self.tokens = found.collect();
        self
    }

    /// Records the place of each word and each sign, so that changes of the text can be followed.
    fn note_words(&mut self) {
        let mut walk = Walk::new(&self.code);
        let mut was_word = false;
        while let Some(next) = walk.rest.clone().next() {
            let is_word = next.is_alphanumeric() || next == '_' || next == '$';
            let is_within = is_word && was_word;
            if !is_within && !next.is_whitespace() {
                let (line, column) = (walk.line, walk.column);
                self.tokens
                    .push(Token::new(line, column, line, column, None, None));
            }
            was_word = is_word;
            walk.step();
        }
    }
}

/// A part of a replacement.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    /// Another part of the text, which is moved here.
    Source(Span),
}

/// Changes to apply together, which do not overlap.
#[derive(Debug, Default)]
pub(super) struct Edits {
    list: Vec<(Span, Vec<Piece>)>,
}

/// A part of the old text, and where it begins in the new one.
#[derive(Debug, Clone, Copy)]
struct Move {
    from: Span,
    to: usize,
}

impl Edits {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn replace(&mut self, span: Span, text: impl Into<String>) {
        self.list.push((span, vec![Piece::Text(text.into())]));
    }

    /// Inserts a text before position `at`; a later insertion at the same place follows it.
    pub(super) fn insert(&mut self, at: u32, text: impl Into<String>) {
        self.replace(Span::empty(at), text);
    }

    pub(super) fn rewrite(&mut self, span: Span, pieces: Vec<Piece>) {
        self.list.push((span, pieces));
    }

    pub(super) fn extend(&mut self, others: Self) {
        self.list.extend(others.list);
    }

    /// Applies the changes to an original text, or one made of it by changes alone. Lines have to stay in their places.
    pub(super) fn apply_to_source(self, mut old: Mapped) -> Mapped {
        if self.is_empty() {
            return old;
        }
        if old.tokens.is_empty() {
            old.note_words();
        }
        self.apply(old)
    }

    pub(super) fn apply(mut self, old: Mapped) -> Mapped {
        // Stable: insertions at one place remain in the order in which they were added.
        self.list.sort_by_key(|(span, _)| (span.start, span.end));
        let mut code = String::with_capacity(old.code.len() * 2);
        let mut moves = Vec::new();
        let mut done = 0;
        let keep = |from: Span, code: &mut String, moves: &mut Vec<Move>| {
            let to = code.len();
            code.push_str(from.source_text(&old.code));
            moves.push(Move { from, to });
        };
        for (span, pieces) in self.list {
            debug_assert!(span.start >= done, "changes overlap");
            keep(Span::new(done, span.start), &mut code, &mut moves);
            if let [Piece::Text(_)] = pieces[..]
                && !span.is_empty()
            {
                // A token that begins here begins with the replacement.
                let from = Span::sized(span.start, 1);
                moves.push(Move {
                    from,
                    to: code.len(),
                });
            }
            for piece in pieces {
                match piece {
                    Piece::Text(text) => code.push_str(&text),
                    Piece::Source(from) => keep(from, &mut code, &mut moves),
                }
            }
            done = span.end;
        }
        let end = offset(old.code.len());
        keep(Span::new(done, end), &mut code, &mut moves);
        let tokens = moved(&old, &code, moves);
        Mapped { code, tokens }
    }
}

/// Returns the tokens of the parts that remain in the text.
fn moved(old: &Mapped, code: &str, mut moves: Vec<Move>) -> Vec<Token> {
    moves.sort_by_key(|one| one.from.start);
    let lines = old
        .tokens
        .iter()
        .map(|token| (token.get_dst_line(), token.get_dst_col()));
    let offsets = offsets(&old.code, lines);
    let mut found: Vec<(usize, Token)> = Vec::with_capacity(old.tokens.len());
    for (at, token) in offsets.into_iter().zip(&old.tokens) {
        let after = moves.partition_point(|one| one.from.start as usize <= at);
        let holder = moves[..after]
            .iter()
            .rev()
            .find(|one| at < one.from.end as usize);
        if let Some(one) = holder {
            found.push((one.to + at - one.from.start as usize, *token));
        }
    }
    found.sort_by_key(|(at, _)| *at);
    let places = places(code, found.iter().map(|(at, _)| *at));
    let tokens = places
        .into_iter()
        .zip(found)
        .map(|((line, column), (_, token))| {
            Token::new(
                line,
                column,
                token.get_src_line(),
                token.get_src_col(),
                token.get_source_id(),
                token.get_name_id(),
            )
        });
    tokens.collect()
}

/// Returns a byte count as spans have it. Longer texts cannot be parsed.
pub(super) fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Returns the byte offsets of places in a text, which are in order.
fn offsets(code: &str, places: impl Iterator<Item = (u32, u32)>) -> Vec<usize> {
    let mut walk = Walk::new(code);
    places
        .map(|place| {
            while (walk.line, walk.column) < place && walk.step() {}
            walk.at
        })
        .collect()
}

/// Returns the lines and columns of byte offsets in a text, which are in order.
fn places(code: &str, offsets: impl Iterator<Item = usize>) -> Vec<(u32, u32)> {
    let mut walk = Walk::new(code);
    offsets
        .map(|at| {
            while walk.at < at && walk.step() {}
            (walk.line, walk.column)
        })
        .collect()
}

/// Walks through a text; columns count units of UTF-16, as source maps have it.
struct Walk<'a> {
    rest: std::str::Chars<'a>,
    at: usize,
    line: u32,
    column: u32,
}

impl<'a> Walk<'a> {
    fn new(code: &'a str) -> Self {
        Self {
            rest: code.chars(),
            at: 0,
            line: 0,
            column: 0,
        }
    }

    fn step(&mut self) -> bool {
        let Some(next) = self.rest.next() else {
            return false;
        };
        self.at += next.len_utf8();
        if next == '\n' {
            self.line += 1;
            self.column = 0;
        } else {
            self.column += offset(next.len_utf16());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_follow_what_they_belong_to() {
        let code = "a(\"\u{1f600}\");\nb;\nc;\n".to_owned();
        // `a`, the bracket after the string, `b`, `c`.
        let tokens = [(0, 0), (0, 6), (1, 0), (2, 0)];
        let tokens = tokens
            .iter()
            .map(|(line, column)| Token::new(*line, *column, *line, *column, None, None));
        let old = Mapped {
            tokens: tokens.collect(),
            code,
        };
        let at = |word: &str| offset(old.code.find(word).unwrap());
        let mut edits = Edits::default();
        let (b, c) = (Span::sized(at("b;"), 2), Span::sized(at("c;"), 2));
        edits.insert(0, "\u{e9}\n");
        edits.rewrite(
            b,
            vec![
                Piece::Text("{ ".to_owned()),
                Piece::Source(c),
                Piece::Text(" }".to_owned()),
            ],
        );
        edits.rewrite(c, vec![Piece::Source(b)]);
        let new = edits.apply(old);
        assert_eq!(new.code, "\u{e9}\na(\"\u{1f600}\");\n{ c; }\nb;\n");
        let found: Vec<_> = new
            .tokens
            .iter()
            .map(|token| {
                (
                    token.get_dst_line(),
                    token.get_dst_col(),
                    token.get_src_line(),
                )
            })
            .collect();
        assert_eq!(found, [(1, 0, 0), (1, 6, 0), (2, 2, 2), (3, 0, 1)]);
    }

    #[test]
    fn places_are_those_that_were_written() {
        let source = Mapped::written("one two;\nthree four;\n");
        let mut edits = Edits::default();
        edits.replace(Span::new(4, 7), "a.two");
        edits.insert(9, "{ ");
        let source = edits.apply_to_source(source);
        assert_eq!(source.code, "one a.two;\n{ three four;\n");
        // `one`, the replacement of `two`, the insertion, `four`.
        let places = [(0, 0), (0, 4), (1, 0), (1, 8)];
        let tokens = places.map(|(line, column)| Token::new(9, 9, line, column, None, None));
        let made = Mapped {
            code: String::new(),
            tokens: tokens.to_vec(),
        };
        let made = made.made_of(&source);
        let found = made
            .tokens
            .iter()
            .map(|token| (token.get_src_line(), token.get_src_col()));
        assert_eq!(found.collect::<Vec<_>>(), [(0, 0), (0, 4), (1, 0), (1, 6)]);
    }
}
