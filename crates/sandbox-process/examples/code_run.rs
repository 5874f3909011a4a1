//! Programs, and the charts that they show. The chart needs matplotlib.
//!
//! `cargo run -p sandbox-process --example code_run`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use sandbox_process::{Chart, Language, Process};

const PLOT: &str = "
import matplotlib.pyplot as plt
plt.plot([1, 2, 3], [1, 4, 9])
plt.title('Line Chart')
plt.xlabel('X-axis (seconds)')
plt.show()
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let process = Process::local().await?;
    run(&process).await?;
    process.shutdown().await;
    Ok(())
}

/// Works with any daemon, however it is reached.
pub(crate) async fn run(process: &Process) -> Result<(), Box<dyn std::error::Error>> {
    let code = "x = 10\ny = 20\nprint(f'Sum: {x + y}')";
    print!("{}", process.code_run(code).await?.stdout_lossy());

    let code = "import os, sys; print(sys.argv[1:], os.environ['K'])";
    let outcome = process.code_run(code).arg("a b").env("K", "v").await?;
    print!("{}", outcome.stdout_lossy());

    let javascript = process.code_run("console.log(6 * 7)");
    match javascript.language(Language::JavaScript).await {
        Ok(outcome) => print!("{}", outcome.stdout_lossy()),
        Err(error) => println!("no JavaScript here: {error}"),
    }

    let outcome = process.code_run(PLOT).await?;
    if !outcome.success() {
        let error = outcome.stderr_lossy();
        println!(
            "no chart here: {}",
            error.lines().last().unwrap_or_default()
        );
    }
    for chart in &outcome.charts {
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
