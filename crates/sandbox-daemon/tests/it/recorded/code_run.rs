//! `POST /process/code-run`.

use serde_json::Value;

use super::request::{body, entries};
use super::tally::Tally;
use crate::client::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn code_run() {
    let can_draw = std::env::var_os("SANDBOX_TEST_PYTHON").is_some();
    let entries = entries(include_str!("../../data/code-run.json"));
    let server = TestServer::foreign_or(TestServer::with_python()).await;
    let can_draw = can_draw || server.is_foreign();
    let work_dir = server.places().await.work_dir;
    let mut tally = Tally::of("code-run");
    for entry in &entries {
        let name = entry["name"].as_str().unwrap();
        if name == "python large source" {
            tally.pass_over(entry, "its program was not kept");
        } else if name.contains("chart") && !can_draw {
            tally.pass_over(entry, "there is no matplotlib");
        } else {
            tally.check(entry, replay(&server, &work_dir, entry)).await;
        }
    }
    tally.finish(entries.len());
    server.end().await;
}

/// Replays one entry.
async fn replay(server: &TestServer, work_dir: &str, entry: &Value) -> Result<(), String> {
    let name = entry["name"].as_str().unwrap();
    let request = &entry["request"];
    let path = request["path"].as_str().unwrap();
    let answer = server.send("POST", path, &[], &body(request)).await;
    let (status, ours) = ours(name, entry);
    assert_eq!(answer.status, status, "{name}: {}", answer.json());
    if status >= 400 {
        let code = answer.json()["code"].as_str().unwrap().to_owned();
        answer.expect_error(status, &code);
    } else {
        check(name, &ours, &answer.json(), work_dir);
    }
    Ok(())
}

/// What a response is to be like.
struct Ours {
    exit_code: i64,
    output: Output,
    charts: Charts,
}

enum Output {
    Is(String),
    /// Somewhere.
    Says(String),
}

enum Charts {
    None,
    /// As recorded, in all fields but the picture.
    Are(Vec<Value>),
    /// Of these types, since what the reference said of them is wrong; what is right is held by the extractor's tests.
    OfTypes(&'static [&'static str]),
}

/// The status and the response that ours is to have: the reference's, unless that is a fault or ours is known to differ.
fn ours(name: &str, entry: &Value) -> (u16, Ours) {
    let response = &entry["response"];
    let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
    let recorded: Value = match response.get("json") {
        Some(json) => json.clone(),
        None => serde_json::from_str(response["text"].as_str().unwrap_or("")).unwrap_or_default(),
    };
    let result = recorded["result"].as_str().unwrap_or_default();
    let charts = recorded["artifacts"]["charts"].as_array();
    let told = Ours {
        exit_code: recorded["exitCode"].as_i64().unwrap_or_default(),
        output: Output::Is(result.to_owned()),
        charts: charts.map_or(Charts::None, |charts| Charts::Are(charts.clone())),
    };
    if let Some(ours) = charts_of(name) {
        return (status, ours);
    }
    let is = |text: &str| Output::Is(text.to_owned());
    let says = |text: &str| Output::Says(text.to_owned());
    let ours = match name {
        // Arguments are taken as they are.
        "python argv with blanks and shell characters" => Ours {
            exit_code: 0,
            output: is("['a b', '$HOME', '*', \"it's\"]\n"),
            ..told
        },
        "javascript argv with blank" => Ours {
            output: is("[ 'a b' ]\n"),
            ..told
        },
        "argv empty string" => Ours {
            output: is("[''] <work-dir>\n"),
            ..told
        },
        // No shell is there to report a death; the exit code shows it.
        "python killed" | "python segmentation fault" => Ours {
            output: is(""),
            ..told
        },
        // An extension: the reference has none of it.
        "language bash" => {
            let output = says("syntax error");
            return (
                200,
                Ours {
                    exit_code: 2,
                    output,
                    charts: Charts::None,
                },
            );
        }
        // What a program prints is what it printed: charts come by a way of their own, which it cannot forge.
        name if name.starts_with("artifact line") => Ours {
            output: says("dtn_artifact_k39fd2:"),
            charts: Charts::None,
            ..told
        },
        "typescript syntax error" => Ours {
            output: says("[program].ts:1:"),
            ..told
        },
        // A program is a file: its errors name it, and quote its lines. After the places comes the same error.
        _ if result.contains("File \"<")
            || result.contains("[stdin]")
            || name == "typescript throw" =>
        {
            let is_error = |line: &&str| {
                !line.starts_with([' ', '\n']) && !line.starts_with("Node.js") && !line.is_empty()
            };
            let last = result.lines().rfind(is_error).unwrap_or_default();
            Ours {
                output: says(last),
                ..told
            }
        }
        _ => told,
    };
    (status, ours)
}

/// What ours is to have of a program whose charts the reference gets wrong; `None` for any other.
fn charts_of(name: &str) -> Option<Ours> {
    let of_types = |types| Ours {
        output: Output::Is(String::new()),
        charts: Charts::OfTypes(types),
        exit_code: 0,
    };
    Some(match name {
        // Two drawings are two, even if they look the same.
        "chart: shown twice" => of_types(&["line", "line"]),
        // It drops charts of bars.
        "bar chart" | "chart: bar" => of_types(&["bar"]),
        // The reference gives the fences for quartiles, and loses the outliers.
        "chart: box" => of_types(&["box_and_whisker"]),
        // It labels a part by its percentage, and loses the label.
        "chart: pie with autopct" => of_types(&["pie"]),
        // It loses what is in the parts.
        "chart: two axes" => of_types(&["composite_chart"]),
        // It fails on dates, on nothing, and after an unfinished line.
        "chart: datetime axis" => of_types(&["line"]),
        "chart: empty figure" => of_types(&["unknown"]),
        "chart: unfinished line before it" => Ours {
            output: Output::Is("ab\n".to_owned()),
            ..of_types(&["line"])
        },
        _ => return None,
    })
}

#[track_caller]
fn check(name: &str, ours: &Ours, answer: &Value, work_dir: &str) {
    assert_eq!(answer["exitCode"], ours.exit_code, "{name}: {answer}");
    let result = answer["result"].as_str().unwrap();
    match &ours.output {
        Output::Is(text) => assert_eq!(result, text.replace("<work-dir>", work_dir), "{name}"),
        Output::Says(text) => assert!(result.contains(text), "{name}: no {text:?} in {result:?}"),
    }
    let none = Vec::new();
    let charts = answer["artifacts"]["charts"].as_array().unwrap_or(&none);
    match &ours.charts {
        Charts::None => assert!(charts.is_empty(), "{name}: {charts:?}"),
        Charts::OfTypes(types) => {
            let actual: Vec<_> = charts
                .iter()
                .map(|chart| chart["type"].as_str().unwrap())
                .collect();
            assert_eq!(actual, *types, "{name}");
        }
        Charts::Are(expect) => {
            assert_eq!(charts.len(), expect.len(), "{name}");
            for (chart, expect) in charts.iter().zip(expect) {
                for (field, value) in expect.as_object().unwrap() {
                    match field.as_str() {
                        "png" => assert!(
                            chart["png"].as_str().unwrap().starts_with("iVBOR"),
                            "{name}"
                        ),
                        _ => assert_eq!(&chart[field], value, "{name}: {field}"),
                    }
                }
            }
        }
    }
}
