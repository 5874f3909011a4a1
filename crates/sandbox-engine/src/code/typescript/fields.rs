//! Fields that are declared without a value.

use oxc_ast::ast::{ClassBody, ClassElement, Program, PropertyDefinition, PropertyKey};
use oxc_ast_visit::{VisitMut, walk_mut};

/// Removes fields that only have a type, as TypeScript does unless it is to define them.
pub(super) fn remove_declared(program: &mut Program<'_>) {
    Removal.visit_program(program);
}

struct Removal;

impl<'a> VisitMut<'a> for Removal {
    fn visit_class_body(&mut self, body: &mut ClassBody<'a>) {
        body.body.retain(|element| match element {
            ClassElement::PropertyDefinition(field) => !is_declared(field),
            _ => true,
        });
        walk_mut::walk_class_body(self, body);
    }
}

/// Returns whether a field is only declared. A private name has to be declared, and a computed one may have effects.
fn is_declared(field: &PropertyDefinition<'_>) -> bool {
    let is_private = matches!(field.key, PropertyKey::PrivateIdentifier(_));
    field.value.is_none() && field.decorators.is_empty() && !field.computed && !is_private
}
