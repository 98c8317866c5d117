//! A model's table, as Keras prints it, with bytes and work.

use std::fmt;

use super::{Model, Workload};
use crate::graph::{Memory, Traffic, bytes};
use crate::tensor::Shape;
use crate::{Device, Result};

/// What `summary` prints: one row a layer, and totals.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The model's name.
    pub name: String,
    /// The layers.
    pub rows: Vec<Row>,
    /// Batch of the memory figures.
    pub batch: usize,
    /// Bytes that a training step on `batch` pictures holds.
    pub training: Memory,
    /// Bytes that predicting one picture holds.
    pub prediction: Memory,
    /// Bytes that a [training step](Workload::training) on `batch` pictures moves.
    pub training_traffic: Traffic,
    /// Bytes that predicting one picture moves.
    pub prediction_traffic: Traffic,
}

/// One layer of a [`Summary`].
#[derive(Clone, Debug)]
pub struct Row {
    /// Name and Keras class.
    pub layer: String,
    /// Output shape; the batch is not shown.
    pub output: Shape,
    /// Numbers that are trained.
    pub trainable: usize,
    /// Numbers that are not.
    pub fixed: usize,
    /// Floating-point operations for one picture.
    pub flops: u64,
}

impl Summary {
    /// Describes `model` for training in batches of `batch` on `device`, whose kernels decide how many bytes move.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if its layers do not fit together.
    pub fn new(model: &Model, batch: usize, device: &Device) -> Result<Summary> {
        let rows = model.trace(1)?.into_iter().zip(&model.layers).map(|(shape, layer)| {
            let count = |trainable| {
                shape.parameters.iter().filter(|p| p.trainable == trainable).map(|p| p.shape.len()).sum()
            };
            Row {
                layer: format!("{} ({})", layer.name(), layer.class_name()),
                trainable: count(true),
                fixed: count(false),
                output: shape.output,
                flops: shape.flops,
            }
        });
        let rows = rows.collect();
        let memory = |workload: &Workload| workload.graph.memory(&workload.outputs);
        let prediction = Workload::prediction(model, 1)?;
        Ok(Summary {
            name: model.name.clone(),
            rows,
            batch,
            training: memory(&Workload::training_with_frozen(model, batch)?)?,
            prediction: memory(&prediction)?,
            training_traffic: Workload::training(model, batch)?.traffic(device)?,
            prediction_traffic: prediction.traffic(device)?,
        })
    }

    /// Numbers in all parameters.
    pub fn parameters(&self) -> usize {
        self.rows.iter().map(|row| row.trainable + row.fixed).sum()
    }

    /// Floating-point operations for one picture.
    pub fn flops(&self) -> u64 {
        self.rows.iter().map(|row| row.flops).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.layer.chars().count()).max().unwrap_or(0).max(5);
        let rule = "─".repeat(width + 62);
        writeln!(f, "Model: {}\n{rule}", self.name)?;
        writeln!(
            f,
            "{:<width$}  {:<20} {:>12} {:>11} {:>12}",
            "Layer", "Output shape", "Parameters", "Bytes", "FLOPs"
        )?;
        writeln!(f, "{rule}")?;
        for row in &self.rows {
            let parameters = row.trainable + row.fixed;
            let shape: Vec<String> = row.output.iter().skip(1).map(usize::to_string).collect();
            writeln!(
                f,
                "{:<width$}  {:<20} {:>12} {:>11} {:>12}",
                row.layer,
                shape.join(" × "),
                grouped(parameters as u64),
                bytes(parameters as u64 * 4),
                grouped(row.flops),
            )?;
        }
        let trainable: usize = self.rows.iter().map(|row| row.trainable).sum();
        let total = self.parameters();
        writeln!(f, "{rule}")?;
        writeln!(
            f,
            "Parameters: {} ({}), trained: {}",
            grouped(total as u64),
            bytes(total as u64 * 4),
            grouped(trainable as u64)
        )?;
        writeln!(f, "Work per picture: {:.3} GFLOP to predict", self.flops() as f64 / 1e9)?;
        writeln!(f, "Memory to train on {} pictures at a time: {}", self.batch, self.training)?;
        writeln!(f, "Memory to predict one picture: {}", self.prediction)?;
        writeln!(f, "Bytes moved to train on {} pictures: {}", self.batch, self.training_traffic)?;
        write!(f, "Bytes moved to predict one picture: {}", self.prediction_traffic)
    }
}

/// 1234567 as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = (digits.len() - 1) % 3 + 1;
    let (head, tail) = digits.split_at(first);
    tail.as_bytes()
        .chunks(3)
        .fold(head.to_string(), |text, three| text + "," + &String::from_utf8_lossy(three))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{ScratchCnn, scratch_cnn};

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(6_447_530), "6,447,530");
    }

    #[test]
    fn the_table_holds_layers_and_totals() {
        let text = Summary::new(&scratch_cnn(&ScratchCnn::new(10)), 16, &Device::cpu()).unwrap().to_string();
        for part in [
            "conv1 (Conv2D)",
            "224 × 224 × 16",
            "28 × 28 × 64",
            "6,422,656",
            "6,447,530",
            "Memory to train on 16",
            "Bytes moved to train on 16 pictures: 901.4 MB, ",
            " times the least possible, ",
        ] {
            assert!(text.contains(part), "'{part}' is not in\n{text}");
        }
    }
}
