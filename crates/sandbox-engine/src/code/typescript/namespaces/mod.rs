//! Translates namespaces to functions, as TypeScript does.
//!
//! `namespace N { … }` becomes `(function (N) { … })(N)`. Its exports become members of `N`, and so do the references
//! to them, in all blocks of one namespace. The result is TypeScript: types stay in it, and every line stays in its
//! place.

mod declared;
mod names;
mod translation;

pub(super) use translation::functions;
