//! Detects the language features that a program uses.

use std::collections::{HashMap, HashSet};

use oxc_ast::ast::{
    ArrowFunctionBody, ArrowFunctionExpression, AwaitExpression, CallExpression, Class,
    ClassElement, Decorator, Expression, ForOfStatement, ForStatement, ForStatementInit,
    FormalParameter, FormalParameters, Function, FunctionBody, ImportDeclaration, Program,
    Statement, TSType, TSTypeName, TSTypeReference, TryStatement, VariableDeclaration,
    VariableDeclarationKind, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::Span;
use oxc_syntax::scope::ScopeFlags;

/// The features that decide how a program is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Features {
    /// Whether it has an import or an export.
    pub(super) is_module: bool,
    /// Whether it has what only an ECMAScript module has: an `await` outside of functions, `import.meta`.
    pub(super) needs_module: bool,
    /// Whether it has decorators of ECMAScript, or `accessor`.
    pub(super) has_decorators: bool,
    /// Whether it has decorators of `experimentalDecorators`.
    pub(super) has_old_decorators: bool,
    /// Whether a static field has a decorator of `experimentalDecorators`.
    pub(super) has_old_on_static_field: bool,
}

/// Detects the features of a program that still has its types.
pub(super) fn features(program: &Program<'_>, has_meta: bool, wants_old: bool) -> Features {
    let mut search = Search::default();
    search.visit_program(program);
    let is_old = wants_old || search.shows_old_decorators();
    let has_decorators = search.has_decorators && !is_old;
    Features {
        is_module: program.source_type.is_module(),
        needs_module: has_meta || search.waits,
        has_decorators: has_decorators || search.has_accessor,
        has_old_decorators: search.has_decorators && is_old,
        has_old_on_static_field: search.has_decorated_static && is_old,
    }
}

#[derive(Default)]
struct Search {
    /// The number of enclosing functions.
    depth: usize,
    waits: bool,
    has_accessor: bool,
    has_decorators: bool,
    has_decorated_static: bool,
    /// Whether a parameter has a decorator, or a package is imported that the old ones need.
    has_only_old: bool,
    /// The names of types.
    types: HashSet<String>,
    /// The names of decorators, and whether they are called.
    decorators: HashSet<(String, bool)>,
    /// Signatures of functions by name: as decorators themselves, and as factories of decorators.
    functions: HashMap<(String, bool), Signature>,
}

/// The kind of decorator that a function's parameters indicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signature {
    Old,
    Standard,
    Unclear,
}

impl Search {
    fn shows_old_decorators(&self) -> bool {
        if self.has_only_old {
            return true;
        }
        if self
            .types
            .iter()
            // TypeScript has these types, such as `ClassMethodDecoratorContext`, for standard
            // decorators only.
            .any(|name| name.ends_with("DecoratorContext"))
        {
            return false;
        }
        if OLD_TYPES.iter().any(|name| self.types.contains(*name)) {
            return true;
        }
        let known = self
            .decorators
            .iter()
            .filter_map(|name| self.functions.get(name));
        let known: Vec<_> = known.collect();
        known.contains(&&Signature::Old) && !known.contains(&&Signature::Standard)
    }

    /// Records the signature of a function by this name as a decorator.
    fn note(&mut self, name: &str, parameters: &FormalParameters<'_>, made: Option<Signature>) {
        self.functions
            .insert((name.to_owned(), false), signature(parameters));
        if let Some(inner) = made {
            self.functions.insert((name.to_owned(), true), inner);
        }
    }
}

/// Returns the signature of the function that a function returns.
fn made(body: Option<&FunctionBody<'_>>) -> Option<Signature> {
    body?
        .statements
        .iter()
        .find_map(|statement| match statement {
            Statement::ReturnStatement(statement) => of_value(statement.argument.as_ref()?),
            _ => None,
        })
}

fn made_by_arrow(body: &ArrowFunctionBody<'_>) -> Option<Signature> {
    match body {
        ArrowFunctionBody::FunctionBody(body) => made(Some(body)),
        body => of_value(body.as_expression()?),
    }
}

fn of_value(value: &Expression<'_>) -> Option<Signature> {
    match value.without_parentheses() {
        Expression::ArrowFunctionExpression(function) => Some(signature(&function.params)),
        Expression::FunctionExpression(function) => Some(signature(&function.params)),
        _ => None,
    }
}

/// Returns the signature: old decorators get `(target, key, descriptor)`, the others `(value, context)`.
fn signature(parameters: &FormalParameters<'_>) -> Signature {
    match parameters.items.as_slice() {
        [_, _, _, ..] => Signature::Old,
        [first, second] => {
            let name = |parameter: &FormalParameter<'_>| {
                let identifier = parameter.pattern.get_binding_identifier();
                identifier.map_or_else(String::new, |one| one.name.to_lowercase())
            };
            let annotation = second
                .type_annotation
                .as_ref()
                .map(|one| &one.type_annotation);
            match annotation {
                Some(TSType::TSStringKeyword(_) | TSType::TSSymbolKeyword(_)) => Signature::Old,
                Some(TSType::TSUnionType(union)) => {
                    let is_name = |one: &TSType<'_>| {
                        matches!(one, TSType::TSStringKeyword(_) | TSType::TSSymbolKeyword(_))
                    };
                    if union.types.iter().any(is_name) {
                        Signature::Old
                    } else {
                        Signature::Unclear
                    }
                }
                _ if ["context", "ctx"]
                    .iter()
                    .any(|word| name(second).contains(word)) =>
                {
                    Signature::Standard
                }
                _ if ["key", "prop", "member"]
                    .iter()
                    .any(|word| name(second).contains(word)) =>
                {
                    Signature::Old
                }
                _ if name(first) == "target" && name(second).contains("name") => Signature::Old,
                _ => Signature::Unclear,
            }
        }
        _ => Signature::Unclear,
    }
}

impl<'a> Visit<'a> for Search {
    fn visit_function(&mut self, function: &Function<'a>, flags: ScopeFlags) {
        if let Some(id) = &function.id {
            self.note(&id.name, &function.params, made(function.body.as_deref()));
        }
        self.depth += 1;
        walk::walk_function(self, function, flags);
        self.depth -= 1;
    }

    fn visit_arrow_function_expression(&mut self, function: &ArrowFunctionExpression<'a>) {
        self.depth += 1;
        walk::walk_arrow_function_expression(self, function);
        self.depth -= 1;
    }

    fn visit_variable_declarator(&mut self, variable: &VariableDeclarator<'a>) {
        let name = variable.id.get_binding_identifier().map(|id| id.name);
        match (name, &variable.init) {
            (Some(name), Some(Expression::ArrowFunctionExpression(function))) => {
                self.note(&name, &function.params, made_by_arrow(&function.body));
            }
            (Some(name), Some(Expression::FunctionExpression(function))) => {
                self.note(&name, &function.params, made(function.body.as_deref()));
            }
            _ => {}
        }
        walk::walk_variable_declarator(self, variable);
    }

    fn visit_await_expression(&mut self, wait: &AwaitExpression<'a>) {
        self.waits |= self.depth == 0;
        walk::walk_await_expression(self, wait);
    }

    fn visit_for_of_statement(&mut self, statement: &ForOfStatement<'a>) {
        self.waits |= self.depth == 0 && statement.r#await;
        walk::walk_for_of_statement(self, statement);
    }

    fn visit_variable_declaration(&mut self, variables: &VariableDeclaration<'a>) {
        let is_waiting = variables.kind == VariableDeclarationKind::AwaitUsing;
        self.waits |= self.depth == 0 && is_waiting;
        walk::walk_variable_declaration(self, variables);
    }

    fn visit_class(&mut self, class: &Class<'a>) {
        let is_accessor = |one: &ClassElement<'_>| matches!(one, ClassElement::AccessorProperty(_));
        self.has_accessor |= class.body.body.iter().any(is_accessor);
        self.has_decorated_static |= class.body.body.iter().any(|one| match one {
            ClassElement::PropertyDefinition(one) => one.r#static && !one.decorators.is_empty(),
            _ => false,
        });
        walk::walk_class(self, class);
    }

    fn visit_decorator(&mut self, decorator: &Decorator<'a>) {
        self.has_decorators = true;
        match &decorator.expression {
            Expression::Identifier(name) => {
                self.decorators.insert((name.name.to_string(), false));
            }
            Expression::CallExpression(call) => {
                if let Expression::Identifier(name) = &call.callee {
                    self.decorators.insert((name.name.to_string(), true));
                }
            }
            _ => {}
        }
        walk::walk_decorator(self, decorator);
    }

    fn visit_formal_parameter(&mut self, parameter: &FormalParameter<'a>) {
        self.has_only_old |= !parameter.decorators.is_empty();
        walk::walk_formal_parameter(self, parameter);
    }

    fn visit_import_declaration(&mut self, import: &ImportDeclaration<'a>) {
        self.has_only_old |= import.source.value.starts_with(OLD_PACKAGE);
        walk::walk_import_declaration(self, import);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let (Expression::Identifier(callee), Some(argument)) =
            (&call.callee, call.arguments.first())
            && callee.name == "require"
            && let Some(Expression::StringLiteral(source)) = argument.as_expression()
        {
            self.has_only_old |= source.value.starts_with(OLD_PACKAGE);
        }
        walk::walk_call_expression(self, call);
    }

    fn visit_ts_type_reference(&mut self, reference: &TSTypeReference<'a>) {
        if let TSTypeName::IdentifierReference(name) = &reference.type_name {
            self.types.insert(name.name.to_string());
        }
        walk::walk_ts_type_reference(self, reference);
    }
}

/// Finds the places where oxc does not look for resources.
#[derive(Default)]
pub(super) struct Resources {
    /// Loops of three parts that have resources, and the resources.
    pub(super) loops: Vec<(Span, Span)>,
    /// Blocks of `finally` that have resources.
    pub(super) finalizers: Vec<Span>,
}

impl<'a> Visit<'a> for Resources {
    fn visit_try_statement(&mut self, statement: &TryStatement<'a>) {
        let has_some = |one: &Statement<'_>| match one {
            Statement::VariableDeclaration(one) => matches!(
                one.kind,
                VariableDeclarationKind::Using | VariableDeclarationKind::AwaitUsing
            ),
            _ => false,
        };
        if let Some(block) = &statement.finalizer
            && block.body.iter().any(has_some)
        {
            self.finalizers.push(block.span);
        }
        walk::walk_try_statement(self, statement);
    }

    fn visit_for_statement(&mut self, statement: &ForStatement<'a>) {
        if let Some(ForStatementInit::VariableDeclaration(resources)) = &statement.init
            && matches!(
                resources.kind,
                VariableDeclarationKind::Using | VariableDeclarationKind::AwaitUsing
            )
        {
            self.loops.push((statement.span, resources.span));
        }
        walk::walk_for_statement(self, statement);
    }
}

/// The types of decorators of `experimentalDecorators` and of their arguments.
const OLD_TYPES: &[&str] = &[
    "ClassDecorator",
    "MethodDecorator",
    "ParameterDecorator",
    "PropertyDecorator",
    "PropertyDescriptor",
    "TypedPropertyDescriptor",
];

/// A package that records what only the old decorators emit.
const OLD_PACKAGE: &str = "reflect-metadata";

#[cfg(test)]
mod tests {
    use oxc_allocator::Allocator;
    use oxc_parser::Parser;
    use oxc_span::SourceType;

    use super::*;

    fn is_old(code: &str) -> bool {
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, code, SourceType::ts()).parse();
        assert!(parsed.diagnostics.is_empty(), "{code}");
        features(&parsed.program, false, false).has_old_decorators
    }

    #[test]
    fn the_signature_shows_old_decorators() {
        for code in [
            "function d(t: any, k: string) {} class A { @d x = 1 }",
            "function d(t: any, k: string | symbol) {} class A { @d x = 1 }",
            "function d(t, key, d) {} class A { @d f() {} }",
            "const d = (target: object, propertyKey) => {}; class A { @d f() {} }",
            "function make(n: number) { return function (t: any, k: string, d: any) {} } class A { @make(1) f() {} }",
            "const make = (n: number) => (t: any, k: string) => {}; class A { @make(1) x }",
            "const d: MethodDecorator = () => {}; class A { @d f() {} }",
            "class A { constructor(@Inject() a: any) {} }\n@x class B {}",
            "import 'reflect-metadata'; import { Entity } from 'typeorm'; @Entity() class A {}",
        ] {
            assert!(is_old(code), "{code}");
        }
        for code in [
            "function d(t: any, c: ClassMethodDecoratorContext) {} class A { @d f() {} }",
            "function d(value, context) {} class A { @d f() {} }",
            "function d(t: Function) {} @d class A {}",
            "import { d } from 'x'; @d class A {}",
            "function other(a, b, c) {} function d(v, ctx) {} class A { @d f() {} }",
            "const make = (n: number) => (v: any, ctx) => {}; class A { @make(1) x }",
            "function f(t: any, k: string) {}",
        ] {
            assert!(!is_old(code), "{code}");
        }
    }
}
