//! Programs, and the charts that they show. The chart needs matplotlib.
//!
//! `cargo run -p sandbox-process --features embedded --example code_run`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use sandbox_process::{Chart, CodeRunParams, Language, Process};

const PLOT: &str = "
import matplotlib.pyplot as plt
plt.plot([1, 2, 3], [1, 4, 9])
plt.title('Line Chart')
plt.xlabel('X-axis (seconds)')
plt.show()
";

#[tokio::main]
async fn main() -> Result<(), sandbox_process::Error> {
    let process = Process::local().await?;
    run(&process).await?;
    process.shutdown().await;
    Ok(())
}

/// Works with any daemon, however it is reached.
pub(crate) async fn run(process: &Process) -> Result<(), sandbox_process::Error> {
    let response = process
        .code_run("x = 10\ny = 20\nprint(f'Sum: {x + y}')")
        .await?;
    print!("{}", response.artifacts.stdout);

    let params = CodeRunParams {
        argv: vec!["a b".into()],
        env: [("K".to_owned(), "v".to_owned())].into(),
    };
    let code = "import os, sys; print(sys.argv[1:], os.environ['K'])";
    print!("{}", process.code_run(code).params(params).await?.result);

    let javascript = process
        .code_run("console.log(6 * 7)")
        .language(Language::JavaScript);
    match javascript.await {
        Ok(response) => print!("{}", response.result),
        Err(error) => println!("no JavaScript here: {error}"),
    }

    let response = process.code_run(PLOT).await?;
    if !response.success() {
        println!(
            "no chart here: {}",
            response.result.lines().last().unwrap_or_default()
        );
    }
    for chart in &response.artifacts.charts {
        println!("{:?}: {:?}", chart.chart_type(), chart.title());
        if let Chart::Line(line) = chart {
            println!("{:?}, {:?}", line.x_label, line.x_ticks);
            for element in &line.elements {
                println!("{:?}: {:?}", element.label, element.points);
            }
        }
    }
    Ok(())
}
