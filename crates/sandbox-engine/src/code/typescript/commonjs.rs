//! ECMAScript modules to CommonJS, as TypeScript does it with `module: commonjs` and `esModuleInterop`.
//!
//! Imports become calls of `require` in their places, and what they name becomes members of what that returns, so that
//! changes are seen. Exports become properties of `exports`: of what never changes its value, and of functions at the
//! beginning; of what is assigned to later, a getter.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    CallExpression, Declaration, ExportAllDeclaration, ExportDefaultDeclaration,
    ExportDefaultDeclarationKind, ExportFromDeclaration, ExportNamedDeclaration, Expression,
    IdentifierReference, ImportDeclaration, ImportDeclarationSpecifier, ImportExpression,
    ModuleExportName, ObjectProperty, Program, Statement, StringLiteral, TaggedTemplateExpression,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_semantic::{Scoping, SemanticBuilder, SymbolId};
use oxc_span::{GetSpan, SourceType, Span};

use super::edits::{Edits, Mapped, offset};

/// Translates JavaScript that can be read.
pub(super) fn commonjs(text: Mapped, is_module: bool) -> Mapped {
    let allocator = Allocator::default();
    let kind = match is_module {
        true => SourceType::mjs(),
        false => SourceType::cjs(),
    };
    let parsed = Parser::new(&allocator, &text.code, kind).parse();
    let program = parsed.program;
    let scoping = SemanticBuilder::new()
        .build(&program)
        .semantic
        .into_scoping();
    let mut translation = Translation::new(&text.code, &scoping);
    if is_module {
        translation.statements(&program);
    }
    translation.visit_program(&program);
    if is_module {
        translation.begin(&program);
    }
    translation.edits.apply(text)
}

struct Translation<'c> {
    code: &'c str,
    scoping: &'c Scoping,
    edits: Edits,
    /// What stands for each imported name.
    imported: HashMap<SymbolId, String>,
    /// The names under which each of the module's own is exported.
    exported: HashMap<SymbolId, Vec<String>>,
    /// All names that the text uses.
    taken: HashSet<String>,
    /// Exported names that have no value at the beginning.
    empty: Vec<String>,
    /// What comes at the beginning.
    head: String,
    /// `export =` has been translated: `exports` is not what is exported.
    is_replaced: bool,
}

impl<'c> Translation<'c> {
    fn new(code: &'c str, scoping: &'c Scoping) -> Self {
        let unresolved = scoping.root_unresolved_references().keys();
        let taken = unresolved
            .map(|name| name.as_str())
            .chain(scoping.symbol_names());
        Self {
            code,
            scoping,
            edits: Edits::default(),
            imported: HashMap::new(),
            exported: HashMap::new(),
            taken: taken.map(str::to_owned).collect(),
            empty: Vec::new(),
            head: String::new(),
            is_replaced: false,
        }
    }

    /// Translates the statements of a module that are of modules only.
    fn statements(&mut self, program: &Program<'_>) {
        // What is imported has to be known before what exports it.
        for statement in &program.body {
            if let Statement::ImportDeclaration(import) = statement {
                self.import(import);
            }
        }
        for statement in &program.body {
            self.note_exports(statement);
        }
        for statement in &program.body {
            match statement {
                Statement::ExportDeclaration(export) => {
                    self.edits
                        .replace(before(export.span, export.declaration.span()), "");
                    self.declared(&export.declaration, export.span.end);
                }
                Statement::ExportNamedDeclaration(export) => self.named(export),
                Statement::ExportFromDeclaration(export) => self.from(export),
                Statement::ExportAllDeclaration(export) => self.all(export),
                Statement::ExportDefaultDeclaration(export) => self.default(export),
                Statement::ExpressionStatement(statement) => {
                    let text = statement.span.source_text(self.code);
                    self.is_replaced |= text.starts_with("module.exports = ");
                }
                statement => {
                    if let Some(declaration) = statement.as_declaration() {
                        self.declared(declaration, statement.span().end);
                    }
                }
            }
        }
    }

    fn import(&mut self, import: &ImportDeclaration<'_>) {
        let source = import.source.span.source_text(self.code);
        let Some(specifiers) = &import.specifiers else {
            self.edits
                .replace(import.span, format!("require({source});"));
            return;
        };
        let mut module = String::new();
        let mut whole = None;
        let (mut has_default, mut has_named) = (false, false);
        for specifier in specifiers {
            match specifier {
                ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => has_default = true,
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(name) => {
                    whole = Some(name.local.name.as_str());
                }
                ImportDeclarationSpecifier::ImportSpecifier(name) => {
                    let is_default = name.imported.name() == "default";
                    has_default |= is_default;
                    has_named |= !is_default;
                }
            }
        }
        let call = match (has_default, has_named || whole.is_some()) {
            (true, false) => format!("babelHelpers.importDefault(require({source}))"),
            (false, true) if whole.is_none() => format!("require({source})"),
            (false, false) => format!("require({source})"),
            _ => format!("babelHelpers.importStar(require({source}))"),
        };
        if specifiers.is_empty() {
            self.edits.replace(import.span, format!("{call};"));
            return;
        }
        if has_default || has_named || whole.is_none() {
            module = self.name_for(&import.source);
        }
        for specifier in specifiers {
            let (local, name) = match specifier {
                ImportDeclarationSpecifier::ImportDefaultSpecifier(name) => {
                    (&name.local, "default".to_owned())
                }
                ImportDeclarationSpecifier::ImportSpecifier(name) => {
                    (&name.local, name.imported.name().to_string())
                }
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => continue,
            };
            self.imported
                .insert(local.symbol_id(), member(&module, &name));
        }
        let text = match whole {
            None => format!("const {module} = {call};"),
            Some(whole) if module.is_empty() => format!("const {whole} = {call};"),
            Some(whole) => format!("const {module} = {call}, {whole} = {module};"),
        };
        self.edits.replace(import.span, text);
    }

    /// Notes what of the module's own names a statement exports.
    fn note_exports(&mut self, statement: &Statement<'_>) {
        match statement {
            Statement::ExportDeclaration(export) => {
                for (symbol, name) in names(&export.declaration) {
                    self.exported.entry(symbol).or_default().push(name);
                }
            }
            Statement::ExportNamedDeclaration(export) => {
                for specifier in &export.specifiers {
                    let ModuleExportName::IdentifierReference(local) = &specifier.local else {
                        continue;
                    };
                    if let Some(symbol) = self.symbol(local) {
                        let name = specifier.exported.name().to_string();
                        self.exported.entry(symbol).or_default().push(name);
                    }
                }
            }
            _ => {}
        }
    }

    /// Exports what a declaration at the top declares, after it.
    fn declared(&mut self, declaration: &Declaration<'_>, end: u32) {
        let is_function = matches!(declaration, Declaration::FunctionDeclaration(_));
        let mut text = String::new();
        for (symbol, local) in names(declaration) {
            let is_mutated = self.scoping.symbol_is_mutated(symbol);
            for name in self.exported.remove(&symbol).unwrap_or_default() {
                let made = match is_mutated {
                    true => getter(&name, &local),
                    false => format!("{} = {local};", member("exports", &name)),
                };
                match is_function {
                    true => self.head += &made,
                    false => {
                        self.empty.push(name);
                        text.push(' ');
                        text += &made;
                    }
                }
            }
        }
        if !text.is_empty() {
            self.edits.insert(end, text);
        }
    }

    /// `export { a as b }` of what is imported, and of what is nowhere declared.
    fn named(&mut self, export: &ExportNamedDeclaration<'_>) {
        let mut text = String::new();
        for specifier in &export.specifiers {
            let ModuleExportName::IdentifierReference(local) = &specifier.local else {
                continue;
            };
            let name = specifier.exported.name();
            let value = self
                .symbol(local)
                .and_then(|symbol| self.imported.get(&symbol));
            match value {
                Some(value) => text += &getter(&name, value),
                // A namespace is a constant of the module's own.
                None if self.is_namespace(local) => {
                    self.empty.push(name.to_string());
                    let _ = write!(text, "{} = {};", member("exports", &name), local.name);
                }
                None => {}
            }
        }
        self.edits.replace(export.span, text);
    }

    fn is_namespace(&self, local: &IdentifierReference<'_>) -> bool {
        self.symbol(local)
            .is_some_and(|symbol| self.scoping.symbol_flags(symbol).is_import())
    }

    fn from(&mut self, export: &ExportFromDeclaration<'_>) {
        let source = export.source.span.source_text(self.code);
        let module = self.name_for(&export.source);
        let mut text = format!("var {module} = require({source});");
        for specifier in &export.specifiers {
            let value = match specifier.local.name().as_str() {
                "default" => format!("babelHelpers.importDefault({module}).default"),
                name => member(&module, name),
            };
            let name = specifier.exported.name();
            self.empty.push(name.to_string());
            text += &getter(&name, &value);
        }
        self.edits.replace(export.span, text);
    }

    fn all(&mut self, export: &ExportAllDeclaration<'_>) {
        let source = export.source.span.source_text(self.code);
        let text = match &export.exported {
            None => format!("babelHelpers.exportStar(require({source}), exports);"),
            Some(exported) => {
                let name = exported.name();
                self.empty.push(name.to_string());
                let name = member("exports", &name);
                format!("{name} = babelHelpers.importStar(require({source}));")
            }
        };
        self.edits.replace(export.span, text);
    }

    fn default(&mut self, export: &ExportDefaultDeclaration<'_>) {
        let declaration = &export.declaration;
        let prefix = before(export.span, declaration.span());
        let name = match declaration {
            ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                let name = match &function.id {
                    Some(id) => id.name.to_string(),
                    None => {
                        let name = self.name_like("default");
                        // After the word, and the star of a generator.
                        self.edits
                            .insert(function.params.span.start, format!(" {name}"));
                        name
                    }
                };
                let _ = write!(self.head, "exports.default = {name};");
                self.edits.replace(prefix, "");
                return;
            }
            ExportDefaultDeclarationKind::ClassDeclaration(class) => match &class.id {
                Some(id) => id.name.to_string(),
                None => {
                    let name = self.name_like("default");
                    let word = class.span.start + offset("class".len());
                    self.edits.insert(word, format!(" {name}"));
                    name
                }
            },
            _ => {
                self.empty.push("default".to_owned());
                self.edits.replace(prefix, "exports.default = ");
                return;
            }
        };
        self.edits.replace(prefix, "");
        self.edits
            .insert(export.span.end, format!(" exports.default = {name};"));
    }

    /// What comes first in a module.
    fn begin(&mut self, program: &Program<'_>) {
        let mut text = String::new();
        if !program
            .directives
            .iter()
            .any(|one| one.directive == "use strict")
        {
            text += "\"use strict\";";
        }
        if !self.is_replaced {
            text += "Object.defineProperty(exports, \"__esModule\", { value: true });";
        }
        // The last is the first that is assigned.
        let empty = self.empty.iter().rev();
        let empty: Vec<_> = empty.map(|name| member("exports", name)).collect();
        if !empty.is_empty() {
            let _ = write!(text, "{} = void 0;", empty.join(" = "));
        }
        text += &self.head;
        let at = program.directives.last().map_or(0, |last| last.span.end);
        let at = match &program.hashbang {
            Some(hashbang) => at.max(hashbang.span.end),
            None => at,
        };
        self.edits.insert(at, text);
    }

    fn symbol(&self, reference: &IdentifierReference<'_>) -> Option<SymbolId> {
        let id = reference.reference_id.get()?;
        self.scoping.get_reference(id).symbol_id()
    }

    /// What stands for a reference to something imported.
    fn value(&self, reference: &IdentifierReference<'_>) -> Option<&String> {
        self.imported.get(&self.symbol(reference)?)
    }

    fn name_for(&mut self, source: &StringLiteral<'_>) -> String {
        let path = source.value.trim_end_matches(['/', '.']);
        let last = path.rsplit(['/', ':']).next().unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = last.chars().map(plain).collect();
        match name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            true => self.name_like(&name),
            false => self.name_like(&format!("_{name}")),
        }
    }

    fn name_like(&mut self, name: &str) -> String {
        for number in 1.. {
            let name = format!("{name}_{number}");
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
        unreachable!("there is no end to the names")
    }
}

impl<'a> Visit<'a> for Translation<'_> {
    fn visit_identifier_reference(&mut self, reference: &IdentifierReference<'a>) {
        if let Some(value) = self.value(reference).cloned() {
            self.edits.replace(reference.span, value);
        }
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let Expression::Identifier(callee) = &call.callee
            && let Some(value) = self.value(callee)
        {
            let text = format!("(0, {value})");
            self.edits.replace(callee.span, text);
            self.visit_arguments(&call.arguments);
            return;
        }
        walk::walk_call_expression(self, call);
    }

    fn visit_tagged_template_expression(&mut self, template: &TaggedTemplateExpression<'a>) {
        if let Expression::Identifier(tag) = &template.tag
            && let Some(value) = self.value(tag)
        {
            let text = format!("(0, {value})");
            self.edits.replace(tag.span, text);
            self.visit_template_literal(&template.quasi);
            return;
        }
        walk::walk_tagged_template_expression(self, template);
    }

    fn visit_object_property(&mut self, property: &ObjectProperty<'a>) {
        if property.shorthand
            && let Expression::Identifier(reference) = &property.value
            && let Some(value) = self.value(reference)
        {
            let text = format!("{}: {value}", reference.name);
            self.edits.replace(property.span, text);
            return;
        }
        walk::walk_object_property(self, property);
    }

    fn visit_export_named_declaration(&mut self, _: &ExportNamedDeclaration<'a>) {}

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        let source = import.source.span();
        let start = Span::new(import.span.start, source.start);
        let end = Span::new(source.end, import.span.end);
        if matches!(import.source, Expression::StringLiteral(_)) {
            let text = "Promise.resolve().then(() => babelHelpers.importStar(require(";
            self.edits.replace(start, text);
            self.edits.replace(end, ")))");
        } else {
            self.edits.replace(start, "Promise.resolve(`${");
            let text = "}`).then((s) => babelHelpers.importStar(require(s)))";
            self.edits.replace(end, text);
        }
        self.visit_expression(&import.source);
    }
}

/// The words before what is exported.
fn before(export: Span, declaration: Span) -> Span {
    Span::new(export.start, declaration.start)
}

/// Names that a declaration declares.
fn names(declaration: &Declaration<'_>) -> Vec<(SymbolId, String)> {
    let own = |id: &oxc_ast::ast::BindingIdentifier<'_>| (id.symbol_id(), id.name.to_string());
    match declaration {
        Declaration::VariableDeclaration(variables) => {
            let patterns = variables.declarations.iter().map(|variable| &variable.id);
            let names = patterns.flat_map(|pattern| pattern.get_binding_identifiers());
            names.into_iter().map(own).collect()
        }
        Declaration::FunctionDeclaration(function) => function.id.iter().map(own).collect(),
        Declaration::ClassDeclaration(class) => class.id.iter().map(own).collect(),
        _ => Vec::new(),
    }
}

fn getter(name: &str, value: &str) -> String {
    let name = quoted(name);
    format!(
        "Object.defineProperty(exports, {name}, {{ enumerable: true, get: function () {{ return {value}; }} }});"
    )
}

/// A member of an object by a name that need not be an identifier.
fn member(object: &str, name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    match name.chars().all(is_plain) && !name.starts_with(|first: char| first.is_ascii_digit()) {
        true => format!("{object}.{name}"),
        false => format!("{object}[{}]", quoted(name)),
    }
}

fn quoted(name: &str) -> String {
    format!("{name:?}")
}
