//! The exports of a module.

use std::fmt::Write;

use oxc_ast::ast::{
    Declaration, ExportAllDeclaration, ExportDefaultDeclaration, ExportDefaultDeclarationKind,
    ExportFromDeclaration, ExportNamedDeclaration, IdentifierReference, ModuleExportName,
    Statement,
};
use oxc_semantic::SymbolId;
use oxc_span::{GetSpan, Span};

use super::super::edits::offset;
use super::{Translation, member, quoted};

impl Translation<'_> {
    /// Records which of the module's own names a statement exports.
    pub(super) fn note_exports(&mut self, statement: &Statement<'_>) {
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

    /// Exports the names of a top-level declaration, after it.
    pub(super) fn declared(&mut self, declaration: &Declaration<'_>, end: u32) {
        let is_function = matches!(declaration, Declaration::FunctionDeclaration(_));
        let mut text = String::new();
        for (symbol, local) in names(declaration) {
            // Exports are live: an importer sees later assignments, so it must read the variable
            // itself.
            let is_mutated = self.scoping.symbol_is_mutated(symbol);
            for name in self.exported.remove(&symbol).unwrap_or_default() {
                let made = if is_mutated {
                    getter(&name, &local)
                } else {
                    format!("{} = {local};", member("exports", &name))
                };
                if is_function {
                    // Functions are hoisted: they can be imported before the first statement runs,
                    // as in a circle of imports.
                    self.head += &made
                } else {
                    self.empty.push(name);
                    text.push(' ');
                    text += &made;
                }
            }
        }
        if !text.is_empty() {
            self.edits.insert(end, text);
        }
    }

    /// Translates `export { a as b }` of imported names, and of names that are nowhere declared.
    pub(super) fn named(&mut self, export: &ExportNamedDeclaration<'_>) {
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

    pub(super) fn is_namespace(&self, local: &IdentifierReference<'_>) -> bool {
        self.symbol(local)
            .is_some_and(|symbol| self.scoping.symbol_flags(symbol).is_import())
    }

    pub(super) fn from(&mut self, export: &ExportFromDeclaration<'_>) {
        self.request(&export.source.value);
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

    pub(super) fn all(&mut self, export: &ExportAllDeclaration<'_>) {
        self.request(&export.source.value);
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

    pub(super) fn default(&mut self, export: &ExportDefaultDeclaration<'_>) {
        let declaration = &export.declaration;
        let prefix = before(export.span, declaration.span());
        let name = match declaration {
            ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                let name = match &function.id {
                    Some(id) => id.name.to_string(),
                    None => {
                        let name = self.name_like("default");
                        // The name follows the keyword, and the star of a generator.
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
}

/// Returns the words before an exported declaration.
pub(super) fn before(export: Span, declaration: Span) -> Span {
    Span::new(export.start, declaration.start)
}

/// Returns the names that a declaration declares.
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
