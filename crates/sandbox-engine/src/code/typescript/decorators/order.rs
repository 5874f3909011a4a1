//! The order in which decorators of `experimentalDecorators` are called: those of instance members, then those of
//! static members.

use oxc_allocator::{Allocator, ArenaVec};
use oxc_ast::ast::{Argument, Expression, Statement};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType, Span};

use super::super::edits::{Edits, Mapped, Piece};

/// Sorts the calls that oxc has emitted in the order of the class.
pub(in super::super) fn instances_first(text: Mapped, kind: SourceType) -> Mapped {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, &text.code, kind).parse();
    let mut order = Order::default();
    order.visit_program(&parsed.program);
    order.edits.apply(text)
}

#[derive(Default)]
struct Order {
    edits: Edits,
}

impl Order {
    /// Sorts the calls for one class; the flag of each is whether it is for a static member.
    fn sort(&mut self, calls: &[(Span, bool)]) {
        let mut sorted = calls.to_vec();
        // Stable: within each of the two groups the order of the class remains.
        sorted.sort_by_key(|(_, is_static)| *is_static);
        for ((span, _), (moved, _)) in calls.iter().zip(sorted) {
            if *span != moved {
                self.edits.rewrite(*span, vec![Piece::Source(moved)]);
            }
        }
    }
}

impl<'a> Visit<'a> for Order {
    fn visit_statements(&mut self, list: &ArenaVec<'a, Statement<'a>>) {
        let mut calls = Vec::new();
        let mut of = None;
        for statement in list {
            let call = member_of(statement);
            let class = call.map(|(class, _)| class);
            if class != of {
                self.sort(&calls);
                calls.clear();
                of = class;
            }
            if let Some((_, is_static)) = call {
                calls.push((statement.span(), is_static));
            }
        }
        self.sort(&calls);
        walk::walk_statements(self, list);
    }
}

/// Returns the class whose member a statement decorates, and whether that is static.
/// `decorate([…], A.prototype, "name", …)` is for an instance member.
fn member_of<'d>(statement: &'d Statement<'_>) -> Option<(&'d str, bool)> {
    let Statement::ExpressionStatement(statement) = statement else {
        return None;
    };
    let Expression::CallExpression(call) = &statement.expression else {
        return None;
    };
    let callee = call.callee.as_member_expression()?;
    let is_helper = callee.object().is_specific_id("babelHelpers");
    if !is_helper || callee.static_property_name() != Some("decorate") {
        return None;
    }
    match call.arguments.get(1)? {
        _ if call.arguments.len() < 3 => None,
        Argument::Identifier(class) => Some((&class.name, true)),
        Argument::StaticMemberExpression(prototype) => match &prototype.object {
            Expression::Identifier(class) => Some((&class.name, false)),
            _ => None,
        },
        _ => None,
    }
}
