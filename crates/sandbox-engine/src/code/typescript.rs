//! TypeScript to JavaScript: types are taken away, and what they generate is generated. Nothing is checked.
//!
//! Everything here recurses as deeply as the text nests, so it runs in a translator process only: see [`super::task`].

use std::fmt::Write;
use std::path::Path;

use oxc_allocator::Allocator;
use oxc_codegen::{Codegen, CodegenOptions};
use oxc_diagnostics::OxcDiagnostic;
use oxc_parser::Parser;
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;
use oxc_transformer::{HelperLoaderMode, TransformOptions, Transformer};

use super::task::Translated;

/// What the program is called in messages.
pub(crate) const NAME: &str = "[program].ts";

/// Translates a program, or says why it cannot be.
///
/// Enums, namespaces, parameter properties and decorators (as `experimentalDecorators` has them) become code; imports that
/// only name types are left out.
pub(super) fn translate(code: &str) -> Result<Translated, String> {
    let mut options = TransformOptions::default();
    options.decorator.legacy = true;
    // Otherwise they would be imported from a package that need not be there.
    options.helper_loader.mode = HelperLoaderMode::External;
    translate_with(code, &options)
}

/// Translates a piece for a context: what it imports may be for pieces that come later.
pub(super) fn translate_cell(code: &str) -> Result<String, String> {
    let mut options = TransformOptions::default();
    options.decorator.legacy = true;
    options.helper_loader.mode = HelperLoaderMode::External;
    options.typescript.only_remove_type_imports = true;
    translate_with(code, &options).map(|translated| translated.code)
}

fn translate_with(code: &str, options: &TransformOptions) -> Result<Translated, String> {
    let allocator = Allocator::default();
    let kind = SourceType::ts().with_unambiguous(true);
    let parsed = Parser::new(&allocator, code, kind).parse();
    refuse(code, &parsed.diagnostics)?;
    let mut program = parsed.program;
    let is_module = program.source_type.is_module();
    let semantic = SemanticBuilder::new()
        .with_excess_capacity(2.0)
        .with_enum_eval(true)
        .build(&program);
    refuse(code, &semantic.diagnostics)?;
    let scoping = semantic.semantic.into_scoping();
    let transformed = Transformer::new(&allocator, Path::new(NAME), options)
        .build_with_scoping(scoping, &mut program);
    refuse(code, &transformed.diagnostics)?;
    let options = CodegenOptions {
        source_map_path: Some(NAME.into()),
        ..CodegenOptions::default()
    };
    let generated = Codegen::new().with_options(options).build(&program);
    let mut code = generated.code;
    if let Some(map) = generated.map {
        let _ = write!(code, "\n//# sourceMappingURL={}\n", map.to_data_url());
    }
    Ok(Translated { code, is_module })
}

/// Whether a JavaScript program is an ECMAScript module. One that cannot be read is none: Node.js says why.
pub(super) fn is_module(code: &str) -> bool {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, code, SourceType::unambiguous()).parse();
    parsed.diagnostics.is_empty() && parsed.program.source_type.is_module()
}

/// An error's place and message, as compilers print them.
fn refuse<'a>(
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
            "{NAME}:{}:{}: {diagnostic}\n{text}\n{}^",
            line + 1,
            column + 1,
            " ".repeat(column)
        );
    }
    match report.is_empty() {
        true => Ok(()),
        false => Err(report),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_go_and_what_they_generate_stays() {
        let translated = translate("enum E { A = 2 }\nlet x: number = E.A;\n").unwrap();
        assert!(
            translated.code.contains("E[\"A\"] = 2"),
            "{}",
            translated.code
        );
        assert!(translated.code.contains("let x = "), "{}", translated.code);
        assert!(translated.code.contains("sourceMappingURL=data:"));
        assert!(!translated.is_module);
        let types =
            translate("import { T } from 'no-such';\nimport fs from 'fs';\nlet t: T; fs;").unwrap();
        assert!(
            !types.code.contains("no-such") && types.is_module,
            "{}",
            types.code
        );
    }

    #[test]
    fn errors_name_their_place() {
        let report = translate("let a = 1;\nlet = : number").unwrap_err();
        assert!(report.starts_with("[program].ts:2:"), "{report}");
        assert!(report.contains("let = : number\n"), "{report}");
    }

    #[test]
    fn modules_are_told() {
        for module in ["import 'x'", "export {}", "await 1", "import.meta.url"] {
            assert!(is_module(module), "{module}");
        }
        for script in [
            "require('x')",
            "async () => { await 1 }",
            "let =",
            "import('x')",
            "return 1",
        ] {
            assert!(!is_module(script), "{script}");
        }
    }
}
