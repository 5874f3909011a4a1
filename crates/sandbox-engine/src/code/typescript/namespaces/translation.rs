//! The edits that make functions of namespaces.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    ArrowFunctionExpression, AssignmentTargetPropertyIdentifier, BindingPattern, Declaration,
    ExportDefaultDeclarationKind, Expression, Function, IdentifierReference, ObjectProperty,
    Statement, TSClassImplements, TSEnumMember, TSImportEqualsDeclaration, TSInterfaceDeclaration,
    TSNamespaceDeclaration, TSNamespaceDeclarationBody, TSType, TSTypeAliasDeclaration,
    TSTypeAnnotation, TSTypeParameterDeclaration, TSTypeParameterInstantiation,
    VariableDeclaration,
};
use oxc_ast_visit::{Visit, walk};
use oxc_semantic::SemanticBuilder;
use oxc_span::{GetSpan, Span};
use oxc_syntax::scope::{ScopeFlags, ScopeId};

use super::super::edits::{Edits, Mapped, offset};
use super::super::parse::parsed;
use super::declared::{Declared, first_name};
use super::names::{Block, Names};

/// Translates the namespaces of a text. Text that cannot be parsed is returned unchanged.
pub(in super::super) fn functions(text: Mapped) -> Mapped {
    if !["namespace", "module"]
        .iter()
        .any(|word| text.code.contains(word))
    {
        return text;
    }
    let allocator = Allocator::default();
    let parsed = parsed(&allocator, &text.code);
    let semantic = SemanticBuilder::new().build(&parsed.program);
    if !parsed.diagnostics.is_empty() || !semantic.diagnostics.is_empty() {
        return text;
    }
    let scoping = semantic.semantic.into_scoping();
    let names = Names::of(&parsed.program, &scoping);
    let mut translation = Translation {
        code: &text.code,
        names: &names,
        edits: Edits::default(),
        is_in_enum: false,
        parameters: HashMap::new(),
    };
    translation.statements(&parsed.program.body, None);
    translation.edits.apply_to_source(text)
}

struct Translation<'c> {
    code: &'c str,
    names: &'c Names<'c>,
    edits: Edits,
    is_in_enum: bool,
    /// The places of functions' parameters, by their scopes.
    parameters: HashMap<ScopeId, Span>,
}

impl<'c> Translation<'c> {
    /// Translates the statements of the text (`None`), or of a block.
    fn statements(&mut self, list: &[Statement<'_>], block: Option<&'c Block>) {
        // The names that have a value because of earlier statements.
        let mut known = HashSet::new();
        let enums = enums(list);
        for statement in list {
            let Some(declared) = Declared::of(statement) else {
                known.extend(default_name(statement));
                if block.is_some() {
                    self.visit_statement(statement);
                }
                continue;
            };
            match declared.declaration {
                Declaration::TSNamespaceDeclaration(namespace) => {
                    if !self.emits(namespace) {
                        self.discard(namespace, declared.statement, block);
                        continue;
                    }
                    let name = namespace.id.name.as_str();
                    let variable = if !known.insert(name.to_owned()) {
                        // The name has a value already, of an earlier block, a function or a class:
                        // another declaration would replace it.
                        ";".to_owned()
                    } else if enums.contains(name) {
                        enumeration(name, block, declared.is_exported)
                    } else {
                        variable(name, block, declared.is_exported)
                    };
                    self.namespace(namespace, declared.statement, variable);
                }
                Declaration::TSImportEqualsDeclaration(import) => {
                    self.alias(import, declared, block);
                }
                declaration => {
                    if !declaration.declare() && !declaration.is_type() {
                        known.extend(declaration.id().map(|id| id.name.to_string()));
                    }
                    if let Some(block) = block {
                        self.member(declared, block);
                    }
                }
            }
        }
    }

    fn emits(&self, namespace: &TSNamespaceDeclaration<'_>) -> bool {
        !namespace.declare && self.names.is_instantiated(namespace.scope_id())
    }

    /// Removes a namespace that emits nothing. A top-level one stays unless something with its name is emitted: it may
    /// be exported.
    fn discard(
        &mut self,
        namespace: &TSNamespaceDeclaration<'_>,
        statement: Span,
        block: Option<&Block>,
    ) {
        if block.is_some() || self.names.has_function(namespace.id.symbol_id()) {
            self.replace(statement, ";");
        }
    }

    /// Translates a namespace; `variable` makes its variable if it needs one. `A.B` is B in A, exported.
    fn namespace(
        &mut self,
        namespace: &TSNamespaceDeclaration<'_>,
        statement: Span,
        variable_text: String,
    ) {
        let (mut begin, mut ends) = (variable_text, Vec::new());
        let mut namespace = namespace;
        let (block, body) = loop {
            let block = self.names.block(namespace.scope_id());
            let _ = write!(begin, "(function ({}) {{", block.object);
            ends.push(format!("}})({});", namespace.id.name));
            match &namespace.body {
                TSNamespaceDeclarationBody::TSModuleBlock(body) => break (block, body),
                TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => {
                    begin += &variable(&inner.id.name, Some(block), true);
                    namespace = inner;
                }
            }
        };
        self.replace(Span::new(statement.start, body.span.start + 1), &begin);
        self.statements(&body.body, Some(block));
        let end: String = ends.into_iter().rev().collect();
        self.edits
            .replace(Span::new(body.span.end - 1, body.span.end), end);
    }

    /// Translates a declaration in a block.
    fn member(&mut self, declared: Declared<'_, '_>, block: &Block) {
        let Declared {
            declaration,
            statement,
            is_exported,
        } = declared;
        let is_ambient = matches!(
            declaration,
            Declaration::TSExternalModuleDeclaration(_) | Declaration::TSGlobalDeclaration(_)
        );
        if is_ambient || declaration.declare() {
            self.replace(statement, ";");
            return;
        }
        if !is_exported {
            self.visit_declaration(declaration);
            return;
        }
        if let Declaration::VariableDeclaration(variables) = declaration {
            self.variables(variables, statement, block);
            return;
        }
        let word = self.word_of_export(declaration, statement);
        self.edits.replace(word, "");
        self.visit_declaration(declaration);
        let Some(id) = declaration.id() else { return };
        let (name, object) = (&id.name, &block.object);
        let text = match declaration {
            // The signature of an overloaded function has no body.
            Declaration::FunctionDeclaration(function) if function.body.is_none() => return,
            Declaration::FunctionDeclaration(_) | Declaration::ClassDeclaration(_) => {
                format!(" {object}.{name} = {name};")
            }
            Declaration::TSEnumDeclaration(_) if self.names.has_enums(block, name) => {
                format!(
                    " {name} = {object}.{name} = Object.assign({object}.{name} || {{}}, {name});"
                )
            }
            Declaration::TSEnumDeclaration(_) => format!(" {object}.{name} = {name};"),
            _ => return,
        };
        self.edits.insert(statement.end, text);
    }

    /// Returns the place of the word `export`. The decorators of a class may precede it.
    fn word_of_export(&self, declaration: &Declaration<'_>, statement: Span) -> Span {
        let decorators = match declaration {
            Declaration::ClassDeclaration(class) => class.decorators.as_slice(),
            _ => &[],
        };
        let is_word = |at: u32| self.code[at as usize..].starts_with(EXPORT);
        let mut at = statement.start;
        if !is_word(at) {
            let after = decorators.last().map_or(at, |last| last.span.end);
            let rest = &self.code[after as usize..];
            at = after + offset(rest.find(EXPORT).unwrap_or_default());
        }
        Span::sized(at, offset(EXPORT.len()))
    }

    /// Translates exported variables to assignments. Those without a value need none.
    fn variables(&mut self, list: &VariableDeclaration<'_>, statement: Span, block: &Block) {
        let mut at = statement.start;
        for variable in &list.declarations {
            let Some(value) = &variable.init else {
                continue;
            };
            let is_first = at == statement.start;
            let is_pattern = !variable.id.is_binding_identifier();
            let text = match (is_first, is_pattern) {
                (true, false) => "",
                (true, true) => ";(",
                (false, false) => ", ",
                (false, true) => ", (",
            };
            let id = variable.id.span();
            self.replace(Span::new(at, id.start), text);
            self.target(&variable.id, block);
            self.replace(Span::new(id.end, value.span().start), " = ");
            self.visit_expression(value);
            at = value.span().end;
            if is_pattern {
                self.edits.insert(at, ")");
            }
        }
        self.replace(Span::new(at, statement.end), ";");
    }

    /// Translates a declared pattern to the target of an assignment.
    fn target(&mut self, pattern: &BindingPattern<'_>, block: &Block) {
        match pattern {
            BindingPattern::BindingIdentifier(id) => {
                let text = format!("{}.{}", block.object, id.name);
                self.edits.replace(id.span, text);
            }
            BindingPattern::ObjectPattern(object) => {
                for property in &object.properties {
                    if property.shorthand {
                        let name = property.key.span().source_text(self.code);
                        self.edits.insert(property.span.start, format!("{name}: "));
                    } else if property.computed {
                        self.visit_property_key(&property.key);
                    }
                    self.target(&property.value, block);
                }
                if let Some(rest) = &object.rest {
                    self.target(&rest.argument, block);
                }
            }
            BindingPattern::ArrayPattern(array) => {
                for element in array.elements.iter().flatten() {
                    self.target(element, block);
                }
                if let Some(rest) = &array.rest {
                    self.target(&rest.argument, block);
                }
            }
            BindingPattern::AssignmentPattern(assignment) => {
                self.target(&assignment.left, block);
                self.visit_expression(&assignment.right);
            }
        }
    }

    /// Translates `import a = b.c`. Outside of namespaces, only an exported alias of a type is not left to the removal
    /// of types.
    fn alias(
        &mut self,
        import: &TSImportEqualsDeclaration<'_>,
        declared: Declared<'_, '_>,
        block: Option<&Block>,
    ) {
        let Some(first) = first_name(&import.module_reference) else {
            return;
        };
        let symbol = import.id.symbol_id();
        let is_value = import.import_kind.is_value() && self.names.is_value(symbol);
        let Some(block) = block else {
            if declared.is_exported && !is_value {
                self.replace(declared.statement, ";");
            }
            return;
        };
        let name = &import.id.name;
        let rest = Span::new(first.span.end, import.module_reference.span().end);
        let path = match self.value(first) {
            Some(value) => value + rest.source_text(self.code),
            None => import
                .module_reference
                .span()
                .source_text(self.code)
                .to_owned(),
        };
        let text = match (is_value, declared.is_exported) {
            (true, true) => format!("{}.{name} = {path};", block.object),
            (true, false) if self.names.is_used(symbol) => format!("var {name} = {path};"),
            _ => ";".to_owned(),
        };
        self.replace(declared.statement, &text);
    }

    fn holder(&self, reference: &IdentifierReference<'_>) -> Option<&'c Block> {
        self.names.holder(reference, &self.parameters)
    }

    /// Returns the expression for a reference to something that a namespace exports.
    fn value(&self, reference: &IdentifierReference<'_>) -> Option<String> {
        let block = self.holder(reference)?;
        let literal = self.names.literal(block, &reference.name);
        let is_known = |literal: &Span| self.is_in_enum && literal.end <= reference.span.start;
        match literal.filter(is_known) {
            Some(literal) => Some(literal.source_text(self.code).to_owned()),
            None => Some(format!("{}.{}", block.object, reference.name)),
        }
    }

    /// Replaces a part of the text; its line breaks are retained.
    fn replace(&mut self, span: Span, text: &str) {
        let is_end = |c: &char| ['\n', '\r', '\u{2028}', '\u{2029}'].contains(c);
        let ends = span.source_text(self.code).chars().filter(is_end);
        let text: String = text.chars().chain(ends).collect();
        self.edits.replace(span, text);
    }
}

impl<'a> Visit<'a> for Translation<'_> {
    fn visit_identifier_reference(&mut self, reference: &IdentifierReference<'a>) {
        if let Some(value) = self.value(reference) {
            self.edits.replace(reference.span, value);
        }
    }

    fn visit_function(&mut self, function: &Function<'a>, flags: ScopeFlags) {
        self.parameters
            .insert(function.scope_id(), function.params.span);
        walk::walk_function(self, function, flags);
    }

    fn visit_arrow_function_expression(&mut self, function: &ArrowFunctionExpression<'a>) {
        self.parameters
            .insert(function.scope_id(), function.params.span);
        walk::walk_arrow_function_expression(self, function);
    }

    fn visit_object_property(&mut self, property: &ObjectProperty<'a>) {
        if property.shorthand
            && let Expression::Identifier(reference) = &property.value
            && self.holder(reference).is_some()
        {
            self.edits
                .insert(property.span.start, format!("{}: ", reference.name));
            self.visit_identifier_reference(reference);
            return;
        }
        walk::walk_object_property(self, property);
    }

    fn visit_assignment_target_property_identifier(
        &mut self,
        property: &AssignmentTargetPropertyIdentifier<'a>,
    ) {
        let reference = &property.binding;
        if self.holder(reference).is_some() {
            self.edits
                .insert(reference.span.start, format!("{}: ", reference.name));
        }
        walk::walk_assignment_target_property_identifier(self, property);
    }

    fn visit_ts_enum_member(&mut self, member: &TSEnumMember<'a>) {
        let was_in_enum = std::mem::replace(&mut self.is_in_enum, true);
        walk::walk_ts_enum_member(self, member);
        self.is_in_enum = was_in_enum;
    }

    // Types have no values.
    fn visit_ts_type(&mut self, _: &TSType<'a>) {}
    fn visit_ts_type_annotation(&mut self, _: &TSTypeAnnotation<'a>) {}
    fn visit_ts_type_parameter_declaration(&mut self, _: &TSTypeParameterDeclaration<'a>) {}
    fn visit_ts_type_parameter_instantiation(&mut self, _: &TSTypeParameterInstantiation<'a>) {}
    fn visit_ts_type_alias_declaration(&mut self, _: &TSTypeAliasDeclaration<'a>) {}
    fn visit_ts_interface_declaration(&mut self, _: &TSInterfaceDeclaration<'a>) {}
    fn visit_ts_class_implements(&mut self, _: &TSClassImplements<'a>) {}
}

/// Returns the declaration of a namespace's variable. If the variable already has a value, that stays.
fn variable(name: &str, block: Option<&Block>, is_exported: bool) -> String {
    match (block, is_exported) {
        (None, true) => format!("export var {name} = {name} || {{}};"),
        (None, false) => format!("var {name} = {name} || {{}};"),
        (Some(Block { object, .. }), true) => {
            format!("let {name} = {object}.{name} || ({object}.{name} = {{}});")
        }
        (Some(_), false) => format!("let {name} = {{}};"),
    }
}

/// Returns the declaration that a namespace needs instead if an enum of its name follows.
fn enumeration(name: &str, block: Option<&Block>, is_exported: bool) -> String {
    match (block, is_exported) {
        (None, true) => format!("export enum {name} {{}}"),
        (Some(Block { object, .. }), true) => {
            format!("enum {name} {{}} {object}.{name} = {name};")
        }
        (_, false) => format!("enum {name} {{}}"),
    }
}

fn enums<'d>(list: &'d [Statement<'_>]) -> HashSet<&'d str> {
    let declared = list.iter().filter_map(Declared::of);
    let enums = declared.filter_map(|one| match one.declaration {
        Declaration::TSEnumDeclaration(one) if !one.declare => Some(one.id.name.as_str()),
        _ => None,
    });
    enums.collect()
}

/// Returns the name of the function or class that is exported as the default.
fn default_name(statement: &Statement<'_>) -> Option<String> {
    let Statement::ExportDefaultDeclaration(export) = statement else {
        return None;
    };
    let id = match &export.declaration {
        ExportDefaultDeclarationKind::FunctionDeclaration(function) => function.id.as_ref(),
        ExportDefaultDeclarationKind::ClassDeclaration(class) => class.id.as_ref(),
        _ => None,
    };
    id.map(|id| id.name.to_string())
}

const EXPORT: &str = "export";
