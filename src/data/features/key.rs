//! What a row of features is of: by content, so that equal work is never done twice and other work never taken for it.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use super::Precision;
use crate::models::Model;
use crate::ops::{AUGMENT_VERSION, Augment, Normalize};
use crate::tensor::HostTensor;
use crate::{Device, Result};

/// The network that made the rows: architecture, weights, normalisation, precision, device and version of this crate.
/// Devices and processors round differently, and a run is promised the same bits with a cache and without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseKey(pub(super) [u8; 32]);

impl BaseKey {
    /// The key of `base` with these weights, on `device`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if its layers do not fit together.
    pub fn new(
        base: &Model,
        weights: &BTreeMap<String, HostTensor>,
        normalize: Normalize,
        precision: Precision,
        device: &Device,
    ) -> Result<BaseKey> {
        let mut hash = Sha256::new();
        hash.update(env!("CARGO_PKG_VERSION"));
        hash.update(base.to_keras().to_string());
        let (kept, tensors) = (precision.name(), device.keeps(precision).name());
        hash.update(format!("{normalize:?} {kept} {tensors} {}", rounding(device)));
        for parameter in base.parameters()? {
            hash.update(&parameter.name);
            if let Some(values) = weights.get(&parameter.name) {
                hash.update(bytemuck::cast_slice(&values.to_f32()));
            }
        }
        Ok(BaseKey(hash.finalize().into()))
    }
}

/// What rounds alike: a GPU with its driver, or processors with the same vectors, however many threads they run.
fn rounding(device: &Device) -> String {
    #[cfg(target_arch = "x86_64")]
    let vectors = [is_x86_feature_detected!("avx512f"), is_x86_feature_detected!("fma")];
    #[cfg(not(target_arch = "x86_64"))]
    let vectors = std::env::consts::ARCH;
    device.gpu().map_or_else(|| format!("cpu {vectors:?}"), |_| device.to_string())
}

impl fmt::Display for BaseKey {
    /// The first sixteen digits: enough for the name of a file, whose head has all of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A picture, and how it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowKey(pub(super) [u8; 32]);

impl RowKey {
    /// The key of a picture as it is.
    pub fn of_picture(pixels: &[u8]) -> RowKey {
        RowKey(Sha256::digest(pixels).into())
    }

    /// The key of the picture's `variant`-th random change by `augment`. Where something may be put on its face, it depends
    /// on where that is: on the [words](crate::ops::face_words) of the face.
    pub fn changed(self, augment: Augment, variant: u32, face: &[u32]) -> RowKey {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(format!("{AUGMENT_VERSION} {augment:?} {variant}"));
        if augment.needs_faces() {
            hash.update(bytemuck::cast_slice(face));
        }
        RowKey(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::vgg16_base;
    use crate::ops::Fill;

    #[test]
    fn everything_that_changes_a_row_changes_its_key() {
        let picture = RowKey::of_picture(&[1, 2, 3]);
        let augment = Augment::default();
        let masked = Augment { masks: 0.5, ..augment };
        let others = [
            Augment { seed: 1, ..augment },
            Augment { flip: false, ..augment },
            Augment { zoom: 0.2, ..augment },
            Augment { rotation: 0.2, ..augment },
            Augment { shift: 0.2, ..augment },
            Augment { shear: 0.2, ..augment },
            Augment { fill: Fill::Reflect, ..augment },
            Augment { brightness: 0.2, ..augment },
            Augment { contrast: 0.2, ..augment },
            Augment { saturation: 0.3, ..augment },
            Augment { hue: 0.2, ..augment },
            Augment { blur: 0.2, ..augment },
            Augment { noise: 0.2, ..augment },
            Augment { erase: 0.2, ..augment },
            Augment { glasses: 0.2, ..augment },
            masked,
        ];
        let mut keys = vec![
            picture,
            RowKey::of_picture(&[1, 2, 4]),
            picture.changed(augment, 1, &[1]),
            picture.changed(augment, 2, &[1]),
            picture.changed(masked, 1, &[2]),
        ];
        keys.extend(others.map(|other| picture.changed(other, 1, &[1])));
        assert!((0..keys.len()).all(|i| (0..i).all(|j| keys[i] != keys[j])));
        assert_eq!(
            picture.changed(augment, 1, &[1]),
            picture.changed(augment, 1, &[2]),
            "the face does not matter"
        );

        let (small, large) = (vgg16_base(32).unwrap(), vgg16_base(64).unwrap());
        let weights = |x: f32| BTreeMap::from([("block1_conv1/bias".into(), HostTensor::new([1], vec![x]))]);
        let key = |model: &Model, x, normalize, precision| {
            BaseKey::new(model, &weights(x), normalize, precision, &Device::cpu()).unwrap()
        };
        let first = key(&small, 1.0, Normalize::unit(), Precision::F32);
        assert_eq!(first, key(&small, 1.0, Normalize::unit(), Precision::F32));
        for other in [
            key(&large, 1.0, Normalize::unit(), Precision::F32),
            key(&small, 2.0, Normalize::unit(), Precision::F32),
            key(&small, 1.0, Normalize::caffe(), Precision::F32),
            key(&small, 1.0, Normalize::unit(), Precision::F16),
        ] {
            assert_ne!(first, other);
        }
    }
}
