//! Which face of a photo is the person's, where it shows several.

use std::fmt;

use super::cut::{Cut, FaceCrop};
use crate::Result;

/// Turns crops of faces into one vector each. Vectors of one person's crops point in similar directions.
pub type Embed<'a> = dyn FnMut(&[&FaceCrop]) -> Result<Vec<Vec<f32>>> + 'a;

/// Crops given to an embedding at once.
const BATCH: usize = 32;

/// Why a face was taken, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has the largest box.
    Largest,
    /// It is the most like the faces of the person's other photos.
    MostAlike,
    /// The user chose so.
    Chosen,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Largest => "the largest",
            Why::MostAlike => "most like the other photos",
            Why::Chosen => "your choice",
        })
    }
}

/// What becomes of a photo that shows several faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// Index of the face to take; none if the photo is left out.
    pub used: Option<usize>,
    pub why: Why,
}

/// A decision for each of a person's photos that shows several faces. `chosen` are the user's, which stand.
///
/// The others are compared with the person's photos that show one face: taken is the face whose vector has the
/// smallest cosine distance to the mean of theirs, each scaled to length one; of equal ones the larger. Where there
/// is nothing to compare, the largest is taken.
///
/// # Errors
/// What `embed` returns.
pub(super) fn decide(
    photos: &[Option<&Cut>],
    chosen: &[Option<Decision>],
    embed: Option<&mut Embed<'_>>,
) -> Result<Vec<Option<Decision>>> {
    let decision = |(cut, chosen): (&Option<&Cut>, &Option<Decision>)| {
        let faces = cut.filter(|cut| cut.faces.len() > 1)?.faces.len();
        let chosen = chosen.filter(|chosen| chosen.used.is_none_or(|face| face < faces));
        Some(chosen.unwrap_or(Decision { used: Some(0), why: Why::Largest }))
    };
    let mut decisions: Vec<Option<Decision>> = photos.iter().zip(chosen).map(decision).collect();
    let open = |decision: &Option<Decision>| decision.is_some_and(|decision| decision.why != Why::Chosen);
    let Some(embed) = embed.filter(|_| decisions.iter().any(open)) else { return Ok(decisions) };
    let alone = photos.iter().flatten().filter(|cut| cut.faces.len() == 1 && !cut.whole);
    let Some(mean) = mean(&vectors(alone.flat_map(|cut| &cut.faces), embed)?) else { return Ok(decisions) };
    for (decision, cut) in decisions.iter_mut().zip(photos) {
        if let Some(cut) = cut.filter(|_| open(decision)) {
            let vectors = vectors(cut.faces.iter(), embed)?;
            *decision = Some(Decision { used: Some(nearest(&vectors, &mean)), why: Why::MostAlike });
        }
    }
    Ok(decisions)
}

/// The vector of each face, scaled to length one.
fn vectors<'f>(faces: impl Iterator<Item = &'f FaceCrop>, embed: &mut Embed<'_>) -> Result<Vec<Vec<f32>>> {
    let faces: Vec<&FaceCrop> = faces.collect();
    let mut vectors = Vec::with_capacity(faces.len());
    for batch in faces.chunks(BATCH) {
        vectors.extend(embed(batch)?.into_iter().map(unit));
    }
    Ok(vectors)
}

/// The vector at length one; zero stays zero, at distance 1 from everything.
fn unit(vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.into_iter().map(|x| x / length).collect()
}

/// The mean of vectors, at length one; none if there are none or they cancel out.
fn mean(vectors: &[Vec<f32>]) -> Option<Vec<f32>> {
    let mut sum = vec![0.0; vectors.first()?.len()];
    for vector in vectors {
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
    }
    let mean = unit(sum);
    mean.iter().any(|&x| x != 0.0 && x.is_finite()).then_some(mean)
}

/// Index of the vector with the smallest cosine distance to `mean`; the first of equal ones.
fn nearest(vectors: &[Vec<f32>], mean: &[f32]) -> usize {
    let distance = |vector: &Vec<f32>| 1.0 - vector.iter().zip(mean).map(|(a, b)| a * b).sum::<f32>();
    let nearest = (0..vectors.len()).min_by(|&a, &b| distance(&vectors[a]).total_cmp(&distance(&vectors[b])));
    nearest.unwrap_or(0)
}
