//! A piece of JavaScript for a context, in which V8 knows no modules: imports are awaited, and exports become plain
//! declarations.
//!
//! It recurses as deeply as the text nests, so it runs in a translator process only: see [`super::task`].

use std::fmt::Write;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    ExportDefaultDeclarationKind, ImportDeclaration, ImportDeclarationSpecifier, Statement,
    StringLiteral,
};
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType, Span};

/// How a module of CommonJS is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interop {
    /// As in Node.js: by the names that it finds.
    None,
    /// As in TypeScript with `esModuleInterop`: by all names of the module.
    TypeScript,
}

/// Returns the code that `node/worker/` evaluates. Every line stays in its place; code that cannot be parsed is
/// returned unchanged: V8 reports why.
pub(super) fn without_modules(code: &str, interop: Interop) -> String {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, code, SourceType::mjs()).parse();
    if !parsed.diagnostics.is_empty() {
        return code.to_owned();
    }
    let mut edits: Vec<(Span, String)> = Vec::new();
    let record = &parsed.module_record;
    let imports = record.dynamic_imports.iter().map(|import| import.span);
    for span in imports.chain(record.import_metas.iter().copied()) {
        // `import(…)` becomes `$import(…)` and `import.meta` becomes `$import.meta`, which the
        // worker defines.
        edits.push((Span::empty(span.start), "$".to_owned()));
    }
    for statement in &parsed.program.body {
        let module = |source: &StringLiteral<'_>| {
            format!("void await $import({});", source.span.source_text(code))
        };
        edits.push(match statement {
            Statement::ImportDeclaration(import) => (import.span, awaited(import, code, interop)),
            Statement::ExportAllDeclaration(export) => (export.span, module(&export.source)),
            Statement::ExportFromDeclaration(export) => (export.span, module(&export.source)),
            Statement::ExportNamedDeclaration(export) => (export.span, ";".to_owned()),
            Statement::ExportDeclaration(export) => (
                before(export.span, export.declaration.span()),
                String::new(),
            ),
            Statement::ExportDefaultDeclaration(export) => {
                let value = if is_named(&export.declaration) {
                    ""
                } else {
                    "void "
                };
                (
                    before(export.span, export.declaration.span()),
                    value.to_owned(),
                )
            }
            _ => continue,
        });
    }
    edited(code, edits)
}

/// Returns the words before an exported declaration.
fn before(export: Span, declaration: Span) -> Span {
    Span::new(export.start, declaration.start)
}

fn is_named(exported: &ExportDefaultDeclarationKind<'_>) -> bool {
    match exported {
        ExportDefaultDeclarationKind::FunctionDeclaration(function) => function.id.is_some(),
        ExportDefaultDeclarationKind::ClassDeclaration(class) => class.id.is_some(),
        _ => false,
    }
}

/// Returns `import a, { b as c } from "d"` as a declaration of the names.
fn awaited(import: &ImportDeclaration<'_>, code: &str, interop: Interop) -> String {
    let source = import.source.span.source_text(code);
    let function = match interop {
        Interop::None => "$import",
        Interop::TypeScript => "$import.interop",
    };
    let mut module = format!("await {function}({source}");
    if let Some(clause) = &import.with_clause {
        let entries = clause.with_entries.iter();
        let entries: Vec<_> = entries.map(|entry| entry.span.source_text(code)).collect();
        let _ = write!(module, ", {{ with: {{ {} }} }}", entries.join(", "));
    }
    module.push(')');
    let mut whole = None;
    let mut names = Vec::new();
    for specifier in import.specifiers.iter().flatten() {
        match specifier {
            ImportDeclarationSpecifier::ImportSpecifier(name) => {
                let imported = name.imported.span().source_text(code);
                names.push(format!("{imported}: {}", name.local.name));
            }
            ImportDeclarationSpecifier::ImportDefaultSpecifier(name) => {
                names.push(format!("default: {}", name.local.name));
            }
            ImportDeclarationSpecifier::ImportNamespaceSpecifier(name) => {
                whole = Some(name.local.name);
            }
        }
    }
    let names = names.join(", ");
    match whole {
        _ if import.specifiers.is_none() => format!("void {module};"),
        None => format!("const {{ {names} }} = {module};"),
        Some(whole) if names.is_empty() => format!("const {whole} = {module};"),
        Some(whole) => format!("const {whole} = {module}, {{ {names} }} = {whole};"),
    }
}

/// Replaces parts of the code, which do not overlap, and keeps the count of lines.
fn edited(code: &str, mut edits: Vec<(Span, String)>) -> String {
    edits.sort_by_key(|(span, _)| span.start);
    let mut result = String::with_capacity(code.len() + 64);
    let mut done = 0;
    for (span, text) in edits {
        let (start, end) = (span.start as usize, span.end as usize);
        result.push_str(&code[done..start]);
        result.push_str(&text);
        // The replacement has lines of its own where it contains parts of the original.
        let lines = code[start..end].matches('\n').count();
        let missing = lines.saturating_sub(text.matches('\n').count());
        result.extend(std::iter::repeat_n('\n', missing));
        done = end;
    }
    result.push_str(&code[done..]);
    result
}

#[cfg(test)]
mod tests {
    use super::super::task::Task;
    use super::*;

    #[test]
    fn imports_are_awaited_and_exports_are_there() {
        let table = [
            ("import 'a'", "void await $import('a');"),
            (
                "import a from 'b';",
                "const { default: a } = await $import('b');",
            ),
            (
                "import a, { b as c, 'd-e' as f } from \"g\"",
                "const { default: a, b: c, 'd-e': f } = await $import(\"g\");",
            ),
            ("import * as a from 'b'", "const a = await $import('b');"),
            (
                "import a, * as b from 'c'",
                "const b = await $import('c'), { default: a } = b;",
            ),
            (
                "import a from 'b' with { type: 'json' }",
                "const { default: a } = await $import('b', { with: { type: 'json' } });",
            ),
            (
                "import {\n a\n} from 'b'\na",
                "const { a: a } = await $import('b');\n\n\na",
            ),
            (
                "f(await import('a'), import.meta.url)",
                "f(await $import('a'), $import.meta.url)",
            ),
            ("export const a = import('b')", "const a = $import('b')"),
            ("export default function f() {}", "function f() {}"),
            ("export default class {}", "void class {}"),
            ("export default { a: 1 }", "void { a: 1 }"),
            (
                "let a; export { a as b }; export * from 'c'",
                "let a; ; void await $import('c');",
            ),
            ("x.import('a'); 'export'", "x.import('a'); 'export'"),
            ("import 'a\\\nb'\nc", "void await $import('a\\\nb');\nc"),
            ("@d export class C {}", "@d class C {}"),
            ("import a frm 'b'", "import a frm 'b'"),
            (
                "/* \u{e9} */ import('a') // import",
                "/* \u{e9} */ $import('a') // import",
            ),
        ];
        for (code, expect) in table {
            assert_eq!(without_modules(code, Interop::None), expect, "{code}");
        }
    }

    #[test]
    fn types_go_and_imports_stay() {
        let cell = |code: &str| Task::Cell.run(code);
        let made = cell("import { a, type B } from 'c';\nlet x: B = 1 as any;");
        let made = made.unwrap().code;
        assert!(
            made.starts_with("const { a: a } = await $import.interop("),
            "{made}"
        );
        assert!(made.contains("let x = 1"), "{made}");
        let report = cell("let = : number").unwrap_err();
        assert!(report.contains("let = : number"), "{report}");
    }
}
