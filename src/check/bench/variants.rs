//! Kernel variants side by side: every way that a device has to compute an operator, at shapes that matter.

use std::sync::Arc;

use super::measure::{Effort, Measured, operators};
use crate::graph::{Graph, Trial, Var};
use crate::tensor::TensorType;
use crate::{Device, Result};

/// Operators that GPUs have several kernels for.
pub const OPERATORS: [&str; 5] =
    ["conv2d", "conv2d_input_gradient", "conv2d_weight_gradient", "dense", "matmul"];

/// All variants of an operator at one shape.
#[derive(Clone, Debug)]
pub struct Contest {
    /// What the operator is part of.
    pub title: String,
    /// The layers, where it is part of a network.
    pub layers: Vec<Arc<str>>,
    /// The operator.
    pub operator: &'static str,
    /// Types of its inputs.
    pub inputs: String,
    /// What the choice is remembered under.
    pub problem: String,
    /// The variants that ran, the fastest first.
    pub variants: Vec<Variant>,
    /// The others, and what keeps them from running.
    pub failed: Vec<(&'static str, String)>,
}

/// A variant that ran.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Its name.
    pub name: &'static str,
    /// Whether it is the one that the table takes.
    pub by_table: bool,
    /// Whether it is the one that `--tune` found to be the fastest, in this run or an earlier one.
    pub by_tuning: bool,
    /// Its dispatches and its times.
    pub row: Measured,
}

/// Times every variant of `operator` on `device` at each shape that it has in a graph called `title`, of which `outputs` are
/// read. If the device tunes, it remembers the fastest.
pub(super) fn contests(
    operator: &str,
    title: &str,
    graph: &Graph,
    outputs: &[Var],
    device: &Device,
    effort: &Effort,
) -> Result<Vec<Contest>> {
    let mut found: Vec<(Trial, Vec<Arc<str>>)> = Vec::new();
    for trial in graph.trials(device, outputs)?.into_iter().filter(|trial| trial.operator == operator) {
        let layer = trial.layer.clone();
        let is_same = |known: &Trial| known.inputs == trial.inputs && known.choice == trial.choice;
        match found.iter_mut().find(|(known, _)| is_same(known)) {
            Some((_, layers)) => layers.push(layer),
            None => found.push((trial, vec![layer])),
        }
    }
    found.into_iter().map(|(trial, layers)| Contest::of(title, &trial, layers, device, effort)).collect()
}

impl Contest {
    fn of(
        title: &str,
        trial: &Trial,
        mut layers: Vec<Arc<str>>,
        device: &Device,
        effort: &Effort,
    ) -> Result<Contest> {
        layers.retain(|layer| !layer.is_empty());
        layers.dedup();
        let mut timed = Vec::new();
        let mut failed = Vec::new();
        for &name in &trial.choice.candidates {
            match trial.plan(device, name).and_then(|mut plan| operators(&mut plan, effort)) {
                Ok(mut rows) => timed.push((name, rows.swap_remove(0))),
                Err(problem) => failed.push((name, problem.to_string())),
            }
        }
        timed.sort_by(|(_, a), (_, b)| a.median().total_cmp(&b.median()));
        let problem = &trial.choice.problem;
        let tuned = device.gpu().map(|gpu| gpu.tuned());
        if let (Some(tuned), Some((fastest, _)), true) = (tuned, timed.first(), device.tunes()) {
            tuned.remember(problem, fastest);
        }
        let by_tuning = tuned.and_then(|tuned| tuned.get(problem));
        let variant = |(name, row)| Variant {
            name,
            by_table: trial.choice.candidates.first() == Some(&name),
            by_tuning: by_tuning.as_deref() == Some(name),
            row,
        };
        Ok(Contest {
            title: title.into(),
            layers,
            operator: trial.operator,
            inputs: join(&trial.inputs),
            problem: problem.clone(),
            variants: timed.into_iter().map(variant).collect(),
            failed,
        })
    }

    /// The fastest of Winograd's method and the fastest other variant, with how many times as long that one takes; `None`
    /// if one of them did not run.
    pub fn winograd(&self) -> Option<(&Variant, &Variant, f64)> {
        let fastest = |wanted: bool| {
            self.variants.iter().find(move |variant| variant.name.starts_with("winograd") == wanted)
        };
        let (winograd, other) = (fastest(true)?, fastest(false)?);
        Some((winograd, other, other.row.median() / winograd.row.median()))
    }

    /// The layers, or their number where there are many.
    pub fn layer(&self) -> String {
        match &self.layers[..] {
            layers @ ([] | [_] | [_, _] | [_, _, _]) => layers.join(", "),
            layers => format!("{}, {} and {} more", layers[0], layers[1], layers.len() - 2),
        }
    }
}

fn join(types: &[TensorType]) -> String {
    types.iter().map(TensorType::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contest(layers: &[&str], variants: &[(&'static str, f64)]) -> Contest {
        let variant = |&(name, seconds): &(&'static str, f64)| Variant {
            name,
            by_table: false,
            by_tuning: false,
            row: Measured { seconds: vec![seconds], ..Measured::default() },
        };
        Contest {
            title: "work".into(),
            layers: layers.iter().map(|&layer| layer.into()).collect(),
            operator: "conv2d",
            inputs: "f32 [1]".into(),
            problem: "conv2d".into(),
            variants: variants.iter().map(variant).collect(),
            failed: vec![],
        }
    }

    #[test]
    fn what_winograd_gains_is_against_the_fastest_product() {
        let all = [("winograd-4", 1.0), ("tile-64", 1.5), ("winograd-2", 2.0), ("tile-32", 4.0)];
        let contest_of = |variants| contest(&[], variants);
        let all = contest_of(&all);
        let (winograd, other, gain) = all.winograd().unwrap();
        assert_eq!((winograd.name, other.name, gain), ("winograd-4", "tile-64", 1.5));
        assert!(contest_of(&[("tile-64", 1.0)]).winograd().is_none());
        assert!(contest_of(&[("winograd-2", 1.0)]).winograd().is_none());
    }

    #[test]
    fn many_layers_are_counted() {
        let of = |layers: &[&str]| contest(layers, &[]).layer();
        assert_eq!([of(&[]), of(&["a"]), of(&["a", "b", "c"])], ["", "a", "a, b, c"]);
        assert_eq!(of(&["a", "b", "c", "d"]), "a, b and 2 more");
    }
}
