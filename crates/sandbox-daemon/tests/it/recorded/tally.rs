//! What became of each entry of a file, and the report of it.

use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::request::text;

/// The entries of a file that have been looked at. All are, whatever becomes of one.
///
/// Each is a line of the file that `SANDBOX_TEST_REPORT` names, in the form of the suites of the SDKs.
pub(super) struct Tally {
    file: &'static str,
    told: usize,
    failures: Vec<String>,
}

impl Tally {
    pub(super) fn of(file: &'static str) -> Self {
        Self {
            file,
            told: 0,
            failures: Vec::new(),
        }
    }

    /// Carries out what looks at an entry; `None` if it found something wrong, or panicked.
    pub(super) async fn check<T>(
        &mut self,
        entry: &Value,
        check: impl Future<Output = Result<T, String>>,
    ) -> Option<T> {
        let begin = Instant::now();
        let result = caught(check).await;
        self.tell(entry, result, begin)
    }

    /// The same for what was looked at already, since `begin`.
    pub(super) fn tell<T>(
        &mut self,
        entry: &Value,
        result: Result<T, String>,
        begin: Instant,
    ) -> Option<T> {
        let name = text(&entry["name"]);
        self.told += 1;
        let mut line = json!({
            "sdk": "recorded exchanges",
            "area": "exchanges",
            "method": self.file,
            "case": name,
            "result": if result.is_ok() { "passed" } else { "failed" },
            "seconds": begin.elapsed().as_secs_f32(),
        });
        if let Err(error) = &result {
            line["reason"] = error.as_str().into();
            self.failures.push(format!("{name}: {error}"));
        }
        report(&line);
        result.ok()
    }

    /// An entry that is not looked at.
    pub(super) fn pass_over(&mut self, entry: &Value, reason: &str) {
        assert!(!reason.is_empty());
        self.told += 1;
        report(&json!({
            "sdk": "recorded exchanges",
            "area": "exchanges",
            "method": self.file,
            "case": text(&entry["name"]),
            "result": "absent",
            "seconds": 0,
            "reason": reason,
        }));
    }

    /// # Panics
    ///
    /// When something was wrong, or another number of entries was looked at.
    pub(super) fn finish(self, count: usize) {
        let Self {
            file,
            told,
            failures,
        } = self;
        assert!(failures.is_empty(), "{file}:\n{}", failures.join("\n"));
        assert_eq!(told, count, "entries of {file} were passed over");
    }
}

/// What came of a check; of one that panics what the panic says.
pub(super) async fn caught<T>(check: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let result = AssertUnwindSafe(check).catch_unwind().await;
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(text.unwrap_or("a panic").to_owned())
    })
}

fn report(line: &Value) {
    let Some(path) = std::env::var_os("SANDBOX_TEST_REPORT") else {
        return;
    };
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path);
    // At once, since several processes may write to it.
    file.unwrap()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}
