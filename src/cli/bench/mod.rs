//! `lookalike bench`: what the device can do, and how close each operator comes to it.

mod compare;
mod labels;
mod page;
mod plot;
mod table;
mod variants;

use std::path::PathBuf;

use clap::Args;
use lookalike::check::bench::variants::OPERATORS;
use lookalike::check::bench::{Bench, Ceilings, Effort, Given, NETWORKS, Network};
use lookalike::formats::atomic::check_writable;
use lookalike::{Error, Result};

use super::device::{AdapterArguments, KernelArguments};
use super::display::{self, note, say};
use super::number::{at_least_one, percentage, seconds};
use super::output::write;

/// Seconds for each ceiling at least: everything else is held against them.
const LEAST_SECONDS: f64 = 0.5;
/// Most runs of one thing.
const MOST_RUNS: usize = 100;

/// Measure what the device can do, and how close each operator comes to it
///
/// First the ceilings of the device: how many bytes it copies and how many multiplications and additions it does in a
/// second. Then each operator of both networks and of the shapes that are given: its time, how many operations and bytes
/// that is in a second, and which share of the roofline, the least time that the ceilings allow for the work. A share
/// above 100 % means that tensors stayed in caches, or that a convolution was computed by Winograd's method: operations are
/// those of the plain product, of which that needs fewer. Then each network as a whole, with pictures written and answers
/// read.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Networks to measure [default: both, or none where shapes are given]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = ["scratch", "vgg16"])]
    networks: Option<Vec<String>>,
    /// Pictures of a run [default: 16; 4 where vgg16 predicts]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    batch: Option<usize>,
    /// A convolution to measure with its gradients: N pictures of height H, width W and C channels, O channels out,
    /// windows of K×K, stride 1, padded; may be given again
    #[arg(long, value_name = "N,H,W,C,O,K", value_parser = Given::conv2d)]
    conv2d: Vec<Given>,
    /// A dense layer to measure with its gradients: N rows, I features in, O out; may be given again
    #[arg(long, value_name = "N,I,O", value_parser = Given::dense)]
    dense: Vec<Given>,
    /// Measure instead every kernel variant that the device has for this operator, at the shapes of the networks or at those
    /// that are given
    #[arg(long, value_name = "OPERATOR", value_parser = OPERATORS)]
    variants: Option<String>,
    /// Seconds for each network and each shape, or each variant of one, after one run to warm up; one run at least, and 100 at most
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// List operators that take under half a percent of their network's time too, as --json does
    #[arg(long)]
    all: bool,
    /// Page to write, with a plot of the roofline; it needs no network and no other file
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// Compare two documents of --json instead of measuring; fails if a row has become slower
    #[arg(long, num_args = 2, value_names = ["BEFORE.json", "AFTER.json"], conflicts_with_all = MEASURING)]
    compare: Option<Vec<PathBuf>>,
    /// How much longer than before a row may take, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = percentage, requires = "compare")]
    threshold: f64,
    #[command(flatten)]
    adapter: AdapterArguments,
    #[command(flatten)]
    kernels: KernelArguments,
    /// Print one JSON document, with the seconds of every run
    #[arg(long)]
    json: bool,
}

const MEASURING: [&str; 10] =
    ["networks", "batch", "conv2d", "dense", "variants", "all", "html", "adapter", "tune", "tensor_cores"];

const EXAMPLES: &str = "\
Examples:
  lookalike bench --html roofline.html
  lookalike bench --conv2d 8,56,56,128,256,3 --dense 16,50176,128
  lookalike bench --variants conv2d --conv2d 8,56,56,128,256,3
  lookalike bench --json > before.json
  lookalike bench --compare before.json after.json";

/// Measures and reports, or compares.
pub fn run(arguments: &Arguments) -> Result<()> {
    if let Some([before, after]) = arguments.compare.as_deref() {
        return compare::run([before, after], arguments.threshold / 100.0, arguments.json);
    }
    arguments.html.as_deref().map_or(Ok(()), check_writable)?;
    let bench = measure(arguments)?;
    if let Some(path) = &arguments.html {
        write(path, page::page(&bench).as_bytes())?;
    }
    if arguments.json {
        return display::json(&bench.document());
    }
    say(table::table(&bench, arguments.all));
    if let Some(path) = &arguments.html {
        say(format_args!("\npage: {}", path.display()));
    }
    Ok(())
}

fn measure(arguments: &Arguments) -> Result<Bench> {
    let device = arguments.kernels.open(&arguments.adapter, arguments.json)?;
    if let (Some(operator), None) = (&arguments.variants, device.gpu()) {
        return Err(Error::Input(format!(
            "{operator} has no variants on the CPU, which computes each operator in one way; name a GPU with --adapter"
        )));
    }
    let effort = Effort { seconds: arguments.seconds, runs: MOST_RUNS };
    note("measuring the ceilings");
    let ceilings =
        Ceilings::measure(&device, &Effort { seconds: effort.seconds.max(LEAST_SECONDS), ..effort })?;
    let mut bench = Bench { device, ceilings, groups: vec![], wholes: vec![], contests: vec![] };
    match &arguments.variants {
        Some(operator) => arguments.measure_variants(operator, &mut bench, &effort)?,
        None => arguments.measure_all(&mut bench, &effort)?,
    }
    arguments.kernels.report(&bench.device);
    Ok(bench)
}

impl Arguments {
    fn measure_all(&self, bench: &mut Bench, effort: &Effort) -> Result<()> {
        for shape in self.shapes() {
            note(format_args!("measuring {}", shape.title()));
            bench.groups.push(shape.measure(&bench.device, effort)?);
        }
        for network in self.networks() {
            let batch = self.batch.unwrap_or(network.batch);
            note(format_args!("measuring {}", network.title(batch)));
            let (group, whole) = network.measure(&bench.device, batch, effort)?;
            bench.groups.push(group);
            bench.wholes.push(whole);
        }
        Ok(())
    }

    fn measure_variants(&self, operator: &str, bench: &mut Bench, effort: &Effort) -> Result<()> {
        for shape in self.shapes() {
            note(format_args!("measuring {operator} of {}", shape.title()));
            bench.contests.extend(shape.contests(operator, &bench.device, effort)?);
        }
        for network in self.networks() {
            let batch = self.batch.unwrap_or(network.batch);
            note(format_args!("measuring {operator} of {}", network.title(batch)));
            bench.contests.extend(network.contests(operator, &bench.device, batch, effort)?);
        }
        match bench.contests.is_empty() {
            false => Ok(()),
            true => Err(Error::Input(format!("there is no {operator} in what was to be measured"))),
        }
    }

    fn shapes(&self) -> impl Iterator<Item = &Given> {
        self.conv2d.iter().chain(&self.dense)
    }

    fn networks(&self) -> impl Iterator<Item = &'static Network> {
        let wanted = |network: &Network| match &self.networks {
            Some(names) => names.iter().any(|name| name == network.name),
            None => self.shapes().next().is_none(),
        };
        NETWORKS.iter().filter(move |network| wanted(network))
    }
}
