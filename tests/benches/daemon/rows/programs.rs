//! Programs.

use futures_util::future::join_all;
use sandbox_process::{Language, Process};

use super::{FEW, PAUSE, python};
use crate::bare::{self, Words};
use crate::measure::{Goal, Row, Unit, repeat, time};

const JAVASCRIPT: &str = "console.log(1)";
const TYPESCRIPT: &str = "const n: number = 1; console.log(n)";
const COLD: Words<'_> = &["node", "-e", JAVASCRIPT];
const TOGETHER: usize = 4;

pub(crate) async fn rows(process: &Process) -> Vec<Row> {
    let mut rows = in_python(process).await;
    if bare::is_installed("node") {
        rows.extend(in_node(process).await)
    } else {
        rows.push(Row::absent("JavaScript", "Node.js is not installed"))
    }
    rows
}

async fn run(process: &Process, code: &str, language: Language) -> f64 {
    let run = process.code_run(code).language(language);
    time(async {
        let outcome = run.await.expect("an outcome");
        assert_eq!(outcome.exit_code(), Some(0), "{}", outcome.stderr_lossy());
    })
    .await
}

async fn in_python(process: &Process) -> Vec<Row> {
    let (python, chart) = (
        python(),
        include_str!("../../../../xtask/assets/line_chart.py"),
    );
    let mut rows = Vec::new();
    for (name, code, what, goal, rounds) in [
        ("Python, `print(1)`", "print(1)", "`python3 -c`", 0.3, 40),
        (
            "Python, a line chart",
            chart,
            "`python3 -c`, which draws nothing",
            0.25,
            FEW,
        ),
    ] {
        let has_matplotlib = || {
            let words = [&*python, "-c", "import matplotlib, numpy"];
            let status = bare::command(&words)
                .stderr(std::process::Stdio::null())
                .status();
            status.is_ok_and(|status| status.success())
        };
        if code == chart && !has_matplotlib() {
            rows.push(Row::absent(name, "matplotlib is not installed"));
            continue;
        }
        let words = [&*python, "-c", code];
        run(process, code, Language::Python).await;
        tokio::time::sleep(PAUSE).await;
        let row = Row::in_turns(
            (name, Unit::Time, rounds),
            what,
            async || bare::spawn(&words),
            async || run(process, code, Language::Python).await,
        );
        rows.push(row.await.goal(Goal::Ratio(goal)));
    }
    rows
}

async fn in_node(process: &Process) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, code, language) in [
        ("JavaScript", JAVASCRIPT, Language::JavaScript),
        ("TypeScript", TYPESCRIPT, Language::TypeScript),
    ] {
        run(process, code, language).await;
        tokio::time::sleep(PAUSE).await;
        let turns = (format!("{name}, with pauses"), Unit::Time, 20);
        let row = Row::in_turns(
            turns,
            "`node -e`",
            async || bare::spawn(COLD),
            async || run(process, code, language).await,
        );
        rows.push(row.await.goal(Goal::Ratio(0.3)));

        let cold = repeat(20, async || bare::spawn(COLD)).await;
        let row = Row::new(
            format!("{name}, back to back"),
            Unit::Time,
            repeat(20, async || run(process, code, language).await).await,
        );
        rows.push(
            row.limit("`node -e`, back to back", cold)
                .goal(Goal::Ratio(0.3)),
        );

        let cold = async || {
            let threads = u32::try_from(TOGETHER).expect("few");
            let calls = bare::in_parallel(threads, 1, || {
                bare::spawn(COLD);
            });
            time(async {
                calls.await;
            })
            .await
        };
        let together = async || {
            time(async {
                join_all((0..TOGETHER).map(|_| run(process, code, language))).await;
            })
            .await
        };
        let turns = (format!("{name}, 4 in parallel"), Unit::Time, 2 * FEW);
        let row = Row::in_turns(turns, "4 `node -e` in parallel", cold, together);
        rows.push(row.await.goal(Goal::Ratio(0.3)));
    }
    let [javascript, typescript] = [1, 4].map(|index: usize| rows[index].ours.clone());
    let row = Row::new("TypeScript, beside JavaScript", Unit::Time, typescript);
    rows.push(
        row.limit("JavaScript, back to back", javascript)
            .goal(Goal::Plus(3e-3)),
    );
    rows
}
