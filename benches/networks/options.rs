//! The options of a bench of a whole network.

use std::path::PathBuf;
use std::time::Duration;

use lookalike::Device;
use lookalike::check::verified_tensor_cores;
use lookalike::gpu::GpuOptions;

use crate::common::{RIVALS, Result};

pub struct Options {
    pub batch: usize,
    pub rounds: usize,
    pub adapter: Option<String>,
    pub rivals: Option<Vec<String>>,
    pub python: PathBuf,
    /// The folder of the rivals' programs.
    pub built: PathBuf,
    /// How long a rival's step may take.
    pub limit: Duration,
    pub before: Option<PathBuf>,
    pub tensor_cores: bool,
    pub profile: bool,
    pub serve: bool,
}

impl Options {
    /// Those of the command line.
    pub fn parse(batch: usize, rounds: usize) -> Result<Options> {
        let mut options = Options {
            batch,
            rounds,
            adapter: None,
            rivals: None,
            python: "python3".into(),
            built: format!("{RIVALS}/target/release").into(),
            limit: Duration::from_secs(600),
            before: None,
            tensor_cores: false,
            profile: false,
            serve: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{option} needs a value"));
            match option.as_str() {
                "--bench" => {} // cargo says so
                "--batch" => options.batch = value()?.parse()?,
                "--rounds" => options.rounds = value()?.parse()?,
                "--adapter" => options.adapter = Some(value()?),
                "--rivals" => {
                    let list = value()?;
                    let names = list.split(',').filter(|name| !name.is_empty());
                    options.rivals = Some(names.map(str::to_owned).collect());
                }
                "--python" => options.python = value()?.into(),
                "--built" => options.built = value()?.into(),
                "--limit" => options.limit = Duration::from_secs_f64(value()?.parse()?),
                "--before" => options.before = Some(value()?.into()),
                "--tensor-cores" => options.tensor_cores = true,
                "--profile" => options.profile = true,
                "--serve" => options.serve = true,
                _ => return Err(format!("no option {option}; the bench's file begins with a list").into()),
            }
        }
        Ok(options)
    }

    /// What ours runs on: the CPU, if no adapter is named.
    pub fn device(&self) -> Result<Device> {
        Ok(self.adapter.as_deref().map_or_else(|| Ok(Device::cpu()), Device::named)?)
    }

    /// The same on its tensor cores, if that is wanted and those pass their check; says which fail.
    pub fn on_tensor_cores(&self) -> Result<Option<Device>> {
        let Some(adapter) = self.adapter.as_deref().filter(|_| self.tensor_cores) else { return Ok(None) };
        let device =
            Device::named_with(adapter, &GpuOptions { tensor_cores: true, ..GpuOptions::default() })?;
        let (device, verdicts) = verified_tensor_cores(&device);
        if verdicts.is_empty() {
            println!("{device} has no tensor cores that ours can use");
        }
        for (variant, verdict) in &verdicts {
            if let Err(failure) = verdict {
                println!("{variant} fails its check and is left out: {failure}");
            }
        }
        Ok(verdicts.iter().any(|(_, verdict)| verdict.is_ok()).then_some(device))
    }
}
