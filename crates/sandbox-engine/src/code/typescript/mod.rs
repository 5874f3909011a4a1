//! TypeScript to JavaScript: types are removed, and syntax that Node.js does not support is translated. Nothing is
//! checked.
//!
//! The result is what TypeScript 5 emits with `module: commonjs` and `esModuleInterop`, or, of a program that uses what
//! only ECMAScript modules have, an ECMAScript module. Each step is a function of a text: namespaces become functions
//! ([`namespaces`]), oxc removes the types and prints ([`program`]), and then follow decorators ([`decorators`]) and
//! modules ([`commonjs`]). All but oxc's are changes to the text, which its source map follows ([`edits`]).
//!
//! Everything here recurses as deeply as the text nests, so it runs in a translator process only: see [`super::task`].

mod commonjs;
mod decorators;
mod detect;
mod edits;
mod fields;
mod namespaces;
mod options;
mod parse;
mod program;

pub(super) use self::commonjs::require;
pub(crate) use self::options::Options;
pub(crate) use self::program::{NAME, helpers};
pub(super) use self::program::{is_module, translate, translate_cell, translate_import};
