//! A larger dataset from a smaller one: each picture, and changed copies of it.

use super::Dataset;
use crate::graph::{Graph, Params, Plan, Var};
use crate::ops::{Augment, FACE_WORDS, Normalize, picture_hash};
use crate::tensor::{Data, HostTensor, TensorType};
use crate::{Device, Error, Result};

/// Pictures changed at a time.
const BATCH: usize = 8;
const EPOCH: &str = "epoch";

/// Changes pictures as training would see them.
pub struct Changer {
    params: Params,
    plan: Plan,
    y: Var,
}

impl Changer {
    /// One for pictures of `size` by `size` pixels.
    ///
    /// # Errors
    /// [`Error::Shape`] if a setting of `augment` is out of its range; if the device fails.
    pub fn new(device: &Device, size: usize, augment: Augment) -> Result<Changer> {
        let as_is = Normalize { scale: [1.0; 4], offset: [0.0; 4], reverse: false };
        let mut graph = Graph::new();
        let x = graph.input("x", TensorType::u8([BATCH, size, size, 3]));
        let keys = graph.input("keys", TensorType::u32([BATCH]));
        let faces = graph.input("faces", TensorType::u32([BATCH, FACE_WORDS]));
        let epoch = graph.state_filled(EPOCH, TensorType::u32([1]), 0.0)?;
        let y = graph.augment_faces(x, [keys, epoch, faces], augment, as_is)?;
        let params = Params::new(device);
        let plan = Plan::new(&graph, &params, &[y])?;
        Ok(Changer { params, plan, y })
    }

    /// The pictures at these places of the dataset as training would see them in this epoch, rounded to bytes, one after the
    /// other.
    ///
    /// # Errors
    /// If the device fails.
    pub fn change(&mut self, dataset: &Dataset, pictures: &[usize], epoch: u32) -> Result<Vec<u8>> {
        let picture = dataset.size * dataset.size * 3;
        let mut changed = Vec::with_capacity(pictures.len() * picture);
        self.params.set(EPOCH, &HostTensor::new([1], vec![epoch]))?;
        for batch in pictures.chunks(BATCH) {
            let mut pixels: Vec<u8> = batch.iter().flat_map(|&at| dataset.image(at)).copied().collect();
            let mut keys: Vec<u32> = batch.iter().map(|&at| picture_hash(dataset.image(at))).collect();
            let mut faces: Vec<u32> = batch.iter().flat_map(|&at| dataset.face_words(at)).collect();
            pixels.resize(BATCH * picture, 0);
            keys.resize(BATCH, 0);
            faces.resize(BATCH * FACE_WORDS, 0);
            self.plan.write("x", &Data::U8(pixels))?;
            for (name, words) in [("keys", keys), ("faces", faces)] {
                // Where nothing may change, a plan has no use for them.
                if self.plan.has_input(name) {
                    self.plan.write(name, &Data::U32(words))?;
                }
            }
            self.plan.run()?;
            let values = self.plan.read(self.y)?.to_f32();
            changed.extend(values[..batch.len() * picture].iter().map(|value| value.round() as u8));
        }
        Ok(changed)
    }
}

/// Each picture followed by `copies` copies that `augment` changed, rounded to bytes: what the tutorial does to its photos
/// before anything else. A copy is in its picture's group; copy k is what training would see in epoch k.
///
/// # Errors
/// [`Error::Shape`] if a setting of `augment` is out of its range, [`Error::Input`] if all of it does not fit into memory,
/// or if the device fails.
pub fn expand(dataset: &Dataset, copies: u32, augment: Augment, device: &Device) -> Result<Dataset> {
    let mut changer = Changer::new(device, dataset.size, augment)?;
    let picture = dataset.size * dataset.size * 3;
    let times = copies as usize + 1;
    let mut all_pixels = Vec::new();
    let bytes =
        dataset.pixels.len().checked_mul(times).filter(|&bytes| all_pixels.try_reserve_exact(bytes).is_ok());
    let bytes = bytes.ok_or_else(|| {
        Error::Input(format!(
            "{times} times {} pictures do not fit into memory; make fewer copies",
            dataset.len()
        ))
    })?;
    all_pixels.resize(bytes, 0);
    let all: Vec<usize> = (0..dataset.len()).collect();
    for &at in &all {
        all_pixels[at * times * picture..][..picture].copy_from_slice(dataset.image(at));
    }
    for copy in 1..=copies {
        for batch in all.chunks(BATCH) {
            let changed = changer.change(dataset, batch, copy)?;
            for (&at, changed) in batch.iter().zip(changed.chunks_exact(picture)) {
                let place = &mut all_pixels[(at * times + copy as usize) * picture..][..picture];
                place.copy_from_slice(changed);
            }
        }
    }
    let each = || all.iter().flat_map(|&at| std::iter::repeat_n(at, times));
    Ok(Dataset {
        size: dataset.size,
        pixels: all_pixels,
        labels: each().map(|at| dataset.labels[at]).collect(),
        names: dataset.names.clone(),
        groups: each().map(|at| dataset.groups[at]).collect(),
        sources: each().map(|at| dataset.sources[at].clone()).collect(),
        masked: each().map(|at| dataset.masked[at]).collect(),
        landmarks: each()
            .enumerate()
            .map(|(index, at)| dataset.landmarks[at].filter(|_| index % times == 0))
            .collect(),
        cut: dataset.cut.clone(),
    })
}

/// The pictures at these places with a mask drawn on each, the same one for an equal `draw`. Nothing else changes, so the
/// landmarks stay. A picture of which they are [not known](Dataset::knows_face) stays bare.
///
/// # Errors
/// If the device fails.
pub fn with_masks(dataset: &Dataset, pictures: &[usize], draw: u32, device: &Device) -> Result<Dataset> {
    let mut changer = Changer::new(device, dataset.size, Augment { masks: 1.0, ..Augment::none() })?;
    Ok(Dataset { pixels: changer.change(dataset, pictures, draw)?, ..dataset.only(pictures) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::CutStyle;

    fn dataset() -> Dataset {
        let picture = |at: usize| (0..12 * 12 * 3).map(move |i| (i * (at + 3) % 251) as u8);
        Dataset {
            size: 12,
            pixels: (0..11).flat_map(picture).collect(),
            labels: (0..11).map(|at| at % 2).collect(),
            names: vec!["anna".into(), "berta".into()],
            groups: (0..11).collect(),
            sources: (0..11).map(|at| format!("{at}.png")).collect(),
            masked: vec![false; 11],
            landmarks: vec![None; 11],
            cut: CutStyle::default(),
        }
    }

    #[test]
    fn each_picture_is_followed_by_its_copies() {
        let dataset = dataset();
        let expanded = expand(&dataset, 2, Augment::default(), &Device::cpu()).unwrap();
        assert_eq!((expanded.len(), expanded.pixels.len()), (33, 3 * dataset.pixels.len()));
        for at in 0..11 {
            assert_eq!(expanded.image(3 * at), dataset.image(at));
            assert_ne!(expanded.image(3 * at + 1), dataset.image(at));
            assert_ne!(expanded.image(3 * at + 1), expanded.image(3 * at + 2));
            for copy in 0..3 {
                assert_eq!(expanded.labels[3 * at + copy], dataset.labels[at]);
                assert_eq!(expanded.groups[3 * at + copy], dataset.groups[at]);
                assert_eq!(expanded.copies().contains(&(3 * at + copy)), copy > 0);
            }
        }
    }

    #[test]
    fn copies_without_a_change_are_the_picture() {
        let expanded = expand(&dataset(), 1, Augment::none(), &Device::cpu()).unwrap();
        assert!((0..11).all(|at| expanded.image(2 * at) == expanded.image(2 * at + 1)));
    }
}
