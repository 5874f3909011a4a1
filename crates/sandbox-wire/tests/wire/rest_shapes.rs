//! Names, requiredness and types of the REST bodies, held against the protocol's own definitions, as facts in
//! `tests/data/rest_shapes.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::samples;

#[test]
fn the_bodies_are_the_protocols() {
    let table = Table::read();
    let mut checked = Checked {
        table: &table,
        names: BTreeSet::from(["Chart", "ChartElement"]), // Passed on as they are.
    };
    code(&mut checked);
    sessions(&mut checked);
    terminals_and_interpreters(&mut checked);
    machine(&mut checked);
    files(&mut checked);
    let names = table.0.keys().map(String::as_str).collect();
    assert_eq!(checked.names, names);
}

const ISOLATION: [&str; 2] = ["limits", "isolation"];
const LEVEL: [&str; 1] = ["isolationLevel"];

fn code(checked: &mut Checked<'_>) {
    let output = [
        "stdout",
        "stderr",
        "termination",
        "truncation",
        "isolationLevel",
    ];
    let limits = ["timeoutMillis", "splitOutput", "limits", "isolation"];
    checked.shape("ExecuteRequest").holds(
        samples::execute_request(),
        &[&limits[..], &["softTimeoutMillis"]].concat(),
    );
    checked
        .shape("ExecuteResponse")
        .defaulted(&["result"])
        .holds(
            samples::execute_response(),
            &[&output[..], &["execId"]].concat(),
        );
    checked
        .shape("CodeRunRequest")
        .holds(samples::code_run_request(), &limits);
    checked
        .shape("CodeRunResponse")
        .holds(samples::code_run_response(), &output);
    checked
        .shape("CodeRunArtifacts")
        .holds(samples::artifacts(), &[]);
}

fn sessions(checked: &mut Checked<'_>) {
    checked
        .shape("CreateSessionRequest")
        .holds(samples::create_session_request(), &ISOLATION);
    checked.shape("Session").holds(
        samples::session(),
        &["termination", "forgottenCommands", "isolationLevel"],
    );
    checked
        .shape("Command")
        .holds(samples::session_command(), &["termination"]);
    checked.shape("SessionExecuteRequest").holds(
        samples::session_execute_request(),
        &[
            "commandId",
            "cwd",
            "envs",
            "user",
            "timeout",
            "timeoutMillis",
        ],
    );
    checked.shape("SessionExecuteResponse").holds(
        samples::session_execute_response(),
        &["termination", "truncation", "sessionEnded"],
    );
    checked
        .shape("SessionCommandLogsResponse")
        .holds(samples::session_command_logs(), &["truncation"]);
    checked
        .shape("SessionSendInputRequest")
        .defaulted(&["data"])
        .holds(samples::session_send_input(), &["raw", "eof"]);
}

fn terminals_and_interpreters(checked: &mut Checked<'_>) {
    checked
        .shape("PtyCreateRequest")
        .holds(samples::pty_create_request(), &ISOLATION);
    checked
        .shape("PtyCreateResponse")
        .holds(samples::pty_create_response(), &[]);
    checked
        .shape("PtyListResponse")
        .holds(samples::pty_list(), &[]);
    checked
        .shape("PtySessionInfo")
        .holds(samples::pty_info(), &LEVEL);
    checked
        .shape("PtyResizeRequest")
        .holds(samples::pty_resize(), &[]);
    checked
        .shape("CreateContextRequest")
        .holds(samples::create_context_request(), &ISOLATION);
    checked
        .shape("InterpreterContext")
        .holds(samples::interpreter_context(), &LEVEL);
    checked
        .shape("ListContextsResponse")
        .holds(samples::list_contexts(), &[]);
}

fn machine(checked: &mut Checked<'_>) {
    checked
        .shape("InitializeRequest")
        .defaulted(&["token"])
        .holds(samples::initialize(), &[]);
    checked
        .shape("UpdateEnvRequest")
        .holds(samples::update_env(), &[]);
    checked
        .shape("SystemMetrics")
        .holds(samples::system_metrics(), &["containment"]);
    checked.shape("WorkDirResponse").holds(samples::dir(), &[]);
    checked
        .shape("UserHomeDirResponse")
        .holds(samples::dir(), &[]);
    checked
        .shape("ErrorResponse")
        .defaulted(&["statusCode", "message", "timestamp", "path"])
        .of_any_type(&["message", "code"])
        .holds(
            samples::error_envelope(),
            &[
                "result",
                "stdout",
                "stderr",
                "artifacts",
                "termination",
                "truncation",
                "isolationLevel",
                "errors",
            ],
        );
    checked.shape("PortList").holds(samples::port_list(), &[]);
    checked
        .shape("IsPortInUseResponse")
        .holds(samples::port_in_use(), &[]);
}

fn files(checked: &mut Checked<'_>) {
    checked
        .shape("FileInfo")
        .defaulted(&["modifiedAt"])
        .holds(samples::file_info(), &[]);
    checked
        .shape("FilesDownloadRequest")
        .holds(samples::files_download(), &[]);
    checked.shape("Match").holds(samples::found_line(), &[]);
    checked
        .shape("SearchFilesResponse")
        .holds(samples::search_files(), &[]);
    checked
        .shape("ReplaceRequest")
        .holds(samples::replace_request(), &[]);
    checked
        .shape("ReplaceResult")
        .holds(samples::replace_result(), &[]);
    checked
        .shape("UploadedFile")
        .holds(samples::uploaded_file(), &[]);
}

/// The definitions, and which of them have been held against a type.
struct Checked<'a> {
    table: &'a Table,
    names: BTreeSet<&'static str>,
}

impl<'a> Checked<'a> {
    fn shape(&mut self, name: &'static str) -> Shape<'a> {
        self.names.insert(name);
        self.table.shape(name)
    }
}

/// Definitions by name: for each whether its fields are required, and their types.
struct Table(BTreeMap<String, BTreeMap<String, Field>>);

struct Field {
    required: bool,
    kind: String,
}

impl Table {
    fn read() -> Self {
        let facts: Value = serde_json::from_str(include_str!("../data/rest_shapes.json")).unwrap();
        let fields = |shape: &Value, key: &str| {
            let fields = shape[key].as_object().unwrap().clone().into_iter();
            let required = key == "required";
            fields.map(move |(name, kind)| {
                let kind = kind.as_str().unwrap().to_owned();
                (name, Field { required, kind })
            })
        };
        let definitions = facts["definitions"].as_object().unwrap().iter();
        let shapes = definitions.map(|(name, shape)| {
            let fields = fields(shape, "required").chain(fields(shape, "optional"));
            (name.clone(), fields.collect())
        });
        Self(shapes.collect())
    }

    fn shape(&self, name: &'static str) -> Shape<'_> {
        Shape {
            table: self,
            name,
            defaulted: &[],
            of_any_type: &[],
        }
    }

    /// A value of a type, with every field that it has.
    fn sample(&self, kind: &str) -> Value {
        if let Some(item) = kind.strip_suffix("[]") {
            return json!([self.sample(item)]);
        }
        if let Some(value) = kind.strip_prefix('{') {
            return json!({"key": self.sample(value.strip_suffix('}').unwrap())});
        }
        match kind {
            "string" => json!("text"),
            "integer" => json!(7),
            "number" => json!(1.5),
            "boolean" => json!(true),
            name => Value::Object(self.object(name, |_| true)),
        }
    }

    /// A body with the fields that `keep` wants.
    fn object(&self, name: &str, keep: impl Fn(&Field) -> bool) -> Map<String, Value> {
        let fields = self.0[name].iter().filter(|(_, field)| keep(field));
        let sampled = fields.map(|(name, field)| (name.clone(), self.sample(&field.kind)));
        sampled.collect()
    }
}

/// What a type of ours is held against.
struct Shape<'a> {
    table: &'a Table,
    name: &'static str,
    /// Fields that the protocol requires, and whose absence is a default to us.
    defaulted: &'static [&'static str],
    /// Fields that are read whatever they are.
    of_any_type: &'static [&'static str],
}

impl Shape<'_> {
    fn defaulted(self, defaulted: &'static [&'static str]) -> Self {
        Self { defaulted, ..self }
    }

    fn of_any_type(self, of_any_type: &'static [&'static str]) -> Self {
        Self {
            of_any_type,
            ..self
        }
    }

    /// `ours` has every field set; `extensions` are those that the protocol does not have.
    fn holds<T>(&self, ours: T, extensions: &[&str])
    where
        T: Debug + PartialEq + Serialize + DeserializeOwned,
    {
        let name = self.name;
        let fields = &self.table.0[name];

        // We write the protocol's fields and the extensions, nothing else.
        let ours = serde_json::to_value(ours).unwrap();
        let written: BTreeSet<_> = ours
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let known = fields.keys().map(String::as_str);
        assert_eq!(
            written,
            known.chain(extensions.iter().copied()).collect(),
            "{name}"
        );

        // What the protocol writes is read to the last field, and written the same.
        let full = self.table.object(name, |_| true);
        let all = self.read::<T>(&full).unwrap();
        assert_eq!(serde_json::to_value(&all).unwrap(), json!(full), "{name}");
        self.read::<T>(&self.table.object(name, |field| field.required))
            .unwrap();
        assert_eq!(
            self.read::<T>(&with(&full, "zzz", json!([{}]))).unwrap(),
            all
        );

        for (key, field) in fields {
            let absent = self.read::<T>(&without(&full, key));
            if field.required && !self.defaulted.contains(&key.as_str()) {
                assert!(absent.is_err(), "{name} without {key}");
            } else {
                let null = self.read::<T>(&with(&full, key, Value::Null));
                assert_eq!(absent.unwrap(), null.unwrap(), "{name}, {key} null");
            }
            if !self.of_any_type.contains(&key.as_str()) {
                let wrong = self.read::<T>(&with(&full, key, wrong(&field.kind)));
                assert!(wrong.is_err(), "{name}, {key} of a wrong type: {wrong:?}");
            }
        }
    }

    fn read<T: DeserializeOwned>(&self, body: &Map<String, Value>) -> serde_json::Result<T> {
        serde_json::from_value(Value::Object(body.clone()))
    }
}

/// A value that is none of the type.
fn wrong(kind: &str) -> Value {
    match kind {
        "string" => json!(5),
        "integer" => json!(7.5),
        "number" => json!("1.5"),
        "boolean" => json!("true"),
        list if list.ends_with("[]") => json!({"key": []}),
        _ => json!("object"),
    }
}

fn with(body: &Map<String, Value>, key: &str, value: Value) -> Map<String, Value> {
    let mut body = body.clone();
    body.insert(key.to_owned(), value);
    body
}

fn without(body: &Map<String, Value>, key: &str) -> Map<String, Value> {
    let mut body = body.clone();
    body.remove(key);
    body
}
