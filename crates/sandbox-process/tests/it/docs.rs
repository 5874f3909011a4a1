//! What the documentation of every method has.

use std::path::{Path, PathBuf};

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in directory.read_dir().expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Dropping the future of an async method does what its documentation says.
#[test]
fn every_async_method_has_its_cancel_safety() {
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let (mut silent, mut count) = (Vec::new(), 0);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut documentation = String::new();
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("///") || line.starts_with("#[") {
                documentation.push_str(line);
                documentation.push('\n');
                continue;
            }
            if let Some(signature) = line.strip_prefix("pub async fn ") {
                count += 1;
                let name = signature.split(['(', '<']).next().unwrap();
                let has = |section: &str| documentation.contains(&format!("/// # {section}\n"));
                // What returns no error has no errors to document.
                let is_fallible = name != "shutdown";
                let is_of_files = file.components().any(|part| part.as_os_str() == "files");
                if is_of_files && !has("Examples") {
                    silent.push(format!("{}: {name} has no example", file.display()));
                }
                if !has("Cancel safety") || (is_fallible && !has("Errors")) {
                    silent.push(format!("{}: {name}", file.display()));
                }
            }
            documentation.clear();
        }
    }
    assert!(count > 60, "{count} async methods");
    assert!(silent.is_empty(), "{silent:#?}");
}
