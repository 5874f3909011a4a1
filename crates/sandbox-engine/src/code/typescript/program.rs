//! The translation of a whole text, step by step.

use std::fmt::Write;
use std::path::Path;

use oxc_allocator::Allocator;
use oxc_ast_visit::Visit;
use oxc_codegen::{Codegen, CodegenOptions};
use oxc_diagnostics::OxcDiagnostic;
use oxc_parser::Parser;
use oxc_semantic::SemanticBuilder;
use oxc_sourcemap::SourceMapBuilder;
use oxc_span::{SourceType, Span};
use oxc_transformer::{HelperLoaderMode, TransformOptions, Transformer};

use super::super::place;
use super::super::translated::Translated;
use super::commonjs::{self, Kind};
use super::detect::{self, Features};
use super::edits::{Edits, Mapped};
use super::parse::parsed;
use super::{Options, decorators, fields, namespaces};

/// The name of the program in messages.
pub(crate) const NAME: &str = "[program].ts";

/// Translates a program, or returns a report of why it cannot be translated.
pub(in super::super) fn translate(code: &str, options: Options) -> Result<Translated, String> {
    translate_named(NAME, code, options)
}

/// Translates a file that a program imports, or returns a report of why it cannot be translated.
pub(in super::super) fn translate_import(
    name: &str,
    code: &str,
    options: Options,
) -> Result<Translated, String> {
    let translated = translate_named(name, code, options)?;
    if translated.is_module {
        Err(format!(
            "{name}: a file that is imported cannot have `await` outside of functions, or `import.meta`\n"
        ))
    } else {
        Ok(translated)
    }
}

fn translate_named(name: &str, code: &str, options: Options) -> Result<Translated, String> {
    let (text, features) = without_types(name, code, options, false)?;
    let text = with_known_syntax(text, features);
    let kind = match features {
        Features {
            needs_module: true, ..
        } => Kind::Module,
        Features { is_module, .. } => Kind::CommonJs { is_module },
    };
    let (text, requests) = commonjs::commonjs(text, kind);
    let (text, beginning) = with_beginning(text, features.needs_module, !requests.is_empty());
    // The source is beside the file that is made of it.
    let source = name.rsplit('/').next().unwrap_or(name);
    Ok(Translated {
        code: finished(text, source, code),
        is_module: features.needs_module,
        requests,
        beginning,
    })
}

/// Translates a piece for a context; its imports are retained, since later pieces may use them.
pub(in super::super) fn translate_cell(code: &str) -> Result<String, String> {
    let (text, features) = without_types(NAME, code, Options::default(), true)?;
    Ok(finished(with_known_syntax(text, features), NAME, code))
}

/// Removes the types.
fn without_types(
    name: &str,
    code: &str,
    wanted: Options,
    is_cell: bool,
) -> Result<(Mapped, Features), String> {
    let source = with_blocks_of_using(Mapped::written(code));
    let source = namespaces::functions(source);
    let code = source.code.as_str();
    let allocator = Allocator::default();
    let parsed = parsed(&allocator, code);
    refuse(name, code, &parsed.diagnostics)?;
    let has_meta = !parsed.module_record.import_metas.is_empty();
    let mut program = parsed.program;
    let features = detect::features(&program, has_meta, wanted.has_old_decorators);
    // A decorated field stays a field.
    let assigns_fields =
        !wanted.defines_fields && !features.has_decorators && !features.has_old_on_static_field;
    if !wanted.defines_fields && !assigns_fields {
        fields::remove_declared(&mut program);
    }
    let semantic = SemanticBuilder::new()
        // For the scopes and symbols that the transformer adds.
        .with_excess_capacity(2.0)
        .with_enum_eval(true)
        .build(&program);
    refuse(name, code, &semantic.diagnostics)?;
    let scoping = semantic.semantic.into_scoping();
    let mut options = TransformOptions::default();
    options.decorator.legacy = features.has_old_decorators;
    options.decorator.emit_decorator_metadata = wanted.has_metadata;
    options.env.es2026.explicit_resource_management = true;
    options.helper_loader.mode = HelperLoaderMode::External;
    options.typescript.only_remove_type_imports = is_cell;
    options.typescript.remove_class_fields_without_initializer = assigns_fields;
    options.assumptions.set_public_class_fields = assigns_fields;
    let transformed = Transformer::new(&allocator, Path::new(NAME), &options)
        .build_with_scoping(scoping, &mut program);
    refuse(name, code, &transformed.diagnostics)?;
    let printing = CodegenOptions {
        source_map_path: Some(NAME.into()),
        ..CodegenOptions::default()
    };
    let generated = Codegen::new().with_options(printing).build(&program);
    let tokens = generated.map.map(|map| map.get_tokens().collect());
    let text = Mapped {
        code: generated.code,
        tokens: tokens.unwrap_or_default(),
    };
    Ok((text.made_of(&source), features))
}

/// Adds blocks for the resources of `for (using a = b; …)` and of `finally`, where oxc has none. Lines stay in their
/// places.
fn with_blocks_of_using(text: Mapped) -> Mapped {
    if !text.code.contains("using") {
        return text;
    }
    let allocator = Allocator::default();
    let kind = SourceType::ts().with_module(true);
    let parsed = Parser::new(&allocator, &text.code, kind).parse();
    let mut places = detect::Resources::default();
    places.visit_program(&parsed.program);
    let mut edits = Edits::default();
    for block in places.finalizers {
        edits.insert(block.start, "{ ");
        edits.insert(block.end, " }");
    }
    for (statement, resources) in places.loops {
        let before = Span::new(statement.start, resources.start);
        edits.replace(before, "{ ");
        edits.insert(resources.end, "; for (");
        edits.insert(statement.end, " }");
    }
    edits.apply_to_source(text)
}

fn with_known_syntax(text: Mapped, features: Features) -> Mapped {
    let kind = if features.is_module {
        SourceType::mjs()
    } else {
        SourceType::cjs()
    };
    let text = if features.has_old_decorators {
        decorators::instances_first(text, kind)
    } else {
        text
    };
    if features.has_decorators {
        decorators::decorators(text, kind)
    } else {
        text
    }
}

/// Inserts before the first statement what the text needs: `require` in a module, as TypeScript is often written as if
/// it were CommonJS; an empty line, whose place is returned, if more is to be inserted there; and the helpers that the
/// text calls.
fn with_beginning(text: Mapped, is_module: bool, has_line: bool) -> (Mapped, usize) {
    let code = &text.code;
    let wants_require = is_module && code.contains("require") && !code.contains("createRequire");
    let mut require = if wants_require { REQUIRE } else { "" }.to_owned();
    let mut rest = String::new();
    if has_line && is_module {
        require += &require_local();
    }
    if has_line {
        rest.push('\n');
    }
    if code.contains("babelHelpers.") {
        let _ = write!(rest, "const babelHelpers = {};", helpers());
    }
    if require.is_empty() && rest.is_empty() {
        return (text, 0);
    }
    let allocator = Allocator::default();
    let kind = SourceType::unambiguous();
    let parsed = Parser::new(&allocator, code, kind).parse();
    let directives = &parsed.program.directives;
    let at = directives.last().map_or(0, |last| last.span.end);
    let hashbang = parsed.program.hashbang.as_ref();
    let at = hashbang.map_or(at, |hashbang| at.max(hashbang.span.end + 1));
    let mut edits = Edits::default();
    edits.insert(at, format!("{require}{rest}"));
    (edits.apply(text), at as usize + require.len())
}

/// Returns a function that requires local files, whatever the module calls `require`.
fn require_local() -> String {
    let name = commonjs::REQUIRE;
    format!(
        "import {{ createRequire as {name}of }} from \"node:module\"; \
        const {name} = {name}of(process.cwd() + \"/\"); "
    )
}

/// Returns an object with all helpers, in one line.
pub(crate) fn helpers() -> String {
    let lines = HELPERS.lines().map(str::trim);
    let lines: Vec<_> = lines.filter(|line| !line.starts_with("//")).collect();
    lines.join(" ")
}

/// Returns the text with its source map.
fn finished(text: Mapped, name: &str, source: &str) -> String {
    let mut map = SourceMapBuilder::default();
    let id = map.add_source_and_content(name, source);
    for token in &text.tokens {
        map.add_token(
            token.get_dst_line(),
            token.get_dst_col(),
            token.get_src_line(),
            token.get_src_col(),
            token.get_source_id().map(|_| id),
            None,
        );
    }
    let url = map.into_sourcemap().to_data_url();
    format!("{}\n//# sourceMappingURL={url}\n", text.code)
}

/// Returns whether a JavaScript program is an ECMAScript module. `None` if only Node.js can report what is wrong with
/// it.
pub(in super::super) fn is_module(code: &str) -> Option<bool> {
    let allocator = Allocator::default();
    let read = |kind| {
        let parsed = Parser::new(&allocator, code, kind).parse();
        let is_read = parsed.diagnostics.is_empty();
        is_read.then(|| parsed.program.source_type.is_module())
    };
    read(SourceType::unambiguous())
        // A top-level `for await` does not make a module of a text that is valid as either.
        .or_else(|| read(SourceType::mjs()).filter(|_| read(SourceType::cjs()).is_none()))
        .or_else(|| (!place::mentions_modules(code)).then_some(false))
}

/// Returns an error's place and message, as compilers print them.
fn refuse<'a>(
    name: &str,
    code: &str,
    diagnostics: impl IntoIterator<Item = &'a OxcDiagnostic>,
) -> Result<(), String> {
    let mut report = String::new();
    for diagnostic in diagnostics {
        let at = diagnostic
            .labels
            .first()
            .map_or(0, |label| label.offset() as usize);
        let before = code.get(..at).unwrap_or_default();
        let line = before.matches('\n').count();
        let column = before.chars().rev().take_while(|c| *c != '\n').count();
        let text = code.lines().nth(line).unwrap_or_default();
        let _ = writeln!(
            report,
            "{name}:{}:{}: {diagnostic}\n{text}\n{}^",
            line + 1,
            column + 1,
            " ".repeat(column)
        );
    }
    if report.is_empty() {
        Ok(())
    } else {
        Err(report)
    }
}

/// The helpers that translated programs call.
const HELPERS: &str = include_str!("../../../node/helpers.js");

const REQUIRE: &str = "import { createRequire as createRequire_ } from \"node:module\"; \
    const require = createRequire_(process.cwd() + \"/\"); ";

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(code: &str) -> Translated {
        translate(code, Options::default()).unwrap()
    }

    #[test]
    fn types_go_and_what_they_generate_stays() {
        let script = translated("enum E { A = 2 }\nlet x: number = E.A;\n");
        assert!(script.code.contains("E[\"A\"] = 2"), "{}", script.code);
        assert!(script.code.contains("let x = "), "{}", script.code);
        assert!(script.code.contains("sourceMappingURL=data:"));
        assert!(!script.is_module);
        let types = translated("import { T } from 'no-such';\nimport fs from 'fs';\nlet t: T; fs;");
        assert!(
            !types.code.contains("require(\"no-such\")") && !types.is_module,
            "{}",
            types.code
        );
    }

    #[test]
    fn errors_name_their_place() {
        let report = translate("let a = 1;\nlet = : number", Options::default()).unwrap_err();
        assert!(report.starts_with("[program].ts:2:"), "{report}");
        assert!(report.contains("let = : number\n"), "{report}");
    }

    #[test]
    fn what_only_modules_have_makes_one() {
        for module in [
            "await 1",
            "import.meta.url",
            "for await (const x of []) ;",
            "await using x = null",
            "{ const y = (await 1) + 2 }",
            "class A { static x = 1; [await 1]() {} }",
        ] {
            assert!(translated(module).is_module, "{module}");
        }
        for commonjs in [
            "import fs from 'fs'; export const x = fs;",
            "async () => { await 1 }",
            "import('x').then(async (x) => { for await (const y of x) ; })",
            "class A { async f() { await 1 } }",
        ] {
            assert!(!translated(commonjs).is_module, "{commonjs}");
        }
    }

    #[test]
    fn the_kind_of_javascript_is_known() {
        for module in [
            "import 'x'",
            "export {}",
            "await 1",
            "import.meta.url",
            "for await (const x of []) ;",
        ] {
            assert_eq!(is_module(module), Some(true), "{module}");
        }
        for script in [
            "require('x')",
            "async () => { await 1 }",
            "let =",
            "return 1",
            "import('x')",
        ] {
            assert_eq!(is_module(script), Some(false), "{script}");
        }
        assert_eq!(is_module("export let ="), None);
    }

    #[test]
    fn relative_requests_are_found_and_have_a_place() {
        let code = "#!/usr/bin/env node\n'use strict'; import a, { type T } from './a'; import './b'; import f from 'fs';\n\
            export * from '../c'; export { d } from '.'; import g = require('./g'); import type { U } from './types';\n\
            import('./e'); require('./f'); a; f; g; (require: any) => require('./other'); import('./' + a);";
        let commonjs = translated(code);
        let expect = ["./a", "./b", "../c", ".", "./g", "./e", "./f"];
        let mut requests = commonjs.requests.clone();
        requests.sort_unstable();
        let mut sorted = expect;
        sorted.sort_unstable();
        assert_eq!(requests, sorted);
        let (before, after) = commonjs.code.split_at(commonjs.beginning);
        assert!(
            before.contains("use strict") && after.starts_with('\n'),
            "{before}"
        );
        let module = translated(
            "import { a } from './a'; import b from './b.mjs'; import c from './c.ts'; a(b, c); await import('./d');",
        );
        assert_eq!(module.requests, ["./a", "./c.ts", "./d"]);
        assert!(module.code.contains("from \"./b.mjs\""), "{}", module.code);
        assert!(module.code[..module.beginning].ends_with(&require_local()));
    }

    #[test]
    fn what_is_imported_has_its_own_name() {
        let of = |code| translate_import("lib/a.ts", code, Options::default());
        let report = of("let a = 1;\nlet = : number").unwrap_err();
        assert!(report.starts_with("lib/a.ts:2:"), "{report}");
        let report = of("await 1").unwrap_err();
        assert!(report.starts_with("lib/a.ts: "), "{report}");
        assert!(of("export const a = 1").unwrap().requests.is_empty());
    }

    #[test]
    fn helpers_are_one_line_that_can_be_read() {
        let allocator = Allocator::default();
        let text = format!("const babelHelpers = {};", helpers());
        let parsed = Parser::new(&allocator, &text, SourceType::cjs()).parse();
        assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
        assert!(!text.contains('\n'));
    }
}
