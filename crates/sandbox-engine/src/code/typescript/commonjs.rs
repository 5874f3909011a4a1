//! ECMAScript modules to CommonJS, as TypeScript does it with `module: commonjs` and `esModuleInterop`.
//!
//! Imports become calls of `require` in their places, and imported names become members of the returned object, so that
//! changes are seen. Exports become properties of `exports`: constants in their places and functions at the beginning;
//! a variable that is assigned to later gets a getter.

mod exports;

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    Argument, CallExpression, ExportNamedDeclaration, Expression, IdentifierReference,
    ImportDeclaration, ImportDeclarationSpecifier, ImportExpression, ObjectProperty, Program,
    Statement, StringLiteral, TaggedTemplateExpression,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_semantic::{Scoping, SemanticBuilder, SymbolId};
use oxc_span::{GetSpan, SourceType, Span};

use self::exports::before;
use super::edits::{Edits, Mapped};

/// Returns the name of the function by which a text requires local files.
pub(in super::super) fn require(is_module: bool) -> &'static str {
    if is_module { REQUIRE } else { "require" }
}

/// The function that requires local files in a module.
pub(super) const REQUIRE: &str = "requireLocal_";

/// The format of a text before and after the translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A CommonJS module, written with imports and exports or without.
    CommonJs { is_module: bool },
    /// An ECMAScript module. It requires what Node.js would not import: paths without an extension, TypeScript and
    /// JSON.
    Module,
}

/// Translates valid JavaScript, and returns the relative paths that it requires.
pub(super) fn commonjs(text: Mapped, kind: Kind) -> (Mapped, Vec<String>) {
    let allocator = Allocator::default();
    let source = match kind {
        Kind::CommonJs { is_module: false } => SourceType::cjs(),
        Kind::CommonJs { is_module: true } | Kind::Module => SourceType::mjs(),
    };
    let parsed = Parser::new(&allocator, &text.code, source).parse();
    let program = parsed.program;
    let scoping = SemanticBuilder::new()
        .build(&program)
        .semantic
        .into_scoping();
    let mut translation = Translation::new(&text.code, &scoping, kind);
    match kind {
        Kind::CommonJs { is_module: true } => translation.statements(&program),
        Kind::CommonJs { is_module: false } => {}
        Kind::Module => translation.imports(&program),
    }
    translation.visit_program(&program);
    if kind == (Kind::CommonJs { is_module: true }) {
        translation.begin(&program);
    }
    let Translation {
        edits, requests, ..
    } = translation;
    (edits.apply(text), requests)
}

struct Translation<'c> {
    code: &'c str,
    scoping: &'c Scoping,
    edits: Edits,
    /// The expression for each imported name.
    imported: HashMap<SymbolId, String>,
    /// The names under which each of the module's own is exported.
    exported: HashMap<SymbolId, Vec<String>>,
    /// All names that the text uses.
    taken: HashSet<String>,
    /// Exported names that have no value at the beginning.
    empty: Vec<String>,
    /// The text to insert at the beginning.
    head: String,
    /// Whether `export =` has been translated: `exports` is not what is exported.
    is_replaced: bool,
    kind: Kind,
    /// The relative paths that are required.
    requests: Vec<String>,
}

impl<'c> Translation<'c> {
    fn new(code: &'c str, scoping: &'c Scoping, kind: Kind) -> Self {
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
            kind,
            requests: Vec::new(),
        }
    }

    /// Translates the statements that only modules have.
    fn statements(&mut self, program: &Program<'_>) {
        // Imports have to be known before the statements that export them.
        self.imports(program);
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

    fn imports(&mut self, program: &Program<'_>) {
        for statement in &program.body {
            if let Statement::ImportDeclaration(import) = statement
                && self.is_required(&import.source.value)
            {
                self.import(import);
            }
        }
    }

    /// Returns whether a source is to be required instead of imported.
    fn is_required(&self, source: &str) -> bool {
        let has_extension = || {
            let extensions = [".js", ".mjs", ".cjs", ".wasm"];
            extensions
                .iter()
                .any(|extension| source.ends_with(extension))
        };
        self.kind != Kind::Module || (is_relative(source) && !has_extension())
    }

    fn require(&self) -> &'static str {
        require(self.kind == Kind::Module)
    }

    /// Records a required path.
    fn request(&mut self, source: &str) {
        if is_relative(source) && !source.contains(char::is_control) {
            self.requests.push(source.to_owned());
        }
    }

    fn import(&mut self, import: &ImportDeclaration<'_>) {
        self.request(&import.source.value);
        let require = self.require();
        let source = import.source.span.source_text(self.code);
        let Some(specifiers) = &import.specifiers else {
            self.edits
                .replace(import.span, format!("{require}({source});"));
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
            (true, false) => format!("babelHelpers.importDefault({require}({source}))"),
            (false, true) if whole.is_none() => format!("{require}({source})"),
            (false, false) => format!("{require}({source})"),
            _ => format!("babelHelpers.importStar({require}({source}))"),
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

    /// Inserts the text at the beginning of a module.
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
        // The last one is the first that is assigned.
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

    /// Returns the expression for a reference to an imported name.
    fn value(&self, reference: &IdentifierReference<'_>) -> Option<&String> {
        self.imported.get(&self.symbol(reference)?)
    }

    fn name_for(&mut self, source: &StringLiteral<'_>) -> String {
        let path = source.value.trim_end_matches(['/', '.']);
        let last = path.rsplit(['/', ':']).next().unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = last.chars().map(plain).collect();
        if name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            self.name_like(&name)
        } else {
            self.name_like(&format!("_{name}"))
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
            // A call of a member would pass the module as `this`; an imported function gets none.
            let text = format!("(0, {value})");
            self.edits.replace(callee.span, text);
            self.visit_arguments(&call.arguments);
            return;
        }
        if let Expression::Identifier(callee) = &call.callee
            && callee.name == "require"
            && self.symbol(callee).is_none()
            && let [Argument::StringLiteral(source)] = &call.arguments[..]
        {
            self.request(&source.value);
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

    // `named` translates these; as references they would be replaced a second time.
    fn visit_export_named_declaration(&mut self, _: &ExportNamedDeclaration<'a>) {}

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        let source = import.source.span();
        let start = Span::new(import.span.start, source.start);
        let end = Span::new(source.end, import.span.end);
        if let Expression::StringLiteral(source) = &import.source {
            if !self.is_required(&source.value) {
                return;
            }
            self.request(&source.value);
            let require = self.require();
            let text = format!("Promise.resolve().then(() => babelHelpers.importStar({require}(");
            self.edits.replace(start, text);
            self.edits.replace(end, ")))");
        } else if self.kind != Kind::Module {
            // A template, because `import()` converts its argument to a string at the time of the
            // call, and `require` runs later.
            self.edits.replace(start, "Promise.resolve(`${");
            let text = "}`).then((s) => babelHelpers.importStar(require(s)))";
            self.edits.replace(end, text);
        }
        self.visit_expression(&import.source);
    }
}

fn is_relative(source: &str) -> bool {
    let is_below = |start: &str| {
        source
            .strip_prefix(start)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    is_below(".") || is_below("..")
}

/// Returns a member of an object by a name that need not be an identifier.
fn member(object: &str, name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    if name.chars().all(is_plain) && !name.starts_with(|first: char| first.is_ascii_digit()) {
        format!("{object}.{name}")
    } else {
        format!("{object}[{}]", quoted(name))
    }
}

fn quoted(name: &str) -> String {
    format!("{name:?}")
}
