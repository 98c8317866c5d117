//! What the benches of whole networks share: their options, the rivals, and the file that tells everybody the same weights
//! and pictures.

pub mod options;
pub mod task;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Contender, RIVALS, Result};
use lookalike::gpu::AdapterKind;

use options::Options;

/// Those that make sense on the device, for those that have been built.
fn usual_rivals(options: &Options) -> Result<&'static [&'static str]> {
    let device = options.device()?;
    Ok(match device.gpu().map(|gpu| gpu.info().kind) {
        None => &["pytorch:cpu", "burn:flex", "candle:cpu"],
        Some(AdapterKind::Software) => &["burn:wgpu-software", "meganeura:f32"],
        Some(_) => &["pytorch:cuda", "pytorch:cuda-half", "burn:wgpu", "meganeura:f32"],
    })
}

/// Where a rival, `NAME:BACKEND`, leaves its answer.
pub fn answer_path(folder: &Path, rival: &str) -> PathBuf {
    folder.join(rival.replace(':', "-"))
}

/// The rivals that are there, each after its first step of `work`; then an earlier build of this bench, if one is given.
pub fn rivals(options: &Options, work: &str, folder: &Path, task: &Path) -> Result<Vec<Contender>> {
    let wanted = match &options.rivals {
        Some(wanted) => wanted.clone(),
        None => usual_rivals(options)?.iter().map(|&name| name.to_owned()).collect(),
    };
    let mut found = Vec::new();
    for rival in wanted {
        let (name, backend) =
            rival.split_once(':').ok_or(format!("give --rivals NAME:BACKEND, not {rival}"))?;
        let mut command = match name {
            "pytorch" => {
                let mut command = Command::new(&options.python);
                command.arg(Path::new(RIVALS).join("pytorch_step.py"));
                command
            }
            _ => Command::new(options.built.join(format!("rival-{name}{}", std::env::consts::EXE_SUFFIX))),
        };
        command.args([backend, work]).args([task, &answer_path(folder, &rival)]);
        found.extend(Contender::rival(&rival, &mut command, Some(options.limit)));
    }
    if let Some(program) = &options.before {
        let mut command = Command::new(program);
        command.args(["--serve", "--batch", &options.batch.to_string()]);
        if let Some(adapter) = &options.adapter {
            command.args(["--adapter", adapter]);
        }
        found.extend(Contender::rival("before", &mut command, Some(options.limit)));
    }
    Ok(found)
}

/// Lets everybody run `steps` steps that are not measured. A rival that fails is left out from then on, and said to be.
pub fn warm_up(contenders: &mut Vec<Contender>, steps: usize) -> Result<()> {
    for _ in 0..steps {
        // Whose failure ends the bench.
        contenders[0].turn()?;
        let mut is_first = true;
        contenders.retain_mut(|contender| {
            let outcome = if std::mem::take(&mut is_first) { Ok(0.0) } else { contender.turn() };
            outcome.inspect_err(|error| println!("{error}; left out")).is_ok()
        });
    }
    Ok(())
}
