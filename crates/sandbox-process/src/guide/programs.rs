//! Programs, and the charts that they show.
//!
//! ```no_run
//! use sandbox_process::{Language, Process};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let outcome = process.code_run("x = 10\ny = 20\nprint(f'Sum: {x + y}')").await?;
//! println!("{}", outcome.stdout_lossy());
//!
//! let code = "import os, sys; print(sys.argv[1:], os.environ['K'])";
//! process.code_run(code).arg("verbatim; $(id)").env("K", "V").await?;
//!
//! process.code_run("console.log(6 * 7)").language(Language::JavaScript).await?;
//! # Ok(())
//! # }
//! ```
//!
//! An error that the program raises is an outcome: its exit code is not 0, and its traceback is on stderr.
//!
//! A daemon that is too old to run programs is sent a command instead, which a [`CodeToolbox`](crate::CodeToolbox) writes: the
//! client's own if it has the program's language, else that of this crate for Python, JavaScript or TypeScript.
//!
//! # Charts
//!
//! What Python code shows by `matplotlib.pyplot.show()` is returned typed. A chart whose type is not known, or whose data do not fit
//! its type, is [`Chart::Unknown`](crate::Chart::Unknown), with everything that the daemon sent.
//!
//! ```no_run
//! use sandbox_process::{Chart, ChartType, Process};
//!
//! # async fn example(process: Process, code: String) -> Result<(), sandbox_process::Error> {
//! let outcome = process.code_run(code).await?;
//! for chart in &outcome.charts {
//!     println!("Type: {:?}, title: {:?}", chart.chart_type(), chart.title());
//!     if let Chart::Line(line) = chart {
//!         assert_eq!(chart.chart_type(), ChartType::Line);
//!         println!("{:?}, {:?}, {:?}", line.x_label, line.x_ticks, line.x_tick_labels);
//!         println!("{:?}, {:?}, {:?}", line.y_label, line.y_ticks, line.y_tick_labels);
//!         println!("{:?}, {:?}", line.x_scale, line.y_scale);
//!         for element in &line.elements {
//!             println!("Label: {:?}, points: {:?}", element.label, element.points);
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # By the names of the official SDKs
//!
//! ```no_run
//! use sandbox_process::{CodeRunParams, ExecuteResponse, Process};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let response: ExecuteResponse = process.exec("echo 'Hello'").await?.into();
//! println!("{:?} {}", response.exit_code, response.artifacts.stdout);
//!
//! let params = CodeRunParams { argv: vec!["a".into()], env: [("K".to_owned(), "V".to_owned())].into() };
//! let response: ExecuteResponse = process.code_run("print(1)").params(params).await?.into();
//! println!("{} {}", response.result, response.artifacts.charts.len());
//! # Ok(())
//! # }
//! ```
