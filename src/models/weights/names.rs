//! Parameters found by name, as Keras has written them since its first version.

use crate::Result;
use crate::models::Model;
use crate::models::weights::archive::Archive;
use crate::tensor::Shape;

/// A parameter of the architecture.
pub(super) struct Wanted {
    /// `layer/variable`.
    pub name: String,
    pub layer: String,
    pub variable: String,
    /// Its position among its layer's parameters.
    pub index: usize,
    pub shape: Shape,
    /// The shape that PyTorch gives it, where that differs: of convolution kernels.
    pub oihw: Option<[usize; 4]>,
}

/// The parameters of `architecture`, in the order of its layers.
pub(super) fn wanted(architecture: &Model) -> Result<Vec<Wanted>> {
    let mut wanted = Vec::new();
    for (layer, traced) in architecture.layers.iter().zip(architecture.trace(1)?) {
        for (index, parameter) in traced.parameters.into_iter().enumerate() {
            let variable = parameter.name.rsplit('/').next().unwrap_or_default().to_string();
            let oihw = parameter
                .shape
                .dims()
                .map(|[height, width, inputs, outputs]| [outputs, inputs, height, width]);
            let layer = layer.name().to_string();
            wanted.push(Wanted {
                name: parameter.name,
                layer,
                variable,
                index,
                shape: parameter.shape,
                oihw,
            });
        }
    }
    Ok(wanted)
}

/// For each wanted parameter, the stored ones that its name fits: `layer/variable` as it is, nested
/// (`model_weights/base/layer/layer/variable:0`), with dots, or as Keras 1 called it (`layer/layer_W_1:0`).
pub(super) fn find(archive: &Archive, wanted: &[Wanted]) -> Result<Vec<Vec<String>>> {
    let stored = listed(archive)?;
    Ok(wanted
        .iter()
        .map(|wanted| stored.iter().filter(|path| fits(path, wanted)).cloned().collect())
        .collect())
}

/// The tensors that Keras would read: those that the attributes `layer_names` and `weight_names` list, else all but what
/// an optimizer keeps under the names of what it trains.
fn listed(archive: &Archive) -> Result<Vec<String>> {
    for root in ["", "model_weights"] {
        let Some(layers) = archive.texts(root, "layer_names")? else { continue };
        let mut paths = Vec::new();
        for layer in layers {
            let group = if root.is_empty() { layer } else { format!("{root}/{layer}") };
            let weights = archive.texts(&group, "weight_names")?.unwrap_or_default();
            paths.extend(weights.into_iter().map(|weight| format!("{group}/{weight}")));
        }
        return Ok(paths);
    }
    let is_of_model = |path: &&String| !path.starts_with("optimizer");
    Ok(archive.names().iter().filter(is_of_model).cloned().collect())
}

/// Whether a tensor stored as `path` is the wanted one.
fn fits(path: &str, wanted: &Wanted) -> bool {
    let path = path.strip_suffix(":0").unwrap_or(path);
    let mut parts = path.rsplit(['/', '.']);
    let last = parts.next().unwrap_or_default();
    let of_layer = last.strip_prefix(&wanted.layer).and_then(|rest| rest.strip_prefix('_'));
    match of_layer {
        // Keras 1 numbered variables of the same name: `_W`, `_W_1`.
        Some(rest) => {
            is_called(rest.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_'), &wanted.variable)
        }
        None => is_called(last, &wanted.variable) && parts.any(|part| part == wanted.layer),
    }
}

/// Whether `name` is Keras's name of the variable, now or in its first versions.
fn is_called(name: &str, variable: &str) -> bool {
    let earlier: &[&str] = match variable {
        "kernel" => &["W", "depthwise_kernel"], // the second in Keras 2, of a depthwise convolution
        "bias" => &["b"],
        "moving_mean" => &["running_mean"],
        "moving_variance" => &["running_std"], // which held the variance
        _ => &[],
    };
    name == variable || earlier.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_ages_fit_their_parameter_only() {
        let wanted = |layer: &str, variable: &str| Wanted {
            name: format!("{layer}/{variable}"),
            layer: layer.into(),
            variable: variable.into(),
            index: 0,
            shape: Shape::from([1]),
            oihw: None,
        };
        let kernel = wanted("block1_conv1", "kernel");
        let fitting = [
            "block1_conv1/kernel",
            "block1_conv1.kernel",
            "block1_conv1/block1_conv1/kernel:0",
            "model_weights/vgg16/block1_conv1/kernel:0",
            "block1_conv1/block1_conv1_W_1:0",
            "block1_conv1/block1_conv1_W:0",
            "block1_conv1_W",
            "block1_conv1/block1_conv1/depthwise_kernel:0",
        ];
        for path in fitting {
            assert!(fits(path, &kernel), "{path}");
            assert!(!fits(path, &wanted("block1_conv1", "bias")), "{path}");
            assert!(!fits(path, &wanted("block1_conv", "kernel")), "{path}");
            assert!(!fits(path, &wanted("block1_conv2", "kernel")), "{path}");
        }
        for path in ["block1_conv1", "kernel", "block1_conv11/kernel", "block1_conv1/kernel/0", "", "/"] {
            assert!(!fits(path, &kernel), "{path}");
        }
        assert!(fits("conv2d_1_b:0", &wanted("conv2d_1", "bias")));
        assert!(!fits("conv2d_1_b:0", &wanted("conv2d", "bias")));
    }
}
