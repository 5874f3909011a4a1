//! The first parse of a text.

use oxc_allocator::Allocator;
use oxc_parser::{Parser, ParserReturn};
use oxc_span::SourceType;

/// Parses a text as an ECMAScript module or a script.
pub(super) fn parsed<'a>(allocator: &'a Allocator, code: &'a str) -> ParserReturn<'a> {
    let kind = SourceType::ts().with_unambiguous(true);
    let parsed = Parser::new(allocator, code, kind).parse();
    if parsed.diagnostics.is_empty() {
        return parsed;
    }
    // A top-level `for await` does not make a module of a text that is valid as either.
    let again = Parser::new(allocator, code, SourceType::ts().with_module(true)).parse();
    if again.diagnostics.is_empty() {
        again
    } else {
        parsed
    }
}
