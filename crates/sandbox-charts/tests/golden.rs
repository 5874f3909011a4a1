//! What is written for charts of every dialect, in the files below `tests/data`.
//!
//! With `BLESS` in the environment the files are written instead.

use std::path::{Path, PathBuf};
use std::{env, fs};

use sandbox_charts::Chart;
use serde_json::Value;

fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder)
}

/// The names and the texts of the files to be read.
fn dialects() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(data("read"))
        .expect("the folder is there")
        .map(|entry| {
            let entry = entry.expect("the folder can be read");
            let name = entry.file_name().into_string();
            let text = fs::read(entry.path()).expect("the file can be read");
            (name.expect("names are plain"), text)
        })
        .collect();
    files.sort();
    assert!(files.len() >= 30, "{files:?}");
    files
}

fn json(path: &Path) -> Value {
    let text = fs::read(path).expect("each chart has been written");
    serde_json::from_slice(&text).expect("it is JSON")
}

#[test]
fn each_dialect_is_written_in_the_strict_form() {
    for (name, text) in dialects() {
        let path = data("written").join(&name);
        let written = Chart::from_slice(&text).to_json();
        if env::var_os("BLESS").is_some() {
            fs::write(&path, format!("{written}\n")).unwrap();
        }
        assert_eq!(written, json(&path), "{name}");
    }
}

#[test]
fn the_strict_form_is_read_and_written_as_it_is() {
    for (name, _) in dialects() {
        let json = json(&data("written").join(&name));
        assert_eq!(Chart::from_json(&json).to_json(), json, "{name}");
    }
}

#[test]
fn charts_of_this_project_keep_every_key() {
    for (name, text) in dialects() {
        if name.starts_with("strict-") {
            let mut json: Value = serde_json::from_slice(&text).unwrap();
            drop_empty_lists(&mut json);
            assert_eq!(Chart::from_json(&json).to_json(), json, "{name}");
        }
    }
}

/// The extractor writes a list of no outliers.
fn drop_empty_lists(json: &mut Value) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(drop_empty_lists),
        Value::Object(fields) => {
            fields
                .retain(|name, value| name != "outliers" || value.as_array() != Some(&Vec::new()));
            fields.values_mut().for_each(drop_empty_lists);
        }
        _ => {}
    }
}
