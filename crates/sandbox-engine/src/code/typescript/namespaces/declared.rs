//! Declarations and references, as statements of a namespace have them.

use oxc_ast::ast::{Declaration, IdentifierReference, Statement, TSModuleReference, TSTypeName};
use oxc_span::{GetSpan, Span};

/// A declaration and the statement that it is, or that exports it.
#[derive(Clone, Copy)]
pub(super) struct Declared<'d, 'a> {
    pub(super) declaration: &'d Declaration<'a>,
    pub(super) statement: Span,
    pub(super) is_exported: bool,
}

impl<'d, 'a> Declared<'d, 'a> {
    pub(super) fn of(statement: &'d Statement<'a>) -> Option<Self> {
        let (declaration, is_exported) = match statement {
            Statement::ExportDeclaration(export) => (&export.declaration, true),
            statement => (statement.as_declaration()?, false),
        };
        Some(Self {
            declaration,
            statement: statement.span(),
            is_exported,
        })
    }
}

/// Returns the `a` of `a.b.c`, and `None` for a module that is required.
pub(super) fn first_name<'d, 'a>(
    reference: &'d TSModuleReference<'a>,
) -> Option<&'d IdentifierReference<'a>> {
    let mut name = match reference {
        TSModuleReference::ExternalModuleReference(_) => return None,
        TSModuleReference::IdentifierReference(first) => return Some(first),
        TSModuleReference::QualifiedName(name) => &name.left,
    };
    loop {
        name = match name {
            TSTypeName::IdentifierReference(first) => return Some(first),
            TSTypeName::QualifiedName(name) => &name.left,
            TSTypeName::ThisExpression(_) => return None,
        };
    }
}
