//! meganeura's training step of the scratch CNN and forward pass of VGG16, for a driver that lets rivals take turns.
//!
//! Backends: `f32`, without cooperative matrices, and `matrices`, with whatever it chooses by itself. The adapter is the one
//! that MEGANEURA_DEVICE_ID names, else its own choice.
//!
//! Its gradient of max-pooling is "approximate" by its own comment (`src/autodiff.rs`, 0.3.0): element `i` of dx gets a
//! quarter of element `i / 4` of dy, in the order of memory. Only its first loss can agree with the others'.

use meganeura::runtime::{CoopPolicy, SessionOptions};
use meganeura::train::{Mode, SessionConfig};
use meganeura::{Graph, NodeId, Session};
use rival::{EPSILON, RATE, Task};

/// A network while it is built: what the last layer gives, `[batch · channels · height · width]`, and its sizes.
struct Builder<'t> {
    graph: Graph,
    task: &'t Task,
    /// The parameters' names, and their values where the file has them otherwise.
    parameters: Vec<(String, Option<Vec<f32>>)>,
}

impl Builder<'_> {
    fn parameter(&mut self, name: String, shape: &[usize], value: Option<Vec<f32>>) -> NodeId {
        let node = self.graph.parameter(&name, shape);
        self.parameters.push((name, value));
        node
    }

    /// Features of `x`, with their channels and side.
    fn features(&mut self, mut x: NodeId, batch: u32, mut side: u32) -> (NodeId, u32, u32) {
        let mut channels = 3;
        let mut number = 0;
        for &(width, count) in self.task.blocks {
            let width = width as u32;
            for _ in 0..count {
                let size = (width * channels * 9) as usize;
                let weight = self.parameter(format!("conv{number}.weight"), &[size], None);
                let bias = self.parameter(format!("conv{number}.bias"), &[width as usize], None);
                x = self.graph.conv2d(x, weight, batch, channels, side, side, width, 3, 3, 1, 1);
                x = self.graph.add_per_channel(x, bias, width, side * side);
                x = self.graph.relu(x);
                (channels, number) = (width, number + 1);
            }
            x = self.graph.max_pool_2d(x, batch, channels, side, side, 2, 2, 2, 0);
            side /= 2;
        }
        (x, channels, side)
    }

    /// A dense layer; its weight is `[in, out]` here.
    fn dense(&mut self, number: usize, x: NodeId) -> NodeId {
        let name = format!("dense{number}");
        let array = self.task.array(&format!("{name}.weight"));
        let [out, width] = array.shape[..] else { panic!("{name} has a matrix") };
        let turned = (0..width * out).map(|i| array.values[i % out * width + i / out]).collect();
        let weight = self.parameter(format!("{name}.weight"), &[width, out], Some(turned));
        let bias = self.parameter(format!("{name}.bias"), &[out], None);
        let x = self.graph.matmul(x, weight);
        self.graph.bias_add(x, bias)
    }

    /// The session that computes `output`, with all weights set.
    fn session(mut self, output: NodeId) -> Session {
        self.graph.set_outputs(vec![output]);
        let coop = match self.task.backend.as_str() {
            "f32" => CoopPolicy::Disabled,
            "matrices" => CoopPolicy::Auto,
            _ => rival::unknown_backend("f32, matrices"),
        };
        let config = SessionConfig {
            mode: if self.task.trains { Mode::Training } else { Mode::Inference },
            runtime: SessionOptions { coop, ..SessionOptions::from_env() },
            ..SessionConfig::from_env()
        };
        let mut session = meganeura::build(&self.graph, config).0;
        for (name, value) in self.parameters {
            let value = value.unwrap_or_else(|| self.task.array(&name).values);
            session.set_parameter(&name, &value);
        }
        session
    }
}

/// On Mesa 22.3.6's lavapipe the first step after the weights were set computes as if the pictures or the weights were zeros
/// (its features are all 0), every later one with what was set. No optimizer is there yet, so it changes nothing.
fn first_step(session: &mut Session, pictures: &[f32]) {
    session.set_input("x", pictures);
    session.step();
    session.wait();
}

fn main() {
    let task = Task::from_arguments();
    let pictures = task.array("x");
    let [batch, side] = [pictures.shape[0], pictures.shape[2]];
    let mut builder = Builder { graph: Graph::new(), task: &task, parameters: vec![] };
    let x = builder.graph.input("x", &[pictures.values.len()]);
    let (features, channels, last_side) = builder.features(x, batch as u32, side as u32);
    let width = (channels * last_side * last_side) as usize;
    if task.trains {
        let labels = task.labels();
        let flat = builder.graph.reshape(features, &[batch, width]);
        let hidden = builder.dense(0, flat);
        let hidden = builder.graph.relu(hidden);
        let logits = builder.dense(1, hidden);
        let classes = builder.graph.node(logits).ty.shape[1];
        let targets = builder.graph.input("targets", &[batch, classes]);
        let loss = builder.graph.cross_entropy_loss(logits, targets);
        let mut session = builder.session(loss);
        let hot: Vec<f32> = labels
            .iter()
            .flat_map(|&label| (0..classes).map(move |class| f32::from(u8::from(class == label as usize))))
            .collect();
        session.set_input("targets", &hot);
        first_step(&mut session, &pictures.values);
        session.set_adam(RATE as f32, 0.9, 0.999, EPSILON as f32);
        task.serve(|| {
            session.set_input("x", &pictures.values);
            session.set_input("targets", &hot);
            session.step();
            session.wait();
            vec![session.read_loss()]
        });
    } else {
        let mut session = builder.session(features);
        first_step(&mut session, &pictures.values);
        task.serve(|| {
            session.set_input("x", &pictures.values);
            session.step();
            session.wait();
            session.read_output(batch * width)
        });
    }
}
