//! Translates ECMAScript's decorators, and `accessor`, for a runtime that supports neither.
//!
//! The order of evaluation is TypeScript's: decorators are evaluated with the computed keys, or at the class's
//! beginning after the last of them; they are called for static methods and accessors, those of instances, static
//! fields, fields of instances, and at last for the class. Their results take effect as the fields are initialized.

mod member;
mod order;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    AccessorProperty, AssignmentExpression, AssignmentTarget, Class, ClassElement,
    ExportDefaultDeclaration, ExportDefaultDeclarationKind, Expression, Function, ObjectProperty,
    PropertyDefinition, PropertyKey, ThisExpression, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType, Span};
use oxc_syntax::scope::ScopeFlags;

pub(super) use self::order::instances_first;
use super::edits::{Edits, Mapped, Piece, offset};

/// Translates the decorators of valid JavaScript.
pub(super) fn decorators(mut text: Mapped, kind: SourceType) -> Mapped {
    // Inner classes are translated first, so that no change is within another.
    loop {
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, &text.code, kind).parse();
        let mut finder = Finder::new(&text.code);
        finder.visit_program(&parsed.program);
        if finder.edits.is_empty() {
            return text;
        }
        text = finder.edits.apply(text);
    }
}

/// Translates the innermost classes that need it.
struct Finder<'c> {
    code: &'c str,
    /// The prefix of variable names, which the text uses nowhere.
    prefix: String,
    variables: usize,
    edits: Edits,
    found: usize,
    /// The names that anonymous classes get from their context, by the classes' positions.
    names: HashMap<u32, String>,
    /// The default export, if it is a class.
    default: Option<(Span, Span)>,
}

impl<'c> Finder<'c> {
    fn new(code: &'c str) -> Self {
        let mut prefix = "_d$".to_owned();
        while code.contains(&prefix) {
            prefix.push('$');
        }
        Self {
            code,
            prefix,
            variables: 0,
            edits: Edits::default(),
            found: 0,
            names: HashMap::new(),
            default: None,
        }
    }

    fn variable(&mut self) -> String {
        self.variables += 1;
        format!("{}{}", self.prefix, self.variables)
    }

    fn note(&mut self, value: &Expression<'_>, name: &str) {
        if let Expression::ClassExpression(class) = value {
            self.names.insert(class.span.start, name.to_owned());
        }
    }

    fn note_member(
        &mut self,
        key: &PropertyKey<'_>,
        is_computed: bool,
        value: Option<&Expression<'_>>,
    ) {
        if let Some(value) = value.filter(|_| !is_computed) {
            let name = key.static_name().map(Cow::into_owned);
            let name = name.unwrap_or_else(|| key.span().source_text(self.code).to_owned());
            self.note(value, &name);
        }
    }

    fn translate(&mut self, class: &Class<'_>) {
        let default = self.default.filter(|(_, span)| *span == class.span);
        let mut lowering = Lowering::new(class, self);
        lowering.members(class, self);
        lowering.body(class, self);
        lowering.surround(class, default.map(|(export, _)| export), self);
        let Lowering { edits, .. } = lowering;
        self.edits.extend(edits);
    }
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_class(&mut self, class: &Class<'a>) {
        let before = self.found;
        walk::walk_class(self, class);
        if self.found == before && needs_translation(class) {
            self.found += 1;
            self.translate(class);
        }
    }

    fn visit_variable_declarator(&mut self, variable: &VariableDeclarator<'a>) {
        if let (Some(init), Some(id)) = (&variable.init, variable.id.get_binding_identifier()) {
            self.note(init, &id.name);
        }
        walk::walk_variable_declarator(self, variable);
    }

    fn visit_assignment_expression(&mut self, assignment: &AssignmentExpression<'a>) {
        if let AssignmentTarget::AssignmentTargetIdentifier(target) = &assignment.left {
            self.note(&assignment.right, &target.name);
        }
        walk::walk_assignment_expression(self, assignment);
    }

    fn visit_object_property(&mut self, property: &ObjectProperty<'a>) {
        if let Some(name) = property.key.static_name().filter(|_| !property.computed) {
            self.note(&property.value, &name);
        }
        walk::walk_object_property(self, property);
    }

    fn visit_property_definition(&mut self, property: &PropertyDefinition<'a>) {
        self.note_member(&property.key, property.computed, property.value.as_ref());
        walk::walk_property_definition(self, property);
    }

    fn visit_accessor_property(&mut self, accessor: &AccessorProperty<'a>) {
        self.note_member(&accessor.key, accessor.computed, accessor.value.as_ref());
        walk::walk_accessor_property(self, accessor);
    }

    fn visit_export_default_declaration(&mut self, export: &ExportDefaultDeclaration<'a>) {
        if let ExportDefaultDeclarationKind::ClassDeclaration(class) = &export.declaration {
            self.default = Some((export.span, class.span));
            self.names.insert(class.span.start, "default".to_owned());
        }
        walk::walk_export_default_declaration(self, export);
    }
}

fn needs_translation(class: &Class<'_>) -> bool {
    let needs = |element: &ClassElement<'_>| match element {
        ClassElement::AccessorProperty(_) => true,
        ClassElement::MethodDefinition(method) => !method.decorators.is_empty(),
        ClassElement::PropertyDefinition(property) => !property.decorators.is_empty(),
        _ => false,
    };
    !class.decorators.is_empty() || class.body.body.iter().any(needs)
}

/// The state of the translation of one class.
struct Lowering {
    edits: Edits,
    /// The variables beside the class, with their values.
    variables: Vec<(String, &'static str)>,
    /// Assignments of evaluated decorators that have no place yet, each followed by a comma.
    pending: Vec<Piece>,
    /// Calls of decorators: for static methods, methods, static fields and fields.
    calls: [Vec<Piece>; 4],
    /// The variable that holds the class as it was written.
    original: String,
    /// The variable that holds the class as its decorators return it.
    this: String,
    parent: Option<String>,
    metadata: String,
    static_extras: Option<String>,
    instance_extras: Option<String>,
    is_class_decorated: bool,
}

impl Lowering {
    fn new(class: &Class<'_>, finder: &mut Finder<'_>) -> Self {
        let (original, this) = (finder.variable(), finder.variable());
        Self {
            edits: Edits::default(),
            variables: vec![(original.clone(), ""), (this.clone(), "")],
            pending: Vec::new(),
            calls: Default::default(),
            original,
            this,
            parent: heritage(class).map(|_| finder.variable()),
            metadata: finder.variable(),
            static_extras: None,
            instance_extras: None,
            is_class_decorated: !class.decorators.is_empty(),
        }
    }

    /// Creates a variable with this value.
    fn variable(&mut self, value: &'static str, finder: &mut Finder<'_>) -> String {
        let name = finder.variable();
        self.variables.push((name.clone(), value));
        name
    }

    /// Adds the code at the beginning and the end of the class's body.
    fn body(&mut self, class: &Class<'_>, finder: &mut Finder<'_>) {
        let Self { original, this, .. } = &*self;
        let mut pieces = vec![text(format!(" static {{ {original} = {this} = this; "))];
        let name = match &class.id {
            Some(id) if self.is_class_decorated => Some(id.name.to_string()),
            Some(_) => None,
            None => finder.names.get(&class.span.start).cloned(),
        };
        if let Some(name) = name {
            pieces.push(text(format!(
                "babelHelpers.setName(this, {}); ",
                quoted(&name)
            )));
        }
        // The last piece is the comma after the last list.
        if self.pending.pop().is_some() {
            pieces.append(&mut self.pending);
            pieces.push(text("; "));
        }
        let parent = match &self.parent {
            Some(parent) => format!("{parent}?.[Symbol.metadata] ?? null"),
            None => "null".to_owned(),
        };
        let metadata = &self.metadata;
        pieces.push(text(format!(
            "const {metadata} = Symbol.metadata ? Object.create({parent}) : void 0; "
        )));
        pieces.extend(self.calls.iter_mut().flat_map(std::mem::take));
        let mut last = String::new();
        if self.is_class_decorated {
            let (list, extras) = (finder.variable(), finder.variable());
            let descriptor = finder.variable();
            let name = self.class_name(class);
            let Self { this, metadata, .. } = &*self;
            pieces.push(text(format!(
                "const {descriptor} = {{ value: {this} }}; babelHelpers.esDecorate(null, {descriptor}, {list}, \
                 {{ kind: \"class\", name: {this}.name, metadata: {metadata} }}, null, {extras}); \
                 {name} = {this} = {descriptor}.value; "
            )));
            last = format!("static {{ babelHelpers.runInitializers({this}, {extras}); }} ");
            self.variables.push((extras, "[]"));
            self.variables.push((list, CLASS_DECORATORS));
        }
        let Self { this, metadata, .. } = &*self;
        pieces.push(text(format!(
            "if ({metadata}) Object.defineProperty({this}, Symbol.metadata, {{ enumerable: true, \
             configurable: true, writable: true, value: {metadata} }}); "
        )));
        if let Some(extras) = &self.static_extras {
            pieces.push(text(format!(
                "babelHelpers.runInitializers({this}, {extras}); "
            )));
        }
        pieces.push(text("}"));
        if let Some(extras) = &self.instance_extras {
            let own = format!(" #{extras} = babelHelpers.runInitializers(this, {extras});");
            pieces.push(text(own));
        }
        let span = class.body.span;
        self.edits.rewrite(Span::empty(span.start + 1), pieces);
        self.edits.insert(span.end - 1, last);
    }

    fn class_name(&self, class: &Class<'_>) -> String {
        match &class.id {
            Some(id) => id.name.to_string(),
            None => format!("{}C", self.original),
        }
    }

    /// Declares the variables that the changed class uses.
    fn declare(&mut self, class: &Class<'_>, pieces: &mut Vec<Piece>) {
        for (name, value) in std::mem::take(&mut self.variables) {
            match value {
                "" => pieces.push(text(format!("let {name}; "))),
                CLASS_DECORATORS => {
                    pieces.push(text(format!("let {name} = [")));
                    for decorator in &class.decorators {
                        pieces.push(Piece::Source(decorator.expression.span()));
                        pieces.push(text(", "));
                    }
                    pieces.push(text("]; "));
                }
                value => pieces.push(text(format!("let {name} = {value}; "))),
            }
        }
    }

    /// Surrounds the class with a function, which has its variables.
    fn surround(&mut self, class: &Class<'_>, default: Option<Span>, finder: &Finder<'_>) {
        for decorator in &class.decorators {
            self.edits.replace(decorator.span, "");
        }
        let own = class
            .decorators
            .last()
            .map_or(class.span.start, |last| last.span.end.max(class.span.start));
        let words = &finder.code[own as usize..class.body.span.start as usize];
        let start = own + offset(words.find("class").unwrap_or_default());
        let is_statement = class.is_declaration() && (default.is_none() || class.id.is_some());
        let mut pieces = Vec::new();
        if let (true, Some(id)) = (is_statement, &class.id) {
            pieces.push(text(format!("let {} = ", id.name)));
        }
        pieces.push(text("(() => { "));
        self.declare(class, &mut pieces);
        if let (Some(parent), Some(span)) = (&self.parent, heritage(class)) {
            pieces.push(text(format!("let {parent} = ")));
            pieces.push(Piece::Source(span));
            pieces.push(text("; "));
            self.edits.replace(span, parent.as_str());
        }
        let name = self.class_name(class);
        let mut end = "; })()".to_owned();
        if self.is_class_decorated {
            pieces.push(text(format!("var {name} = ")));
            let mut last = "";
            match &class.id {
                Some(id) => self.edits.replace(id.span, ""),
                // The class must not be named after the variable.
                None => {
                    pieces.push(text("(0, "));
                    last = ")";
                }
            }
            end = format!("{last}; return {name} = {}; }})()", self.this);
            self.rename_this(class);
        } else {
            pieces.push(text("return "));
        }
        if is_statement {
            end.push(';');
        }
        if let (Some(export), true) = (default, is_statement) {
            let exporting = Span::new(export.start, start.min(class.span.start.max(export.start)));
            let words = exporting.source_text(finder.code);
            if let Some(at) = words.find("export") {
                let from = exporting.start + offset(at);
                self.edits.replace(Span::new(from, exporting.end), "");
            }
            let _ = write!(end, " export {{ {name} as default }};");
        }
        self.edits.rewrite(Span::empty(start), pieces);
        self.edits.insert(class.span.end, end);
    }

    /// Renames `this` in static initializers, where it is the decorated class.
    fn rename_this(&mut self, class: &Class<'_>) {
        let mut statics = Statics::default();
        for element in &class.body.body {
            match element {
                ClassElement::StaticBlock(block) => statics.visit_static_block(block),
                ClassElement::PropertyDefinition(property) if property.r#static => {
                    if let Some(value) = &property.value {
                        statics.visit_expression(value);
                    }
                }
                _ => {}
            }
        }
        for span in statics.this {
            self.edits.replace(span, self.this.as_str());
        }
    }
}

/// Finds each `this` that refers to the class.
#[derive(Default)]
struct Statics {
    this: Vec<Span>,
}

impl<'a> Visit<'a> for Statics {
    fn visit_this_expression(&mut self, this: &ThisExpression) {
        self.this.push(this.span);
    }

    // Functions and inner classes have a `this` of their own; arrow functions do not.
    fn visit_function(&mut self, _: &Function<'a>, _: ScopeFlags) {}

    fn visit_class(&mut self, _: &Class<'a>) {}
}

fn heritage(class: &Class<'_>) -> Option<Span> {
    let heritage = class.heritage.as_ref()?;
    Some(heritage.expression.span())
}

fn text(text: impl Into<String>) -> Piece {
    Piece::Text(text.into())
}

fn quoted(name: &str) -> String {
    format!("{name:?}")
}

/// The initial value of the variable that holds the class's decorators.
const CLASS_DECORATORS: &str = "decorators";
